"""Consistency: orders and leading terms of the truncation error (docs/theory.md, section 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.graph.build import explicit_steps
from pde2net.language.expressions import to_text
from pde2net.scheme.stack import TAU
from pde2net.verify.certificate import Because, Claim, Discharged, Status, because
from pde2net.verify.expansion import Expansion
from pde2net.verify.generators import spacings
from pde2net.verify.ranges import UndecidedError, within

SECONDS = 2.0
SHOWN, KEPT = 40, 60  # operations of a leading term, in words and as a figure
_THEOREM = "Taylor expansion of the step (Strikwerda 2004, section 1.4)"


@dataclass(frozen=True)
class SpaceError:
    """A_h(u) - A(u) = O(h^order); `leading` is the coefficient of that order, None where it is not known."""

    order: int
    leading: sp.Expr | None


@dataclass(frozen=True)
class TimeError:
    """The part of the truncation error that comes from the step in time.

    symbol   of the step
    order    in it
    leading  term of that order, None where it is not known
    mixed    further terms of the order, such as tau**2/h**2
    notes    what else is said about it
    """

    symbol: sp.Symbol
    order: int
    leading: sp.Expr | None
    mixed: tuple[str, ...] = ()
    notes: tuple[Because, ...] = ()


def step_symbol(tau: sp.Expr) -> sp.Symbol:
    """The symbol of the step in words: tau itself if it is one."""
    return tau if tau.is_Symbol else TAU


def second_derivative(semi: Semidiscrete) -> sp.Symbol:
    return sp.Symbol(f"{semi.form.state}_tt", real=True)


# What is smooth everywhere has none of these; the places of the others are excepted.
KINKED = (sp.Piecewise, sp.Abs, sp.sign, sp.Min, sp.Max)
PLACES = "kinks and jumps of the equation"


def consistency(semi: Semidiscrete, in_time: TimeError) -> Claim:
    """(u(t + T) - u)/T minus what the scheme computes in its place: in_time - (A_h(u) - A(u)) + ...

    Holds for smooth u and known fields, away from the border, and from kinks and jumps of coefficients: where
    there may be some, the claim says so.
    """
    if semi.form.learned:
        return Claim("consistency", Status.NOT_APPLICABLE, because=because("no derivative"))
    try:
        space = space_error(semi)
    except UndecidedError as error:
        return Claim("consistency", Status.UNKNOWN, because=because("not expanded", why=str(error)))
    kinked = _kinked(semi)
    orders = [_power(in_time.symbol, in_time.order)]
    figures: dict[str, sp.Expr] = {"order in tau": sp.Integer(in_time.order)}
    leading: list[sp.Expr | None] = [in_time.leading]
    if semi.form.terms:
        orders += [_power(s, space.order) for s in spacings(semi)]
        figures["order in h"] = sp.Integer(space.order)
        leading.append(None if space.leading is None else -space.leading)
    orders += in_time.mixed
    return Claim(
        "consistency",
        Status.PROVED,
        theorem=_THEOREM,
        because=because(f"order{' at kinks' * kinked}", order=" + ".join(dict.fromkeys(orders)))
        + _leading(leading)
        + (because("half-points") if _mixed(semi, space.order) else ())
        + in_time.notes,
        hypotheses=_hypotheses(figures, leading, space.order, _places(semi, kinked)),
    )


def _kinked(semi: Semidiscrete) -> bool:
    """Whether the equation may have places where it is not smooth; roots have one where they vanish."""
    if any(e.has(*KINKED) for e in semi.form.problem.equations):
        return True
    components = [c for term in semi.form.terms for c in getattr(term, "components", ())]
    radial = [g.diffusivity for c in components for g in c.groups or ()]
    powers = {p for g in radial for p in g.atoms(sp.Pow) if not p.exp.is_integer}
    return any(not p.base.is_positive for p in powers if not p.base.is_number)


def _places(semi: Semidiscrete, kinked: bool) -> str:
    """Those that are excepted."""
    domain = semi.form.problem.domain
    border = [] if domain is None else [f"the border of {domain.func} = 1"]
    return " nor ".join([*border, *([PLACES] if kinked else [])])


def expansion(order: int) -> str:
    """The name of the search for the error of one order, for deadline.paced."""
    return f"the expansion of the step to order {order}"


def space_error(semi: Semidiscrete) -> SpaceError:
    """Of one channel, as others are alike; of a linear equation as if there were no others.

    Order and leading coefficient, from the first coefficient of the expansion that does not vanish."""
    if semi.form.problem.channels > 1 and semi.form.is_linear:
        semi = semi.one_channel
    step = explicit_steps(semi, TAU, 1)
    if not semi.form.terms:
        return SpaceError(semi.grid.order, sp.S.Zero)
    for order in range(1, semi.grid.order + 1):
        try:
            found = within(SECONDS, expansion(order), partial(Expansion, semi, step, order))
        except UndecidedError:
            if order == 1:
                raise
            return SpaceError(order, None)
        if found.rate[order]:
            return SpaceError(order, _readable(found, order))
    return SpaceError(semi.grid.order, sp.S.Zero)


def _power(base: object, order: int) -> str:
    return str(base) if order == 1 else f"{base}**{order}"


def _readable(found: Expansion, order: int) -> sp.Expr | None:
    """The coefficient of h^order if a person could read it; at kinks of the diffusivity it has no value."""
    if len(found.rate[order]) > KEPT:
        return None
    leading = found.render(found.rate[order])
    if sp.count_ops(leading) > KEPT:
        return None
    leading = sp.expand(leading)
    plain = not leading.has(sp.DiracDelta, sp.Subs, sp.Derivative)
    return leading if plain and sp.count_ops(leading) <= KEPT else None


def _hypotheses(
    figures: dict[str, sp.Expr], leading: Sequence[sp.Expr | None], order: int, places: str
) -> tuple[Discharged, ...]:
    names = ("leading error in tau", "leading error in h")
    known = {n: e for n, e in zip(names, leading, strict=False) if e is not None}
    below = ", ".join(f"h^{k}" for k in range(1, order))
    how = "term by term"
    except_ = f", and stencils do not meet {places}" if places else ""
    if below and "order in h" in figures:
        vanish = "coefficients of {} vanish" if order > 2 else "coefficient of {} vanishes"
        how = f"the {vanish.format(below)} for every smooth u"
    return (
        Discharged("expansion", "A_h(u) = A(u) + c h^p + O(h^(p+1)), exactly", how, {**figures, **known}),
        Discharged("smoothness", f"u and known fields are smooth{except_}", "assumed"),
    )


def _leading(leading: Sequence[sp.Expr | None]) -> tuple[Because, ...]:
    """The leading terms, if they can be read."""
    known = [e for e in leading if e is not None and e != 0]
    if len(known) < len(leading) or any(sp.count_ops(e) > SHOWN for e in known):
        return ()
    text = " + ".join(to_text(e) for e in known).replace("+ -", "- ")
    return because(f"leading term{'s' * (len(known) > 1)}", terms=text)


def _mixed(semi: Semidiscrete, order: int) -> bool:
    """Whether slopes at half-points cost an order: in nonlinear fluxes of several dimensions."""
    if semi.form.problem.domain is not None:  # then no other grid keeps order 2
        return False
    first = any(t.along_axes for t in semi.form.terms)
    return order == 1 and first and len(semi.spacing) > 1 and semi.grid.gradient == "forward"
