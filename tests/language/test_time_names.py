"""Names that the compiler uses for times: a parameter of such a name was once taken for the time itself."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
import torch
from support import equation, t, uncertified, unknown, x

import pde2net as p2n
from pde2net.errors import DeclarationError
from pde2net.graph.interpret import Interpreter
from pde2net.verify.certificate import Status


@pytest.mark.parametrize("name", ["_s", "_c1_", "|t|"])
def test_reserved_names_are_refused(name):
    """(1 + t)/(1 + _s) at _s = 0 was bounded by 1 for t = T s/(1 + s)."""
    p = sp.Symbol(name, nonnegative=True)
    with pytest.raises(DeclarationError, match="rename"):
        p2n.Problem(equation((1 + t) / (1 + p) * unknown(1).diff(x, 2), 1), parameters={p: 0})


@pytest.mark.parametrize("options", [{}, {"trainable": ["tau"]}])
def test_a_field_may_be_called_like_the_index_of_the_loop(options):
    u, k = unknown(1), sp.Function("k")(x)
    problem = p2n.Problem(equation(u.diff(x, 2) + sp.exp(-t) * (k - u), 1))
    network = uncertified(problem, p2n.Explicit(sp.Rational(1, 5), 4), **options)
    v, f = np.random.default_rng(0).random((2, 7))
    found = network.module()(torch.tensor(v)[None, None], k=torch.tensor(f)[None, None])
    expected = Interpreter(network.graph)(v, {"k": f})
    assert np.allclose(found.detach().numpy()[0, 0], expected, rtol=0, atol=1e-13)


def test_a_condition_is_kept():
    """exp(-q t) grows for q < 0: what is proved is proved under a condition on q."""
    q = sp.Symbol("q", real=True)
    problem = p2n.Problem(equation(sp.exp(-q * t) * unknown(1).diff(x, 2), 1))
    claim = p2n.verify(problem, p2n.Explicit(sp.Rational(1, 5), 6)).claims["l2_stability"]
    assert claim.status == Status.PROVED_IF
    assert claim.condition.subs(q, 1) == sp.true
    assert claim.condition.subs(q, -5) == sp.false
