"""What the rules about implicit cells share: hypotheses with their words, titles, and what is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from pde2net.audit.claims import BOUNDED, NONNEGATIVE, SYMMETRIC, Find, Own, Rule, over
from pde2net.audit.exactly import INFINITY, ONE, Number, same
from pde2net.audit.iterations import Solves, implicit
from pde2net.audit.numbers import Numbers
from pde2net.audit.stacks import says
from pde2net.verify.certificate import Discharged

STEP, LINEAR, IMPLICIT, EXACT = "time step", "linear equation", "implicit reaction", "exact solves"
FROM_U, WITH_MEAN = "solves from u", "solves with a mean"
SOLVED, FALLING, FIXED, PLAIN = (
    "bounded solves",
    "nonincreasing reaction",
    "fixed number of iterations",
    "no acceleration",
)
BACKWARD, CONCAVE = "implicit scheme", "concave penaliser"
FORWARD = (SYMMETRIC, BOUNDED, NONNEGATIVE)
STABLE = ("no source", "damping reaction")
ELIMINATED = "they are tridiagonal and solved by elimination"
NEAREST = (
    "a truncated solve ends with the combination x of its result and its start that is nearest to the "
    "solution in the norm of the system: <rhs - (I + theta tau B) x, x> = 0"
)
MEAN = "truncated solves get the mean of their right-hand side"
TITLES = {
    "function": "Stability function of a linear step (Crank, Nicolson 1947; Hairer, Wanner 1996, "
    "section IV.3)",
    "spectrum": "Stability function (Crank, Nicolson 1947; Hairer, Wanner 1996, section IV.3)",
    "lagged": "Lagged diffusivities with bounded solves (Kacanov 1959; Saad 2003, Proposition 5.2)",
    "axes": "Mean of implicit steps along the axes (Weickert, ter Haar Romeny, Viergever 1998)",
    "resolvent": "Resolvent of a linear monotone operator (Minty 1962)",
    "inverse": "Inverse of an M-matrix (Varga 2000, Theorem 3.25)",
    "mean": "Constants in the kernel of K (Weickert 1998, Theorem 8)",
    "energy": "Energy of a linear step (Hairer, Lubich 2014)",
    "majorised": "Majorisation by lagged diffusivities (Geman, Reynolds 1992; Chan, Mulet 1999)",
    "picard": "Polynomial of Picard iterates (Alt et al. 2023, section 3.3)",
    "extragradient": "Extragradient steps (Korpelevich 1976)",
    "lipschitz": "Lipschitz composition (triangle inequality)",
}
CONTRACTION = "‖N(u) - N(v)‖ <= factor ‖u - v‖ per step, factor <= 1"
LIPSCHITZ = "‖N(u) - N(v)‖ <= factor ‖u - v‖ per step"
Needs = Callable[[Numbers], str]


def falling(n: Numbers, h: Discharged) -> str:
    """-r' with its bounds."""
    stated = [n.number(v) for v in h.figures.values()]
    right = list(h.figures) == ["inf -r'", "sup -r'"] and all(
        map(lambda a, b: same(a, b, ONE), stated, n.rate)
    )
    return "" if right else "other figures"


def reaction_taken(n: Numbers, h: Discharged) -> str:
    r = n.semi.form.reaction
    b = sp.simplify(-sp.diff(r, n.semi.form.state))
    return "" if not h.figures and h.how == ("r = 0" if r == 0 else f"b = {b}") else "another reaction"


OWN = {
    STEP: Own("v = u + tau ((1 - theta) F(u) + theta F(v))", says("tau is finite")),
    LINEAR: Own("F(u) - F(v) = -B (u - v) with a constant B", says("the equation is linear in u")),
    IMPLICIT: Own("r = s - b u with 0 <= b, and b and s are free of u", reaction_taken),
    EXACT: Own("linear systems are solved exactly", says(ELIMINATED)),
    SOLVED: Own("<rhs - (I + theta tau B) x, x> = 0 or better", says(ELIMINATED, NEAREST)),
    FROM_U: Own(
        "<rhs - (I + theta tau B) x, w> = 0 for w = x and w = u, or better", says(ELIMINATED, NEAREST)
    ),
    WITH_MEAN: Own("1^T x = 1^T rhs for every linear system", says(ELIMINATED, MEAN)),
    FALLING: Own("r' <= 0 is bounded", falling),
    FIXED: Own("the number of iterations is the same for all inputs", says("their number is fixed")),
    PLAIN: Own("v+ = rhs + theta tau F(v)", says("every iterate is computed from the one before")),
    BACKWARD: Own("theta = 1", says("theta = 1")),
    CONCAVE: Own(
        "g' <= 0", says("the range of 2 s g'/g, or of g', for each part of the flux", "g is constant")
    ),
}


def every(*needs: Needs) -> Needs:
    """The first thing that is missing."""
    return lambda n: next((text for text in (need(n) for need in needs) if text), "")


def when(holds: bool | Callable[[Numbers], bool], otherwise: str) -> Needs:
    return lambda n: "" if (holds(n) if callable(holds) else holds) else otherwise


@dataclass(frozen=True)
class Cell:
    """The cell of a declaration, with what its claims may lack."""

    s: Solves

    @property
    def finite(self) -> Needs:
        return when(not self.s.steady, "tau is infinite")

    @property
    def linear(self) -> Needs:
        return when(self.s.linear, "the equation is not linear")

    @property
    def exact(self) -> Needs:
        return when(self.s.method == "elimination", "systems are not solved exactly")

    @property
    def solved(self) -> Needs:
        return when(self.s.method in ("cg", "elimination"), "solves are not bounded")

    @property
    def from_u(self) -> Needs:
        known = self.s.method == "elimination" or (self.s.method == "cg" and self.s.systems.once)
        return when(known, "solves start elsewhere")

    @property
    def with_mean(self) -> Needs:
        known = self.s.method == "elimination" or (self.s.method == "cg" and self.s.systems.means)
        return when(known, "solves may change the mean")

    @property
    def fixed(self) -> Needs:
        return when(self.s.count is not None, "the number of iterations varies")

    @property
    def plain(self) -> Needs:
        return when(not self.s.accelerated, "iterates are mixed")


TAKEN = when(implicit, "the reaction is lagged")
FALLS = when(lambda n: bool(n.rate[0] >= 0), "the reaction may grow")


def made(title: str, conclusion: str, hypotheses: tuple[str, ...], *needs: Needs, **more: Any) -> Rule:
    """A rule; hypotheses that only cells have bring their words along."""
    own = {name: OWN[name] for name in hypotheses if name in OWN}
    return replace(Rule(TITLES[title], conclusion, hypotheses, every(*needs), own=own), **more)


def limited(reach: Number, rate: Find) -> Mapping[str, Any]:
    """tau <= reach/rate, where the reach is finite."""
    return {} if reach == INFINITY else {"limit": over(reach, rate)}
