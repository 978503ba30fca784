"""Whose own trained parameters are: certificate, docstring and parameters of the module say the same."""

from __future__ import annotations

import itertools
import re

import pytest
import sympy as sp
from support import equation, lam, unknown, x

import pde2net as p2n
from pde2net import div, grad, norm2
from pde2net.errors import DeclarationError
from pde2net.language.schemes import Scheme
from pde2net.scheme.registry import OWN, trainable_tables, update_of

STEP = sp.Rational(1, 50)
U = unknown(1)
K = p2n.LinearOperator("K", 2, 3)
PLAIN = p2n.Problem(equation(div(grad(U) / (1 + norm2(grad(U)) / lam**2)), 1), parameters={lam: 0.5})
LEARNED = p2n.Problem(equation(-K.adjoint(lam * K(U)), 1), parameters={lam: 0.5})

SCHEMES = [
    p2n.Explicit(STEP, steps=3),
    p2n.Explicit(STEP, steps=1),
    p2n.DuFortFrankel(STEP, steps=3, alpha=sp.Integer(9)),
    p2n.FSI(STEP, cycle_length=2, cycles=2),
    p2n.FED(STEP, cycle_length=2, cycles=2),
    p2n.FED(STEP, cycle_length=1, cycles=2),
    p2n.RKL(tau=STEP, order=1, stages=2, steps=2),
    p2n.RKL(tau=STEP, order=2, stages=3, steps=2),
    p2n.RKC(tau=STEP, order=1, stages=2, steps=2),
    p2n.RKC(tau=STEP, order=2, stages=3, steps=2),
    p2n.Implicit(STEP, steps=2, solver=p2n.FixedPoint(iterations=2)),
    p2n.Implicit(STEP, steps=2),
    p2n.Theta(STEP, steps=2),
    p2n.AOS(STEP, steps=2),
    p2n.Multigrid(STEP, steps=2, cycles=1, levels=2),
]


def tables_of(scheme: Scheme) -> set[str]:
    return trainable_tables(update_of(scheme, sp.S.One))


def cases():
    for scheme in SCHEMES:
        tables = sorted(tables_of(scheme))
        problem = PLAIN if isinstance(scheme, p2n.AOS | p2n.Multigrid) else LEARNED
        chosen = [[name] for name in tables] + ([tables] if len(tables) > 1 else [])
        others = [[lam], *([["tau"], [lam, *tables], [K, *tables]] if problem is LEARNED else [])]
        for trainable, shared in itertools.product([*chosen, *others], (True, False)):
            yield pytest.param(problem, scheme, trainable, shared, id=f"{scheme}-{trainable}-{shared}")


def test_every_scheme_has_a_case():
    assert {type(scheme) for scheme in SCHEMES} >= OWN


@pytest.mark.parametrize("problem,scheme,trainable,shared", list(cases()))
def test_the_certificate_says_whose_the_parameters_are(problem, scheme, trainable, shared):
    network = p2n.compile(
        problem, scheme, p2n.Grid(), trainable=trainable, shared=shared, on_unstable="ignore"
    )
    names, tables = {str(n) for n in trainable}, tables_of(scheme)
    parameters = dict(network.module().named_parameters())
    of_network = {n for n in parameters if "." not in n}
    own = {n for n in parameters if re.match(r"\w+\.\d+\.", n)}
    assert of_network == names & tables
    copies = len(own) // len(names - tables) if own else 1
    assert len(parameters) == len(names & tables) + copies * len(names - tables)
    assert bool(own) == (not shared and bool(names - tables))
    training = network.certificate.training
    assert (training is None and shared) or training.owner == ("block" if own else "network")
    assert training is None or training.trainable == tuple(sorted(names))
    (said,) = re.findall(r'class DiffusionNetwork\(nn.Module\):\n    """(.*)"""', network.source())
    assert not ("own" in said and not own) and not ("share" in said and own)
    if tables:
        p2n.recheck(network.certificate.to_json(), network.source())


@pytest.mark.parametrize("scheme", [s for s in SCHEMES if tables_of(s)], ids=str)
def test_weights_of_the_scheme_do_not_take_the_name_of_a_parameter(scheme):
    name = min(tables_of(scheme))
    mu = sp.Symbol(name, positive=True)
    problem = p2n.Problem(equation(mu * U.diff(x, 2), 1), parameters={mu: 0.5})
    assert p2n.compile(problem, scheme, trainable=["tau"]).module()
    with pytest.raises(DeclarationError, match="rename the parameter"):
        p2n.compile(problem, scheme, trainable=[name])
