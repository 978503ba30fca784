"""The update of each scheme: what its network computes, one record per architecture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import sympy as sp

from pde2net.language.schemes import (
    AOS,
    FED,
    FSI,
    RKL,
    DuFortFrankel,
    Explicit,
    Implicit,
    Multigrid,
    Scheme,
    Theta,
)
from pde2net.scheme import du_fort_frankel, explicit, fed, fsi, rkl
from pde2net.scheme.cell import Cell, cell
from pde2net.scheme.stack import PREVIOUS, Stack
from pde2net.scheme.unet import UNet, unet

Update = Stack | Cell | UNet

# Weights of stages that can be trained, by the name that a user gives.
TABLES = {
    "_a": "extrapolation",
    "_c": "factors",
    "_mu": "mu",
    "_nu": "nu",
    "_kappa": "kappa",
    "_gamma": "gamma",
}


def trainable_tables(update: Update) -> set[str]:
    """The names of the trainable weights that differ from stage to stage."""
    return {TABLES[s.name] for s in update.stages[0]} if isinstance(update, Stack) else set()


def owner_of(update: Update, trainable: Iterable[str], shared: bool, keeps: bool) -> str:
    """Whose own the trained parameters are: those of the "network", of each "block" or of each "cycle".

    Tables of weights belong to the network. A network that keeps its condition keeps that of a cycle, whose
    stages are a polynomial of one operator.
    """
    if shared or not set(trainable) - trainable_tables(update):
        return "network"
    return "cycle" if keeps and isinstance(update, Stack) and not update.repeated else "block"


def update_of(scheme: Scheme, alpha: sp.Expr | None = None) -> Update:
    """The update of a scheme; `alpha` is that of Du Fort-Frankel."""
    if isinstance(scheme, Explicit):
        return explicit.stack(scheme)
    if isinstance(scheme, FSI):
        return fsi.stack(scheme)
    if isinstance(scheme, FED):
        return fed.stack(scheme)
    if isinstance(scheme, RKL):
        return rkl.stack(scheme)
    if isinstance(scheme, DuFortFrankel) and alpha is not None:
        return du_fort_frankel.stack(scheme, alpha)
    if isinstance(scheme, Implicit | Theta | AOS):
        return cell(scheme)
    if isinstance(scheme, Multigrid):
        return unet(scheme)
    raise TypeError(f"{type(scheme).__name__} has no update")


def shortest(update: Update) -> Update:
    """The update of the first part of a network that shows what it does: a step, a cycle."""
    if isinstance(update, Cell | UNet):
        return replace(update, steps=1)
    stages = update.stages[:1] if update.repeated and not update.uses(PREVIOUS) else update.stages
    return replace(update, stages=stages, cycles=1)
