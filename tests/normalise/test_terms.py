"""Every kind of term answers for itself what may depend on time, and is refused where it has no value."""

from __future__ import annotations

import pytest
import sympy as sp
from support import equation, lam, t, unknown, x

import pde2net as p2n
from pde2net import div, grad, hessian, laplacian, norm2, smooth, tensor
from pde2net.discretise.semidiscretise import semidiscretise
from pde2net.errors import EquationError
from pde2net.normalise.recognise import recognise
from pde2net.normalise.terms import Term

U = unknown(2)
K = p2n.LinearOperator("K", 2, 3)
F = sp.Function("f")(*U.args[:-1])

# One equation per kind of term and place of a coefficient c.
PLACES = {
    "FirstOrder, diffusivity": lambda c: div(grad(U) / (1 + c * norm2(grad(U)))),
    "FirstOrder, factor in the flux": lambda c: div(c * grad(U)),
    "FirstOrder, factor that varies": lambda c: div(F**2 * c * grad(U)),
    "FirstOrder, no radial flux": lambda c: sum(
        ((v + c * v**3).diff(a) for a in U.args[:-1] for v in [U.diff(a)]), sp.S.Zero
    ),
    "FirstOrder, in front": lambda c: c * div(grad(U) / (1 + norm2(grad(U)))),
    "SecondOrder, diffusivity": lambda c: -laplacian(laplacian(U) / (1 + c * laplacian(U) ** 2)),
    "SecondOrder, linear": lambda c: -c * laplacian(laplacian(U)),
    "Hessian": lambda c: -div(div(hessian(U) / (1 + c * norm2(hessian(U))))),
    "Tensor": lambda c: div(tensor(sp.Matrix([x, 1]), 1, c) * grad(U)),
    "Tensor, smoothed": lambda c: div(tensor(grad(smooth(U, 1)), 1 / (1 + c), 1) * grad(U)),
    "Learned, diffusivity": lambda c: -K.adjoint(K(U) / (1 + c * K(U) ** 2)),
    "Learned, linear": lambda c: -K.adjoint(c * K(U)),
    "reaction": lambda c: laplacian(U) - c * U,
    "reaction beside Learned": lambda c: -K.adjoint(K(U)) - c * U,
}


def kinds(kind: type = Term) -> set[type]:
    below = {k for sub in kind.__subclasses__() for k in kinds(sub)}
    return below | ({kind} if not getattr(kind, "__abstractmethods__", ()) else set())


def test_the_table_has_every_kind_of_term():
    named = {name.split(",")[0] for name in PLACES} - {"reaction", "reaction beside Learned"}
    assert {k.__name__ for k in kinds()} == named


@pytest.mark.parametrize("c", [1 / t, sp.log(t) ** 2, 1 / sp.sqrt(t)], ids=str)
@pytest.mark.parametrize("place", PLACES)
def test_coefficients_without_value_at_the_start_are_refused(place, c):
    problem = p2n.Problem(equation(PLACES[place](c), 2))
    with pytest.raises(EquationError, match=r"no value at t = 0|depends on t"):
        recognise(problem)


@pytest.mark.parametrize("place", PLACES)
def test_the_kind_of_the_table_is_the_one_that_is_recognised(place):
    found = {type(term).__name__ for term in recognise(p2n.Problem(equation(PLACES[place](lam), 2))).terms}
    assert place.split(",")[0] in found or place.startswith("reaction")


@pytest.mark.parametrize("place", PLACES)
def test_every_weight_of_a_term_has_a_name_an_operator_and_an_entry_in_each_part_of_the_flux(place):
    semi = semidiscretise(recognise(p2n.Problem(equation(PLACES[place](lam), 2))), p2n.Grid())
    for term, operators in zip(semi.form.terms, semi.operators, strict=True):
        assert len(term.labels(semi.form.space)) == len(operators) > 0
        assert all(len(part.responses) == len(operators) for part in term.parts)


@pytest.mark.parametrize("a,b", [(t, 1), (1, 1 + t), (1 / t, 1), (1, sp.log(t))], ids=str)
def test_weights_of_derivatives_are_constant_in_time(a, b):
    """D = a d_x + b d_xx, the gradient of |D u|^4 in one dimension."""
    v = unknown(1)
    energy = (a * v.diff(x) + b * v.diff(x, 2)) ** 4
    with pytest.raises(EquationError, match=r"no value at t = 0|depends on t"):
        recognise(p2n.Problem(p2n.gradient_flow(energy, v)))


@pytest.mark.parametrize("step,refused", [(sp.Rational(1, 7), False), (sp.Rational(1, 8), True)])
def test_learned_terms_have_values_at_the_times_of_steps(step, refused):
    problem = p2n.Problem(equation(-K.adjoint(K(U) / (1 - 4 * t)), 2))
    scheme = p2n.Explicit(step, 4)
    if refused:
        with pytest.raises(EquationError, match="no value at t = 1/4, where step or cycle 3"):
            p2n.verify(problem, scheme)
    else:
        assert p2n.verify(problem, scheme).claims["l2_stability"].status != p2n.Status.PROVED
