"""Optimisers, schedules and rates by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from pde2net.errors import DeclarationError, suggestion

OTHERS = "others"
Optimizers = str | Callable[..., torch.optim.Optimizer]
Schedules = str | Callable[[torch.optim.Optimizer], Any] | None


def kind(name: str) -> str:
    """What a parameter is called in a declaration: "blocks.2.log_lambda_" is "lambda"."""
    return name.rsplit(".", 1)[-1].removeprefix("log_").removeprefix("raw_").removesuffix("_")


def groups(
    named: Iterator[tuple[str, nn.Parameter]], lr: float | Mapping[str, float], known: set[str]
) -> list[dict[str, Any]]:
    """Groups of parameters for an optimiser, one for each rate.

    lr  a number, or one for each kind of parameter, with "others" for the rest
    """
    rates = {OTHERS: lr} if isinstance(lr, int | float) else dict(lr)
    for name, rate in rates.items():
        if name not in known | {OTHERS}:
            raise DeclarationError(f'There is no parameter "{name}" to train.{suggestion(name, known)}')
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate < math.inf:
            raise DeclarationError(f"The learning rate of {name} is a number from 0 on, not {rate!r}.")
    missing = known - rates.keys()
    if OTHERS not in rates and missing:
        raise DeclarationError(f'lr has no rate for {", ".join(sorted(missing))}; "others" is for the rest.')
    found: dict[str, dict[str, Any]] = {}
    for name, parameter in named:
        own = kind(name) if kind(name) in rates else OTHERS
        found.setdefault(own, {"params": [], "lr": float(rates[own])})["params"].append(parameter)
    return list(found.values())


def optimiser(choice: Optimizers, parameters: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """The optimiser of torch.optim of that name, or what a class or function makes of the groups."""
    if isinstance(choice, str):
        names = [n for n, v in vars(torch.optim).items() if isinstance(v, type) and n != "Optimizer"]
        if choice not in names:
            raise DeclarationError(f'torch.optim has no optimizer "{choice}".{suggestion(choice, names)}')
        make: Callable[..., torch.optim.Optimizer] = getattr(torch.optim, choice)
    else:
        make = choice
    if make is torch.optim.LBFGS and len(parameters) > 1:
        raise DeclarationError("LBFGS has one learning rate for all parameters; lr is a number.")
    found = make(parameters)
    if not isinstance(found, torch.optim.Optimizer):
        raise DeclarationError(f"optimizer made {found!r:.80}, which is no torch.optim.Optimizer.")
    return found


class Schedule:
    """The learning rate over a training: a scheduler of torch, after epochs, or "cosine", after steps."""

    WORDS = ("cosine",)

    def __init__(self, choice: Schedules, made: torch.optim.Optimizer, steps: int) -> None:
        self.each_step = choice == "cosine"
        if choice is None:
            self.made = None
        elif choice == "cosine":
            self.made = torch.optim.lr_scheduler.CosineAnnealingLR(made, max(steps, 1))
        elif isinstance(choice, str):
            raise DeclarationError(
                f'There is no scheduler "{choice}".{suggestion(choice, self.WORDS)} Others are functions, '
                "lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 10)."
            )
        else:
            try:
                self.made = choice(made)
            except TypeError as error:
                raise DeclarationError(
                    f"scheduler is called with the optimizer alone, and says: {error}. A function gives it "
                    "more, lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 10)."
                ) from error

    def step(self) -> None:
        if self.made is not None and self.each_step:
            self.made.step()

    def epoch(self, loss: float) -> None:
        if self.made is None or self.each_step:
            return
        if isinstance(self.made, torch.optim.lr_scheduler.ReduceLROnPlateau):
            self.made.step(loss)
        else:
            self.made.step()

    def state(self) -> dict[str, Any]:
        return {} if self.made is None else dict(self.made.state_dict())

    def restore(self, state: dict[str, Any]) -> None:
        if self.made is not None:
            self.made.load_state_dict(state)


def loss_of(choice: str | Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of torch.nn.functional of that name, or the function."""
    if not isinstance(choice, str):
        return choice
    names = ("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss")
    if choice not in names:
        raise DeclarationError(f'There is no loss "{choice}".{suggestion(choice, names)}')
    found: Callable[[Tensor, Tensor], Tensor] = getattr(nn.functional, choice)
    return found
