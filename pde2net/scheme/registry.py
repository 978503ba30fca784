"""The update of each scheme: what its network computes, one record per architecture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import sympy as sp

from pde2net.errors import DeclarationError
from pde2net.language.schemes import (
    AOS,
    SCHEMES,
    Implicit,
    Multigrid,
    OwnScheme,
    Scheme,
    Theta,
)
from pde2net.language.text.write import keyword
from pde2net.scheme import du_fort_frankel, explicit, fed, fsi, rkc, rkl
from pde2net.scheme.cell import Cell, cell
from pde2net.scheme.method import Method, Update
from pde2net.scheme.own import require_choice, require_options, require_stack
from pde2net.scheme.stack import PREVIOUS, TAU, Stack
from pde2net.scheme.unet import UNet, unet

# Weights of stages that can be trained, by the name that a user gives; others have that of their symbol.
TABLES = {"_a": "extrapolation", "_c": "factors"}


def table_of(weight: sp.Symbol) -> str:
    """The name of a weight that differs from stage to stage."""
    name: str = TABLES.get(weight.name) or weight.name.strip("_")
    return name


def trainable_tables(update: Update) -> set[str]:
    """The names of the trainable weights that differ from stage to stage."""
    return {table_of(s) for s in update.stages[0]} if isinstance(update, Stack) else set()


METHODS: dict[type[Scheme], Method] = {
    method.choice: method
    for method in (
        explicit.METHOD,
        du_fort_frankel.METHOD,
        fsi.METHOD,
        fed.METHOD,
        rkl.METHOD,
        rkc.METHOD,
        *(Method(kind, lambda scheme, _: cell(scheme)) for kind in (Implicit, Theta, AOS)),
        Method(Multigrid, lambda scheme, _: unet(scheme)),
    )
}


def register_scheme(method: Method) -> None:
    """Add a scheme of your own: compile, verify, texts and stored certificates know it from now on.

    Its update is a Stack of order 1 or 2 in time. What is claimed of it is derived from the weights of its
    stages: its polynomial has to be theirs, the reach that is stated for it is decided exactly, and so is its
    order. Nobody else can recheck its certificates without registering the same scheme.

    Raises DeclarationError for a label that is taken, and for a choice that is no frozen dataclass.
    """
    if not isinstance(method, Method):
        raise DeclarationError(f"register_scheme takes a Method, not {method!r}.")
    choice = method.choice
    require_choice(choice)
    label = choice.label
    if keyword(label) in map(keyword, SCHEMES) or choice in METHODS:
        raise DeclarationError(f'There is a scheme called "{label}" already.')
    SCHEMES[label] = choice
    METHODS[choice] = method


OWN = frozenset(METHODS)  # those whose formulas are derived in docs/theory.md
SCHEMES.update({method.choice.label: method.choice for method in METHODS.values()})


def method_of(scheme: Scheme) -> Method:
    """What is known about a scheme. Raises DeclarationError for one that was not registered."""
    if type(scheme) not in METHODS:
        raise DeclarationError(
            f"{type(scheme).__name__} is no scheme that is known: register it, "
            "pde2net.extend.register_scheme(Method(...)) (docs/extending.md)."
        )
    return METHODS[type(scheme)]


def owner_of(update: Update, trainable: Iterable[str], shared: bool, keeps: bool) -> str:
    """Whose own the trained parameters are: those of the "network", of each "block" or of each "cycle".

    Tables of weights belong to the network. A network that keeps its condition keeps that of a cycle, whose
    stages are a polynomial of one operator.
    """
    if shared or not set(trainable) - trainable_tables(update):
        return "network"
    return "cycle" if keeps and isinstance(update, Stack) and not update.repeated else "block"


def update_of(scheme: Scheme, coefficient: sp.Expr | None = None) -> Update:
    """The update of a scheme; `coefficient` is alpha of Du Fort-Frankel, or b of an implicit fidelity.

    Raises DeclarationError if that of a registered one is no Stack of which anything can be derived.
    """
    method = method_of(scheme)
    if isinstance(scheme, OwnScheme):
        require_options(scheme)
        return require_stack(method.update(scheme, coefficient), scheme.label)
    return method.update(scheme, coefficient)


def span_of(scheme: OwnScheme) -> sp.Expr:
    """The time that a step of a scheme of one's own covers, in units of tau."""
    stack = update_of(scheme)
    assert isinstance(stack, Stack)
    return sp.Rational(1, scheme.repeats) * stack.cycles * sp.cancel(stack.time / TAU)


def shortest(update: Update) -> Update:
    """The update of the first part of a network that shows what it does: a step, a cycle."""
    if isinstance(update, Cell | UNet):
        return replace(update, steps=1)
    stages = update.stages[:1] if update.repeated and not update.uses(PREVIOUS) else update.stages
    return replace(update, stages=stages, cycles=1)
