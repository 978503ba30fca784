"""Runs the counterexamples of a certificate again and measures the violations that they report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import sympy as sp

from pde2net.audit import data
from pde2net.audit.networks import Whole, is_described, misreported, neutral, ratio, testable
from pde2net.audit.numbers import Numbers
from pde2net.audit.residuals import growth
from pde2net.audit.rows import Rows
from pde2net.audit.systems import counterexample
from pde2net.discretise.arrays import Array
from pde2net.discretise.semidiscretise import Semidiscrete, SemidiscreteSystem
from pde2net.errors import RecheckError
from pde2net.graph.build import explicit_steps
from pde2net.graph.interpret import Interpreter
from pde2net.language.expressions import from_text
from pde2net.network import Network
from pde2net.scheme.registry import update_of
from pde2net.scheme.stack import Stack
from pde2net.verify.certificate import Certificate, Claim, Status

WORK = 1e8  # cells times steps that are run
CLOSE, CLOSE_PAIRS = 1e-12, 1e-9  # agreement of figures; differences of nearby inputs have fewer digits
NODES, WEIGHTS = np.polynomial.legendre.leggauss(8)
PANELS = 8  # of the quadrature that defines the energies of a witness
MARGIN, MARGIN_ENERGY, MARGIN_PAIRS = 1e-9, 1e-6, 1e-6  # less may be rounding
_KEYS = {"u0", "excess", "description"}
_MORE = {
    "nonexpansive": {"v0"},
    "well_posed": {"v0"},
    "lipschitz_in_data": {"v0"},
    "averaged": {"v0"},
    "maximum_principle": {"extremum"},
    "energy_decay": {"energy"},
}
_OF_DATA = ("bounded_by_data", "lipschitz_in_data", "averaged")
_PAIRS = ("nonexpansive", "well_posed", "frozen_stability", "lipschitz_in_data", "averaged")
_PERHAPS = {"parameters", "fields", "pattern", "amplitude"}
_SAYS = {  # of others, the norm grows
    "maximum_principle": "range is exceeded by",
    "mean_preservation": "mean changes by",
    "energy_decay": "energy grows by",
    "solver_convergence": "residual grows by",
    "well_posed": "F pushes two nearby states apart with the slope",
    "lipschitz_in_data": "distance to nearby data, beyond the constant, grows by",
}


def require_runnable(certificate: Certificate) -> None:
    """Raises RecheckError for counterexamples that would take too long to run."""
    scheme = certificate.declaration.scheme
    update = update_of(scheme, sp.S.One)
    blocks = len(update.stages) * update.cycles if isinstance(update, Stack) else scheme.repeats
    for claim in certificate.claims.values():
        if claim.witness is not None and np.size(np.array(claim.witness["u0"], dtype=object)) * blocks > WORK:
            raise RecheckError("a counterexample takes too many steps to be run again")


def disagreements(network: Network) -> Iterator[str]:
    """What is wrong with the counterexamples."""
    semi = network.semidiscrete
    for claim in network.certificate.claims.values():
        if claim.status == Status.REFUTED:
            try:
                if isinstance(semi, SemidiscreteSystem):
                    yield from counterexample(network, semi, claim)
                else:
                    yield from _Replay(network, semi, claim).problems()
            except (KeyError, IndexError, TypeError, ValueError) as error:
                name = claim.name.replace("_", " ")
                raise RecheckError(f"The counterexample to {name} is malformed: {error}.") from error


class _Replay:
    """One witness: its inputs as arrays, the step, and the network as repeated steps."""

    def __init__(self, network: Network, semi: Semidiscrete, claim: Claim) -> None:
        self.witness: Mapping[str, Any] = claim.witness or {}
        self.claim, self.semi, self.name = claim.name, semi, claim.name.replace("_", " ")
        self.of, self.values = network, self.parameters()
        self.whole = Whole(network, semi, self.values)
        tau = self.whole.tau if self.whole.tau.is_finite is not False else sp.S.One
        self.step = Interpreter(explicit_steps(semi, tau, 1), self.values)
        self.tau = float(self.step.number(tau))
        self.u0 = self.array(self.witness["u0"])
        stated = self.witness.get("fields", {})
        if set(stated) != {f.name for f in semi.form.fields}:
            raise RecheckError("a counterexample must give every known field")
        self.fields = {name: self.array(values) for name, values in stated.items()}
        self.data = data.target(semi.form) if self.claim in _OF_DATA else None
        signed = self.data is not None and (self.data.is_nonnegative or self.data.is_nonpositive)
        if signed or self.data in semi.form.intervals:
            raise RecheckError("data of a declared sign or range have no counterexamples, which have any")
        low, high = (semi.form.problem.ranges or ((-sp.oo, sp.oo),))[0]
        if not float(low) <= float(self.u0.min()) <= float(self.u0.max()) <= float(high):
            raise RecheckError("a counterexample lies outside of the declared range of the unknown")
        if "v0" in self.witness and semi.form.problem.ranges:
            raise RecheckError("pairs of inputs may lie outside of the declared range of the unknown")
        if not testable(semi.form):
            raise RecheckError(
                "there are no counterexamples with known fields that are not what was declared"
            )
        for f in semi.form.fields:
            if (self.fields[f.name] != (self.u0 if f == self.data else neutral(f))).any():
                raise RecheckError("known fields are 0 in a counterexample, or 1 with their declared sign")

    def parameters(self) -> dict[sp.Symbol, sp.Expr]:
        """A value of admissible sign for each symbol without one, and for no other."""
        semi = self.semi
        free = {s for h in (*semi.spacing, *semi.origin) for s in h.free_symbols}
        free |= set(semi.form.problem.symbols)
        free -= set(semi.form.problem.parameters)
        stated = self.witness.get("parameters", {})
        if set(stated) != {s.name for s in free}:
            raise RecheckError("a counterexample must give a value to each symbol without one")
        values = {s: from_text(stated[s.name], {}) for s in free}
        for symbol, value in values.items():
            signs = ("positive", "nonnegative", "negative", "nonpositive", "integer")
            wrong = [k for k in signs if getattr(symbol, f"is_{k}") and not getattr(value, f"is_{k}")]
            if not value.is_Rational or wrong:
                raise RecheckError(f"{symbol} = {value} is not admissible in a counterexample")
        return values

    def array(self, values: Any) -> Array:
        found = np.array(values, dtype=object)
        if not all(type(v) in (int, float) and math.isfinite(v) for v in found.ravel()):
            raise RecheckError("a counterexample holds other things than finite numbers")
        channels = self.semi.form.problem.channels
        outer, sizes = (found.shape[:1], found.shape[1:]) if channels > 1 else ((), found.shape)
        enough = len(sizes) == len(self.semi.spacing) and all(
            n >= m for n, m in zip(sizes, self.semi.smallest, strict=True)
        )
        enough = enough and outer == ((channels,) if channels > 1 else ())
        if not enough or (hasattr(self, "u0") and found.shape != self.u0.shape):
            raise RecheckError("a counterexample does not have the shape of the grid")
        return found.astype(float)

    def network(self, u: Array) -> Array:
        """The output for an input, which is the data too where the claim is about them."""
        own = {} if self.data is None else {self.data.name: u}
        return self.whole.run(u, {**self.fields, **own})

    def problems(self) -> Iterator[str]:
        keys = _KEYS | _MORE.get(self.claim, set())
        if self.claim == "frozen_stability" and self.whole.stages:
            keys = keys | ({"steps"} if self.whole.powers else set())
            perhaps = _PERHAPS
        else:
            perhaps = _PERHAPS | ({"v0"} if self.claim == "frozen_stability" else set())
        if not keys <= set(self.witness) <= keys | perhaps:
            yield f"The counterexample to {self.name} is incomplete, or holds more than one."
            return
        with np.errstate(all="ignore"):
            found = self.excess()
        stated = self.witness["excess"]
        pair = "v0" in self.witness
        close = CLOSE_PAIRS if pair else CLOSE
        margin = MARGIN_PAIRS if pair else MARGIN_ENERGY if self.claim == "energy_decay" else MARGIN
        wrong = list(misreported(self.name, stated, found, margin, close))
        yield from wrong
        if not wrong and not is_described(self.semi, self.u0, self.witness, self.says()):
            yield f"The counterexample to {self.name} is described otherwise."

    def excess(self) -> float:
        """By how much the claim is violated; 0 if a figure in the witness is wrong."""
        if self.claim == "solver_convergence":
            return growth(self.of, self.semi, self.values, self.u0, self.fields)
        u0, u1 = self.u0, self.network(self.u0)
        if "v0" in self.witness:
            if self.claim not in _PAIRS:
                return 0.0
            v0 = self.array(self.witness["v0"])
            if self.claim == "well_posed":
                return self.slope(v0)
            grown = self.network(v0) - u1
            return (1 + ratio(grown, v0 - u0)) / self.constant() - 1
        if self.claim == "energy_decay":
            return self.energy(u1)
        if self.claim == "maximum_principle":
            return self.extremum(u1)
        if not np.isfinite(u1).all():
            return math.inf
        if self.claim == "mean_preservation":
            return float(abs(u1.mean() - u0.mean()) / abs(u0).max())
        if self.claim == "frozen_stability" and self.whole.stages:
            return self.whole.kept(u0, self.fields, self.witness.get("steps"))
        linear = self.semi.form.reaction.subs(self.semi.form.state, 0) == 0
        of_norms = self.claim in ("l2_stability", "frozen_stability", "bounded_by_data")
        return ratio(u1, u0) if of_norms and (linear or self.data is not None) else 0.0

    def slope(self, v0: Array) -> float:
        """<F(v0) - F(u0), v0 - u0>/‖v0 - u0‖², positive only if some data have two steady states.

        That takes a fidelity to data of any sign and a diffusivity that is not negative.
        """
        target = data.target(self.semi.form)
        if target is None or target.is_nonnegative or target.is_nonpositive:
            return 0.0
        apart = v0 - self.u0
        after = self.step(v0, self.fields) - self.step(self.u0, self.fields)
        return float(((after - apart) * apart).sum() / (apart * apart).sum() / self.tau)

    def constant(self) -> float:
        """How far apart a pair may be moved."""
        if self.claim != "lipschitz_in_data":
            return 1.0
        values = {**self.semi.form.problem.parameters, **self.values}
        given = dict(self.semi.form.problem.parameters)
        rows = Rows(self.of.certificate.ranges, values)
        return float(data.constant(Numbers(self.semi, rows, given, True)))

    def extremum(self, u1: Array) -> float:
        stated = self.witness["extremum"]
        index = tuple(stated["index"])
        if set(stated) != {"index", "value", "range"} or not all(type(i) is int and i >= 0 for i in index):
            return 0.0
        zero = not self.semi.closed or self.semi.form.reaction != 0
        low, high = float(self.u0.min()), float(self.u0.max())
        low, high = (min(low, 0.0), max(high, 0.0)) if zero else (low, high)
        if declared := self.semi.form.problem.ranges:
            low, high = map(float, declared[0])
        beyond = np.maximum(u1 - high, low - u1)
        first = np.unravel_index(int(np.argmax(beyond)), u1.shape)
        same_place = beyond[index] == beyond[first] and index != tuple(int(i) for i in first)
        if list(stated["range"]) != [low, high] or same_place:
            return 0.0
        value = float(u1[index])
        if not np.isfinite(u1).all():
            return math.inf if not math.isfinite(value) and str(value) == str(stated["value"]) else 0.0
        if not math.isclose(stated["value"], value, rel_tol=CLOSE):
            return 0.0
        return float(beyond[index] / abs(self.u0).max())

    def energy(self, u1: Array) -> float:
        """Relative growth of E(u) - E(0), an integral of grad E(w) = (w - step(w))/tau."""
        stated = self.witness["energy"]
        before = self.integral(np.zeros_like(self.u0), self.u0, PANELS)
        after = before + self.integral(self.u0, u1, PANELS)
        if set(stated) != {"before", "after"} or not np.isfinite([before, after]).all():
            return 0.0
        if not self.integral(self.u0, u1, 5 * PANELS) > 0.5 * (after - before):
            return 0.0
        size = max(abs(before), abs(after), float(np.finfo(float).tiny))
        for figure, here in ((stated["before"], before), (stated["after"], after)):
            if not abs(figure - here) <= CLOSE * size:
                return 0.0
        return (after - before) / size

    def integral(self, start: Array, end: Array, panels: int) -> float:
        """Of <grad E, end - start> along the segment, by Gauss's rule on equal panels."""
        direction = end - start
        total = 0.0
        for panel in range(panels):
            for node, weight in zip(NODES, WEIGHTS, strict=True):
                w = start + (panel + (node + 1) / 2) / panels * direction
                slope = (w - self.step(w, self.fields)) / self.tau
                total += float(weight) / (2 * panels) * float((slope * direction).sum())
        return total

    def says(self) -> str:
        """What the line for people says about the violation."""
        if self.claim == "frozen_stability" and self.whole.stages:
            return self.whole.says(self.witness.get("steps"))
        pair = "distance to a nearby input grows by" if "v0" in self.witness else "norm grows by"
        return _SAYS.get(self.claim, pair)
