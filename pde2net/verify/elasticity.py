"""How the diffusivities of a flux change with the slope: ranges that only implicit schemes ask for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import sympy as sp

from pde2net.language.solvers import Kacanov
from pde2net.language.spline import SplineDiffusivity
from pde2net.normalise.form import DivergenceForm
from pde2net.normalise.terms import SQUARED
from pde2net.scheme.cell import Cell
from pde2net.scheme.method import Update
from pde2net.verify.bounds import POINTWISE, Questions
from pde2net.verify.facts import Facts
from pde2net.verify.ranges import require_continuous

SECONDS = 5.0


def elasticity(g: sp.Expr) -> sp.Expr:
    """2 s g'/g as a function of s = |K u|²."""
    return sp.simplify(2 * SQUARED * sp.diff(g, SQUARED) / g)


def slope(g: sp.Expr) -> sp.Expr:
    """g' as a function of s."""
    return sp.simplify(sp.diff(g, SQUARED))


def jumps(g: sp.Expr) -> bool:
    """Whether g' is no function: that of a spline jumps at its knots."""
    return bool(g.has(SplineDiffusivity))


def diffusivities(form: DivergenceForm, facts: Facts) -> Iterator[tuple[sp.Expr, sp.Expr]]:
    """(g, weight) for each part weight g(s) of the flux, at the parameters that the facts assume."""
    values = {s: form.problem.parameters[s] for s in facts.given}
    for part in (p for term in form.terms for p in term.parts):
        for group in part.groups or ():
            for weight in group.weights:
                yield group.diffusivity.subs(values), (part.coefficient * weight).subs(values)


def with_elasticities(form: DivergenceForm, update: Update, facts: Facts) -> Facts:
    """The facts, with the ranges of 2 s g'/g that Kacanov's method asks for; else, of g'."""
    if not isinstance(update, Cell) or not isinstance(update.solver, Kacanov):
        return facts
    questions = Questions(SECONDS)
    for g, _ in diffusivities(form, facts):
        if SQUARED not in g.free_symbols or g.free_symbols & (form.data | {form.state}) or jumps(g):
            continue
        for function in (elasticity(g), slope(g)):
            try:
                s = sp.Dummy("s", positive=True)
                require_continuous(g.subs(SQUARED, s), s, g.subs(SQUARED, 0))
                questions.ask(POINTWISE, function, SQUARED)
                break
            except Exception:  # SymPy gives up in many ways; then nothing is known
                continue
    known = (*facts.answers, *(a for a in questions.answers.values() if a not in facts.answers))
    return replace(facts, answers=known)
