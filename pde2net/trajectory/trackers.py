"""What is measured on the way, one number for each image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pde2net.errors import DeclarationError, suggestion
from pde2net.trajectory.moment import Moment, rms

Tracker = Callable[[Moment], Tensor]
Rate = Callable[[Tensor], Tensor]  # F of u_t = F(u)

NODES, WEIGHTS = np.polynomial.legendre.leggauss(8)
OF_STATE: dict[str, Tracker] = {
    "min": lambda m: m.state.flatten(1).amin(1),
    "max": lambda m: m.state.flatten(1).amax(1),
    "mean": lambda m: m.state.double().flatten(1).mean(1),
    "removed": lambda m: m.removed,
}
NAMES = (*OF_STATE, "residual", "energy", "psnr")


class Energy:
    """E(u) - E(u0) in which the network descends, u_t = -grad E(u).

    A sum of integrals of <grad E, dw> along the segments between the states that are seen, by Gauss's rule
    with 8 nodes: the energy of the discrete equation, with the stencils and sides that it has.

    cell  the volume of a cell
    """

    def __init__(self, rate: Rate, cell: float) -> None:
        self.rate, self.cell = rate, cell
        self.last: Tensor | None = None
        self.total: Tensor = torch.zeros(())

    def __call__(self, moment: Moment) -> Tensor:
        u = moment.state.double()
        if self.last is None:
            self.total = torch.zeros(len(u), dtype=torch.float64, device=u.device)
        else:
            way = u - self.last
            for node, weight in zip(NODES, WEIGHTS, strict=True):
                down = self.rate(self.last + float(node + 1) / 2 * way)
                self.total = self.total - self.cell * float(weight) / 2 * (down * way).flatten(1).sum(1)
        self.last = u
        return self.total


def psnr(reference: Tensor) -> Tracker:
    """Peak signal-to-noise ratio in dB. The peak is 1, or the range of a reference that leaves [0, 1]."""
    low, high = float(reference.min()), float(reference.max())
    peak = 1.0 if low >= 0 and high <= 1 else high - low

    def ratio(moment: Moment) -> Tensor:
        return 20 * torch.log10(peak / rms(moment.state - reference.to(moment.state)))

    return ratio


def trackers(
    asked: Iterable[str] | Mapping[str, Callable[[Moment], Any]],
    reference: Tensor | None,
    rate: Callable[[str], Rate],
    cell: float,
) -> dict[str, Tracker]:
    """The trackers of these names, or functions of a moment under names of their own.

    rate  makes F for the tracker of this name, or raises DeclarationError
    """
    if isinstance(asked, Mapping):
        return {name: _own(name, function) for name, function in asked.items()}
    found: dict[str, Tracker] = {}
    for name in [asked] if isinstance(asked, str) else asked:
        if name not in NAMES:
            raise DeclarationError(
                f'There is nothing called "{name}" to track.{suggestion(str(name), NAMES)}'
            )
        if name in OF_STATE:
            found[name] = OF_STATE[name]
        elif name == "psnr":
            if reference is None:
                raise DeclarationError('track=["psnr"] compares with an image: run(u0, reference=clean).')
            found[name] = psnr(reference)
        elif name == "energy":
            found[name] = Energy(rate(name), cell)
        else:
            found[name] = _residual(rate(name))
    return found


def _residual(rate: Rate) -> Tracker:
    """Root mean square of u_t: 0 at a steady state."""
    return lambda moment: rms(rate(moment.state.double()))


def _own(name: str, function: Callable[[Moment], Any]) -> Tracker:
    if not callable(function):
        raise DeclarationError(f'track["{name}"] is a function of a moment, not {function!r:.60}.')

    def measured(moment: Moment) -> Tensor:
        given = function(moment)
        try:
            value = torch.as_tensor(given, dtype=torch.float64, device=moment.state.device)
        except (TypeError, ValueError, RuntimeError) as error:
            raise DeclarationError(f'track["{name}"] gave {given!r:.60}, not a number.') from error
        if value.shape not in ((), (1,), (len(moment.state),)):
            raise DeclarationError(
                f'track["{name}"] gave the shape {tuple(value.shape)}, not a number or one for each image.'
            )
        return value.expand(len(moment.state))

    return measured
