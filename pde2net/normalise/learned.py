"""Terms with learned operators, -K^T Phi(K u), taken out of a right-hand side."""

from __future__ import annotations

import sympy as sp

from pde2net.errors import EquationError
from pde2net.language.linear_operator import AdjointResponse, LinearOperator, Response
from pde2net.language.problem import Problem
from pde2net.normalise.products import has_factor, summands
from pde2net.normalise.radial import as_function_of_square, divide
from pde2net.normalise.terms import Learned

_FORM = "a learned term is -K.adjoint(g(K(u)**2) * K(u))"


def learned_terms(problem: Problem) -> tuple[tuple[Learned, ...], sp.Expr]:
    """One term per operator, K^T being linear, sorted by name; and the rest of the right-hand side.

    Raises EquationError, naming the term, for operators that do not stand in K.adjoint(Phi(K(u))).
    """
    inside: dict[LinearOperator, sp.Expr] = {}
    rest: list[sp.Expr] = []
    for term in summands(problem.rhs, lambda e: e.has(AdjointResponse, Response)):
        if not term.has(AdjointResponse, Response):
            rest.append(term)
            continue
        operator, operand = _split(term, problem)
        inside[operator] = inside.get(operator, sp.S.Zero) + operand
    ordered = sorted(((k, v) for k, v in inside.items() if v != 0), key=lambda entry: entry[0].name)
    return tuple(_term(operator, operand, problem) for operator, operand in ordered), sp.Add(*rest)


def _split(term: sp.Expr, problem: Problem) -> tuple[LinearOperator, sp.Expr]:
    """The operator K and v of a term K^T v, numbers and parameters in v."""
    factors = sp.Mul.make_args(term)
    adjoints = [f for f in factors if isinstance(f, AdjointResponse)]
    others = sp.Mul(*(f for f in factors if not isinstance(f, AdjointResponse)))
    if len(adjoints) != 1 or others.has(AdjointResponse, Response):
        raise EquationError(
            f"In the term {term}, an operator stands outside of an adjoint, or adjoints are multiplied: "
            f"{_FORM}, and sums of such terms."
        )
    varying = {problem.unknown, *problem.fields, *problem.space}
    if others.has(*varying):
        raise EquationError(
            f"The term {term} multiplies K.adjoint(...) by {others}, which varies in space: then the "
            "operator is not symmetric. Only numbers and parameters can stand there."
        )
    return adjoints[0].operator, others * adjoints[0].operand


def _term(operator: LinearOperator, operand: sp.Expr, problem: Problem) -> Learned:
    """-K^T Phi(K u) from K^T v."""
    u, written = problem.unknown, f"{operator}.adjoint({operand})"
    q = sp.Symbol(f"{operator}_{u.func}", real=True)
    if operand.has(AdjointResponse):
        raise EquationError(f"The term {written} has an adjoint inside of an adjoint; {_FORM}.")
    for response in sorted(operand.atoms(Response), key=str):
        if response.operator != operator:
            raise EquationError(
                f"The term {written} applies another operator outside ({operator}) than inside "
                f"({response.operator}): then it is no diffusion; {_FORM}, with the same K."
            )
        if response.operand != u:
            raise EquationError(
                f"{response} in the term {written} applies {operator} to {response.operand}; it takes the "
                f"unknown alone: {operator}({u.func})."
            )
    flux = -operand.xreplace({operator(u): q})
    if flux.has(sp.Derivative) or flux.has(u, *problem.fields, *problem.space):
        raise EquationError(
            f"The flux {operand} in {operator}.adjoint contains other things than {operator}({u.func}): "
            f"only functions of {operator}({u.func}) and of parameters are supported there."
        )
    try:
        at_rest = sp.simplify(flux.subs(q, 0))
    except (ArithmeticError, ValueError):
        at_rest = sp.nan
    # A flux with the factor q vanishes all the same: a singular diffusivity times K(u).
    if at_rest != 0 and not all(has_factor(term, q) for term in sp.Add.make_args(flux)):
        raise EquationError(
            f"The flux {operand} does not vanish where {operator}({u.func}) does, as every diffusive flux "
            f"g * {operator}({u.func}) does."
        )
    return Learned(operator, q, flux, as_function_of_square(divide(flux, q), (q,)))
