"""The network that claims were derived for, run beside the module that they are about."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from pde2net.errors import CertificateError, ConvergenceError
from pde2net.graph.interpret import Interpreter
from pde2net.graph.network import Graph
from pde2net.network import Network
from pde2net.scheme.stack import Stack

CELLS = {1: 16, 2: 8, 3: 6}
CLOSE, SOLVED = 1e-6, 1e-3  # relative; of stacks, and where iterations end by a tolerance
INPUT = 0.3
INSIDE = 0.8  # of the cells


def require_same_result(network: Network, graph: Graph, module: nn.Module, values: Mapping[str, Any]) -> None:
    """A guard beside the derivation: the certified graph must compute what the module computes, on noise.

    graph   of the declaration with `values`
    module  in float64, all of its blocks with these values

    Raises CertificateError if it does not.
    """
    problem, semi = network.certificate.declaration.problem, network.semidiscrete
    multiple = getattr(semi, "multiple", 1)
    cells = [multiple * -(-max(n, CELLS[len(semi.roomy)]) // multiple) for n in semi.roomy]
    channels = problem.channels
    random = np.random.default_rng(0)
    u = random.uniform(0.2, 0.8, (channels, *cells))
    inputs = {s.name: INPUT for s in problem.inputs}
    fields = {n: random.uniform(0.2, 0.8, cells) for n in _asked(module) if n not in inputs}
    if problem.domain is not None:
        fields[str(problem.domain.func)] = (random.uniform(size=cells) < INSIDE).astype(float)
    arrays = {n: np.asarray(v, dtype=float) for n, v in values.items() if isinstance(v, list)}
    given = {n: v.nested() for n, v in problem.arrays.items() if n not in arrays}
    arrays |= {n: np.asarray(v, dtype=float) for n, v in given.items()}
    try:
        run = Interpreter(graph, filters=arrays)
        wanted = run(u if channels > 1 else u[0], {**fields, **inputs})
        known = {n: torch.from_numpy(v)[None, None] for n, v in fields.items()}
        with torch.no_grad():
            found = module(torch.from_numpy(u)[None], **known, **inputs)[0].numpy()
    except ConvergenceError:  # neither has a result
        return
    wrong = float(np.abs(np.reshape(found, np.shape(wanted)) - wanted).max())
    close = CLOSE if isinstance(network.update, Stack) else SOLVED
    if not wrong <= close * float(np.abs(wanted).max()):
        raise CertificateError(
            f"The module does not compute what was certified: on noise it is off by {wrong:.3g}. This is a "
            "fault of pde2net, and nothing is claimed."
        )


def _asked(module: nn.Module) -> list[str]:
    return list(inspect.signature(module.forward).parameters)[1:]


def alike(module: nn.Module, part: int) -> nn.Module:
    """A copy in float64, all blocks of which have the weights of that one."""
    made = copy.deepcopy(module).double().eval()
    own = [p for p in made.modules() if hasattr(p, "learned_values")]
    for other in own:
        other.load_state_dict(own[part].state_dict())
    return made
