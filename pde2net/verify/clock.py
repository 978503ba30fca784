"""Time as a variable of ranges: t in [0, T), for coefficients that contain it (docs/theory.md, 4.17)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.errors import DeclarationError
from pde2net.language.schemes import Explicit, Scheme
from pde2net.verify.certificate import Claim, Status
from pde2net.verify.ranges import UndecidedError


@dataclass(frozen=True)
class Clock:
    """t in [0, until), in terms of `symbol` in [0, oo): t itself, or t = T s/(1 + s) for T = until.

    time  the symbol of t in the problem
    """

    time: sp.Symbol
    until: sp.Expr

    @property
    def symbol(self) -> sp.Symbol:
        return sp.Symbol("_s" if self.until.is_finite else self.time.name, nonnegative=True)

    @property
    def value(self) -> sp.Expr:
        s = self.symbol
        return self.until * s / (1 + s) if self.until.is_finite else s

    def hidden(self, g: sp.Expr) -> tuple[sp.Expr, dict[sp.Symbol, sp.Expr]]:
        """`g` with a positive parameter for each positive expression in t alone; their meaning.

        A bound for all values of these parameters is one for all t. Raises UndecidedError if t is left.
        """
        names: dict[sp.Expr, sp.Symbol] = {}
        hidden = self._hidden(sp.expand_power_exp(g), names)
        if self.symbol in hidden.free_symbols:
            raise UndecidedError(f"the diffusivity {g} contains an expression in t of unknown sign")
        return hidden, {name: e for e, name in names.items()}

    def _hidden(self, e: sp.Expr, names: dict[sp.Expr, sp.Symbol]) -> sp.Expr:
        if e.free_symbols == {self.symbol} and e.is_positive:
            return names.setdefault(e, sp.Symbol(f"_c{len(names) + 1}_", positive=True))
        if self.symbol not in e.free_symbols or not e.args:
            return e
        return e.func(*(self._hidden(a, names) for a in e.args))


def require_explicit(semi: Semidiscrete, scheme: Scheme) -> None:
    """Raises DeclarationError for a scheme that takes no coefficients that contain t."""
    time = semi.form.problem.time
    if semi.form.problem.depends_on_time and not isinstance(scheme, Explicit):
        raise DeclarationError(
            f"{scheme.label} takes no coefficients that depend on {time}; use Explicit, whose block k is "
            f"evaluated at {time} = k tau."
        )


def until_the_end(claim: Claim, until: sp.Expr) -> Claim:
    """The claim about a network whose bounds hold for t < T alone: its limit would be one for other T too."""
    if not until.is_finite:
        return claim
    if claim.status in (Status.NOT_APPLICABLE, Status.REFUTED, Status.UNKNOWN):
        return replace(claim, limit=None, condition=None)
    said = f"This is about times t < {until}, which the network covers."
    condition = claim.condition if claim.status == Status.PROVED_IF else None
    return replace(claim, limit=None, condition=condition, reason=f"{claim.reason} {said}".strip())
