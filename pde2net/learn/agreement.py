"""The network that claims were derived for, run beside the module that they are about."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from pde2net.emit.noise import noise
from pde2net.errors import CertificateError, ConvergenceError
from pde2net.graph.interpret import Interpreter
from pde2net.graph.network import Graph
from pde2net.network import Network
from pde2net.scheme.stack import Stack

CELLS = {1: 16, 2: 8, 3: 6}
CLOSE, SOLVED = 1e-6, 1e-3  # relative; of stacks, and where iterations end by a tolerance


def require_same_result(network: Network, graph: Graph, module: nn.Module, values: Mapping[str, Any]) -> None:
    """A guard beside the derivation: the certified graph must compute what the module computes, on noise.

    graph   of the declaration with `values`
    module  in float64, all of its blocks with these values

    Raises CertificateError if it does not.
    """
    problem, semi = network.certificate.declaration.problem, network.semidiscrete
    multiple = getattr(semi, "multiple", 1)
    cells = [multiple * -(-max(n, CELLS[len(semi.roomy)]) // multiple) for n in semi.roomy]
    u0, asked = noise(problem, cells, torch.float64)
    arrays = {n: np.asarray(v, dtype=float) for n, v in values.items() if isinstance(v, list)}
    given = {n: v.nested() for n, v in problem.arrays.items() if n not in arrays}
    arrays |= {n: np.asarray(v, dtype=float) for n, v in given.items()}
    try:
        run = Interpreter(graph, filters=arrays)
        u = u0[0].numpy()
        known = {n: (v[0, 0] if v.dim() else v).numpy() for n, v in asked.items()}
        wanted = run(u if problem.channels > 1 else u[0], known)
        with torch.no_grad():
            found = module(u0, **asked)[0].numpy()
    except ConvergenceError:  # neither has a result
        return
    wrong = float(np.abs(np.reshape(found, np.shape(wanted)) - wanted).max())
    close = CLOSE if isinstance(network.update, Stack) else SOLVED
    if not wrong <= close * float(np.abs(wanted).max()):
        raise CertificateError(
            f"The module does not compute what was certified: on noise it is off by {wrong:.3g}. This is a "
            "fault of pde2net, and nothing is claimed."
        )


def alike(module: nn.Module, part: int) -> nn.Module:
    """A copy in float64, all blocks of which have the weights of that one."""
    made = copy.deepcopy(module).double().eval()
    own = [p for p in made.modules() if hasattr(p, "learned_values")]
    for other in own:
        other.load_state_dict(own[part].state_dict())
    return made
