"""What the tests of recurrent cells share: declarations, networks with and without a certificate, inputs."""

import itertools

import numpy as np
import sympy as sp
from support import attacks, diffusion, equation, lam, unknown

import pde2net as p2n
from pde2net import laplacian
from pde2net.discretise.semidiscretise import semidiscretise
from pde2net.graph.build import build
from pde2net.graph.interpret import Interpreter
from pde2net.normalise.recognise import recognise
from pde2net.scheme.registry import update_of
from pde2net.verify.case import Case
from pde2net.verify.claims import table
from pde2net.verify.elasticity import with_elasticities
from pde2net.verify.facts import gather
from pde2net.verify.refute.candidates import amplitudes
from pde2net.verify.refute.search import Search

u1, u2 = unknown(1), unknown(2)
f = sp.Function("f")
beta, kappa = sp.symbols("beta kappa", positive=True)
UNIT = p2n.Grid()
QUARTER, HALF = sp.Rational(1, 4), sp.Rational(1, 2)


def problem(rhs, dim=1, **options):
    return p2n.Problem(equation(rhs, dim), **options)


HEAT, HEAT2 = problem(laplacian(u1)), problem(laplacian(u2), 2)


def charbonnier(dim=1, boundary="reflecting"):
    return diffusion(lambda s: 1 / sp.sqrt(1 + s / lam**2), dim, parameters={lam: 0.4}, boundary=boundary)


def rational(dim=1, **options):
    return diffusion(lambda s: 1 / (1 + s / lam**2), dim, parameters={lam: 0.4}, **options)


def claims(declared, scheme, grid=UNIT):
    return p2n.verify(declared, scheme, grid).claims


def status(declared, scheme, name, grid=UNIT):
    return str(claims(declared, scheme, grid)[name].status)


def module(declared, scheme, grid=UNIT):
    """The emitted network as a function of one NumPy image."""
    import torch

    net = p2n.compile(declared, scheme, grid, on_unstable="ignore").module().double()

    def run(u):
        with torch.no_grad():
            return net(torch.from_numpy(np.asarray(u, dtype=float))[None, None]).numpy()[0, 0]

    return run


def interpreted(declared, scheme, grid=UNIT):
    """The network without a certificate, in NumPy."""
    semi = semidiscretise(recognise(declared), grid)
    return Interpreter(build(semi, scheme.tau, update_of(scheme)))


def one_claim(declared, scheme, name, grid=UNIT):
    """A single claim, with the whole time for its search."""
    semi = semidiscretise(recognise(declared), grid)
    update = update_of(scheme)
    facts = with_elasticities(semi.form, update, gather(semi))
    network = build(semi, scheme.tau, update)
    search = None
    if not scheme.tau.free_symbols:
        search = Search(semi, network, network, scheme.tau, amplitudes(semi, ()))
    case = Case(semi, facts, scheme, update, scheme.tau, search)
    return table(case)[name](case)


def inputs(dim=1, sizes=((9,), (16,)), seed=0):
    shapes = sizes if dim == 1 else [(5, 7), (8, 8)]
    for shape, amplitude in itertools.product(shapes, (1e-3, 0.3, 30.0)):
        for u in attacks(shape, seed):
            yield amplitude * u
