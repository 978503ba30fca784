"""How long a network is and how far it goes, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from pde2net.language.expressions import shown
from pde2net.network import Network
from pde2net.scheme.stack import Stack

if TYPE_CHECKING:
    from pde2net.trajectory.record import Trajectory


def counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"


def size(network: Network) -> str:
    """The blocks of a stack, the steps of anything else."""
    blocks = block_count(network)
    return counted(network.scheme.repeats, "step") if blocks is None else counted(blocks, "block")


def block_count(network: Network) -> int | None:
    """How often the block of a stack runs; None if there is no such number."""
    update = network.update
    return update.cycles * len(update.stages) if isinstance(update, Stack) else None


def reached(network: Network, way: Trajectory) -> str:
    """9 of 12 steps of tau = 1/5, to time 9/5: how far a run went that ended early."""
    done, unit = int(way.repeats[-1]), way.unit.removesuffix("s")
    if unit == "iteration":
        return f"{counted(done, unit)} towards the steady state"
    if unit != "time":
        return f"{done} of {counted(network.scheme.repeats, unit)}"
    return f"{done} of {course(network).rpartition(', to ')[0]}, to time {way.times[-1]:g}"


def course(network: Network) -> str:
    """3 steps of tau = 1/4, to time 3/4."""
    scheme, tau = network.scheme, network.certificate.tau
    if tau == sp.oo:
        return "to the steady state"
    if "tau" in network.trainable:
        return f"{counted(scheme.repeats, scheme.repeated.removesuffix('s'))} of trained sizes"
    text = f"{counted(scheme.repeats, scheme.repeated.removesuffix('s'))} of tau = {shown(tau)}"
    stages = len(network.update.stages) if isinstance(network.update, Stack) else 1
    if scheme.repeated == "cycles":
        text = f"{counted(scheme.repeats, 'cycle')} of {counted(stages, 'step')} of tau = {shown(tau)}"
    elif isinstance(network.update, Stack) and not network.update.repeated:
        text += f" with {counted(stages, 'stage')}"
    return f"{text}, to time {shown(scheme.duration(tau))}"
