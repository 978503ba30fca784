"""Counterexamples: the network that they are run through, or a part, and the line that describes them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp

from pde2net.discretise.arrays import Array
from pde2net.discretise.semidiscretise import Semidiscrete, SemidiscreteSystem
from pde2net.errors import RecheckError
from pde2net.graph.build import build
from pde2net.graph.interpret import Interpreter
from pde2net.language.schemes import DuFortFrankel
from pde2net.network import Network
from pde2net.normalise.form import DivergenceForm, SystemForm
from pde2net.scheme.registry import shortest
from pde2net.scheme.stack import Stack
from pde2net.verify.refute.candidates import candidates

MOST = 512  # steps of Du Fort-Frankel


class Whole:
    """Runs a network as its shortest part, again and again.

    stages  whether a part has several stages, so that its coefficients may change
    powers  whether frozen stability is about powers of a companion matrix
    """

    def __init__(self, network: Network, semi: Semidiscrete, values: Mapping[sp.Symbol, sp.Expr]) -> None:
        scheme, update, tau = network.scheme, network.update, network.certificate.tau
        self.powers = isinstance(scheme, DuFortFrankel)
        timed = semi.form.problem.depends_on_time  # then every part is another map
        part = update if timed else shortest(update)
        self.semi, self.tau, self.values, self.part = semi, tau, values, part
        self.once = Interpreter(build(semi, tau, part), values)
        if not isinstance(update, Stack):  # a step at a time, whatever is iterated in it
            self.repeats = 1 if timed else scheme.repeats
            self.stages = False
            return
        if not isinstance(part, Stack):
            raise RecheckError("the network is no stack")
        self.repeats = len(update.stages) * update.cycles // (len(part.stages) * part.cycles)
        self.stages = self.powers or (len(update.stages) > 1 and not update.repeated)

    def run(self, u: Array, fields: Mapping[str, Array]) -> Array:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(self.repeats):
                u = self.once(u, fields)
        return u

    def kept(self, u0: Array, fields: Mapping[str, Array], steps: Any) -> float:
        """By how much the norm grows in one part with the coefficients of u0, or beyond (2 k + 1) times."""
        form = self.semi.form
        still = {f: neutral(f) for f in form.fields}
        reaction = form.reaction.subs(still)
        if sp.simplify(sp.diff(reaction, form.state, 2)) != 0 or reaction.subs(form.state, 0) != 0:
            return 0.0
        part = self.part
        if not isinstance(part, Stack):
            return 0.0
        stages = part.stages
        if self.powers:
            if type(steps) is not int or not 0 < steps <= MOST:
                return 0.0
            stages = stages[:1] * steps
        graph = build(self.semi, self.tau, replace(part, frozen=True, cycles=1, stages=stages))
        u1 = Interpreter(graph, self.values)(u0, fields)
        if not np.isfinite(u1).all():
            return math.inf
        allowed = 2 * steps + 1 if self.powers else 1
        return float(np.linalg.norm(u1) / np.linalg.norm(u0)) / allowed - 1

    def says(self, steps: Any) -> str:
        if self.powers and type(steps) is int:
            more = f"after {steps} steps exceeds {2 * steps + 1} times its own"
            return f"with its coefficients kept, the norm {more} by"
        return "with its coefficients kept, the norm grows by"


def neutral(field: sp.Symbol) -> int:
    """What a known field has to be in a counterexample: 0, or 1 with its declared sign."""
    return 1 if field.is_positive else -1 if field.is_negative else 0


def testable(form: DivergenceForm | SystemForm) -> bool:
    """Whether a counterexample may have these values: they are among those that are declared."""
    return all(lower <= neutral(f) <= upper for f, (lower, upper) in form.intervals.items())


def misreported(name: str, stated: Any, found: float, margin: float, close: float) -> Iterator[str]:
    """What is wrong with the violation of a claim that a counterexample states, where it is `found`."""
    if type(stated) not in (int, float) or not found > margin:
        yield f"The counterexample to {name} does not violate it."
    # Beside a pole the output may overflow here and not there; then it is violated by more than stated.
    elif math.isfinite(found) and not abs(stated - found) <= close * (1 + min(abs(found), 1e300)):
        yield f"The counterexample to {name} violates it by {found:.6g}, not by {stated:.6g}."


def ratio(u1: Array, u0: Array) -> float:
    """‖u1‖/‖u0‖ - 1, oo for what is not finite."""
    return float(np.linalg.norm(u1) / np.linalg.norm(u0) - 1) if np.isfinite(u1).all() else math.inf


def is_described(
    semi: Semidiscrete | SemidiscreteSystem, u0: Array, witness: Mapping[str, Any], says: str
) -> bool:
    """Whether the line names pattern, amplitude, size and violation as they are."""
    shown = "optimised input"
    if {"pattern", "amplitude"} & set(witness):
        pattern, amplitude = witness["pattern"], witness["amplitude"]
        if type(amplitude) not in (int, float) or not _follows(semi, u0, pattern, amplitude):
            return False
        shown = f"{pattern} of amplitude {amplitude:.3g}"
    size = " x ".join(map(str, u0.shape))
    return bool(witness["description"] == f"{shown} on {size} cells: {says} {witness['excess']:.3g}")


def _follows(semi: Semidiscrete | SemidiscreteSystem, u0: Array, pattern: Any, amplitude: float) -> bool:
    """Whether the input is a pattern of this name times `amplitude`."""
    images = (amplitude * c.on(u0.shape[-1]) for c in candidates(semi, (1.0,)) if c.name == pattern)
    return any(np.allclose(u0, image, rtol=1e-9, atol=1e-12 * abs(amplitude)) for image in images)
