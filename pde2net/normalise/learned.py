"""Terms with learned operators, -K^T Phi(K u), taken out of a right-hand side."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from pde2net.errors import EquationError
from pde2net.language.linear_operator import AdjointResponse, Chain, LinearOperator, Response
from pde2net.language.problem import Problem
from pde2net.language.spline import SplineFlux
from pde2net.language.symbols import per_filter
from pde2net.language.traversal import atoms
from pde2net.normalise.products import has_factor, summands
from pde2net.normalise.radial import as_function_of_square, divide
from pde2net.normalise.terms import SQUARED, Learned

_FORM = "a learned term is -K.adjoint(g(K(u)**2) * K(u))"
_APPLIED = AdjointResponse, Response


def learned_terms(problem: Problem) -> tuple[tuple[Learned, ...], sp.Expr]:
    """One term per chain of operators, K^T being linear, sorted by name; and the rest of the right-hand side.

    Raises EquationError, naming the term, for operators that do not stand in K.adjoint(Phi(K(u))), and for
    splines and parameters of filters outside of them.
    """
    inside: dict[Chain, sp.Expr] = {}
    rest: list[sp.Expr] = []
    for term in summands(problem.rhs, lambda e: e.has(*_APPLIED)):
        if not term.has(*_APPLIED):
            rest.append(term)
            continue
        for operators, operand in _split(term, problem):
            chain = Chain(operators)
            inside[chain] = inside.get(chain, sp.S.Zero) + operand
    fixed = sp.Add(*rest)
    for thing in (*sorted(atoms(fixed, SplineFlux), key=str), *sorted(per_filter(fixed), key=str)):
        raise EquationError(
            f"{thing} stands outside of the flux of a learned operator; {_FORM}, and splines and parameters "
            "of filters are parts of such fluxes."
        )
    ordered = sorted(((k, v) for k, v in inside.items() if v != 0), key=lambda entry: str(entry[0]))
    return tuple(_term(chain, operand, problem) for chain, operand in ordered), fixed


def _split(term: sp.Expr, problem: Problem) -> Iterator[tuple[tuple[LinearOperator, ...], sp.Expr]]:
    """The operators K_1, ..., K_n and v of terms K_1^T ... K_n^T v, numbers and parameters in v."""
    factors = sp.Mul.make_args(term)
    adjoints = [f for f in factors if isinstance(f, AdjointResponse)]
    others = sp.Mul(*(f for f in factors if not isinstance(f, AdjointResponse)))
    if len(adjoints) != 1 or others.has(*_APPLIED):
        raise EquationError(
            f"In the term {term}, an operator stands outside of an adjoint, or adjoints are multiplied: "
            f"{_FORM}, and sums of such terms."
        )
    varying = {problem.unknown, *problem.fields, *problem.space} | per_filter(others)
    if others.has(*varying):
        raise EquationError(
            f"The term {term} multiplies K.adjoint(...) by {others}, which varies in space: then the "
            "operator is not symmetric. Only numbers and parameters can stand there."
        )
    (adjoint,) = adjoints
    if not adjoint.operand.has(AdjointResponse):
        yield (adjoint.operator,), others * adjoint.operand
        return
    for part in summands(adjoint.operand, lambda e: e.has(AdjointResponse)):
        if not part.has(AdjointResponse):
            yield (adjoint.operator,), others * part
            continue
        for operators, operand in _split(part, problem):
            yield (adjoint.operator, *operators), others * operand


def _term(chain: Chain, operand: sp.Expr, problem: Problem) -> Learned:
    """-K^T Phi(K u) from K^T v."""
    u, applied = problem.unknown, problem.unknown
    for operator in chain.operators:
        applied = operator(applied)
    written = operand
    for operator in reversed(chain.operators):
        written = operator.adjoint(written)
    q = sp.Symbol(f"{chain}_{u.func}", real=True)
    inside = operand.xreplace({applied: q})
    for response in sorted(atoms(inside, Response), key=str):
        if response.operator == chain.last:
            raise EquationError(
                f"{response} in the term {written} applies {chain.last} to {response.operand}; it takes what "
                f"the adjoints in front of it give back, the unknown alone: {applied}."
            )
        raise EquationError(
            f"The term {written} applies another operator outside ({chain.last}) than inside "
            f"({response.operator}): then it is no diffusion; {_FORM}, with the same K."
        )
    flux = -inside
    if flux.has(sp.Derivative) or flux.has(u, *problem.fields, *problem.space):
        raise EquationError(
            f"The flux {operand} in {chain.last}.adjoint contains other things than {applied}: "
            f"only functions of {applied} and of parameters are supported there."
        )
    _require_own(flux, chain)
    try:
        at_rest = sp.simplify(flux.subs(q, 0))
    except (ArithmeticError, ValueError):
        at_rest = sp.nan
    # A flux with the factor q vanishes all the same: a singular diffusivity times K(u).
    if at_rest != 0 and not all(has_factor(term, q) for term in sp.Add.make_args(flux)):
        raise EquationError(
            f"The flux {operand} does not vanish where {applied} does, as every diffusive flux "
            f"g * {applied} does."
        )
    return Learned(chain, q, flux, _diffusivity(flux, q))


def _require_own(flux: sp.Expr, chain: Chain) -> None:
    """Parameters and splines of filters are those of the operator whose channels the flux has."""
    things = [(str(s), s.owner) for s in per_filter(flux)]
    things += [(f.name, f.owner) for f in atoms(flux, SplineFlux) if f.owner]
    for name, owner in sorted(things):
        if owner != chain.last.name:
            raise EquationError(
                f"{name} has a value per filter of {owner}, and stands in a flux of {chain.last}, whose "
                f"filters are others: take {chain.last}.parameter(...) or filters={chain.last}."
            )


def _diffusivity(flux: sp.Expr, q: sp.Symbol) -> sp.Expr | None:
    """g with Phi(q) = g(q²) q; splines of q itself are q times a function of q²."""
    splines = {f: sp.Dummy(f.name, real=True) for f in atoms(flux, SplineFlux)}
    if any(f.argument != q for f in splines):
        return None
    ratio = divide(sp.expand_mul(flux.xreplace({f: d * q for f, d in splines.items()})), q)
    g = as_function_of_square(ratio, (q,))
    if g is None:
        return None
    found: sp.Expr = g.xreplace({d: f.diffusivity(SQUARED) for f, d in splines.items()})
    return found
