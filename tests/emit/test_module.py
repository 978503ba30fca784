"""The torch module computes what the NumPy interpreter does, and behaves as a module should."""

import ast
import functools
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
import torch
from support import AXES, attacks, certified, diffusion, equation, lam, network_of, uncertified, unknown, x, y

import pde2net as p2n
from pde2net import diffusivities, div, grad, laplacian, norm2
from pde2net.graph.interpret import Interpreter

BOUNDARIES = ["reflecting", "periodic", "dirichlet"]
SHAPES = {1: (11,), 2: (7, 9), 3: (5, 6, 7)}
u1, u2, u3 = unknown(1), unknown(2), unknown(3)
f2, c2 = sp.Function("f")(x, y), sp.Function("c")(x, y)
D = sp.Derivative
beta = sp.Symbol("beta", positive=True)


def slope2(dim):
    return norm2(grad(unknown(dim)))


def flow(g):
    """dim -> div(g(|grad u|^2) grad u)."""
    return lambda dim: div(g(slope2(dim)) * grad(unknown(dim)))


def fields_of(dim, *names):
    return [sp.Function(n)(*AXES[:dim]) for n in names]


def inpainting(dim):
    f, c = fields_of(dim, "f", "c")
    return c * (f - unknown(dim)) + (1 - c) * laplacian(unknown(dim))


def guided(dim):
    (f,) = fields_of(dim, "f")
    return div(grad(unknown(dim)) / (1 + norm2(grad(f)) / lam**2))


def fidelity(dim):
    (f,) = fields_of(dim, "f")
    return flow(lambda s: diffusivities.charbonnier(s, lam))(dim) + beta * (f - unknown(dim))


def you_kaveh(dim):
    v = laplacian(unknown(dim))
    return -laplacian(v / (1 + v**2 / lam**2))


EQUATIONS = {
    "heat": lambda d: laplacian(unknown(d)),
    "perona-malik": flow(lambda s: diffusivities.perona_malik(s, lam)),
    "charbonnier": flow(lambda s: diffusivities.charbonnier(s, lam)),
    "regularised tv": flow(lambda s: diffusivities.regularised_tv(s, lam)),
    "exponential": flow(lambda s: diffusivities.exponential(s, lam)),
    "weickert": flow(lambda s: diffusivities.weickert(s, lam, 2)),
    "biharmonic": lambda d: -laplacian(laplacian(unknown(d))),
    "you-kaveh": you_kaveh,
    "mixed orders": lambda d: laplacian(unknown(d)) / 3 - laplacian(laplacian(unknown(d))) / 7,
    "porous medium": lambda d: laplacian(unknown(d) ** 2),
    "of u and slope": lambda d: div(grad(unknown(d)) / (1 + unknown(d) ** 2) / (1 + slope2(d))),
    "of position": lambda d: div((1 + x**2) * grad(unknown(d))) + x * unknown(d),
    "known field": lambda d: div((1 + fields_of(d, "f")[0] ** 2) * grad(unknown(d))) + fields_of(d, "f")[0],
    "guided": guided,
    "reaction": lambda d: laplacian(unknown(d)) + beta * unknown(d) * (1 - unknown(d)),
    "fidelity": fidelity,
    "inpainting": inpainting,
    "piecewise": flow(lambda s: sp.Piecewise((1 - s, s < 1), (sp.Rational(1, 3), s < 2), (sp.exp(-s), True))),
    "min max": flow(lambda s: sp.Max(sp.Min(1, 1 / (s + lam)), sp.Rational(1, 5), s / 100)),
    "abs": lambda d: div(grad(unknown(d)) / (1 + sp.Abs(unknown(d)) + sp.sqrt(slope2(d)))),
    "tanh": flow(lambda s: 1 - sp.tanh(s) / 2),
    "powers": flow(lambda s: sp.pi / 9 * (1 + s) ** sp.Rational(-3, 4)),
    "functions of parameters": flow(lambda s: (sp.sin(lam) + sp.sqrt(lam) + sp.Min(lam, 2)) / (3 + s)),
    "axis by axis": lambda d: sum(
        D(D(unknown(d), a) / (1 + D(unknown(d), a) ** 2 * k), a) for k, a in enumerate(AXES[:d], 1)
    ),
    "erf": flow(lambda s: (1 + sp.erf(s)) / 2),
    "sign and atan": flow(lambda s: (3 + sp.sign(s - 1) + sp.atan(s)) / 8),
}
VALUES = {lam: 0.6, beta: 0.4}


def declared(name, dim, boundary="reflecting", **grid):
    rhs = EQUATIONS[name](dim)
    used = {s: v for s, v in VALUES.items() if rhs.has(s)}
    problem = p2n.Problem(equation(rhs, dim), boundary=boundary, parameters=used)
    spacing = dict(zip(AXES[:dim], (1, sp.Rational(3, 2), sp.Rational(4, 5)), strict=False))
    return problem, p2n.Grid(**({"spacing": spacing} | grid))


def inputs_of(network, shape, seed=0, batch=2):
    rng = np.random.default_rng(seed)
    names = [str(f.func) for f in network.semidiscrete.form.problem.fields]
    return rng.normal(size=(batch, 1, *shape)), {n: rng.uniform(0, 1, size=(batch, 1, *shape)) for n in names}


def tensors(fields):
    return {k: torch.from_numpy(v) for k, v in fields.items()}


def rows():
    """Every equation in every dimension; boundaries, gradients and orders in turn, so all pairs occur."""
    choices = [(b, g, o) for b in BOUNDARIES for g in ("forward", "central", "staggered") for o in (2, 4)]
    found = []
    for k, name in enumerate(EQUATIONS):
        for dim in (1, 2, 3):
            for j in range(2 if dim == 2 else 1):
                found.append((name, dim, *choices[(5 * k + 7 * dim + 4 * j + k // 18) % len(choices)]))
    found += [("perona-malik", 2, *c) for c in choices[::2]]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("name,dim,boundary,gradient,order", rows())
def test_module_equals_the_interpreter(name, dim, boundary, gradient, order):
    problem, grid = declared(name, dim, boundary, gradient=gradient, order=order)
    try:
        network = network_of(problem, sp.Rational(1, 40), 2, grid)
    except p2n.EquationError as error:
        assert gradient == "staggered" and "zero gradient" in str(error)
        return
    u0, fields = inputs_of(network, SHAPES[dim])
    out = network.module().double()(torch.from_numpy(u0), **tensors(fields)).detach().numpy()
    run = Interpreter(network.graph)
    for k in range(len(u0)):
        want = run(u0[k, 0], {n: v[k, 0] for n, v in fields.items()})
        assert np.isfinite(want).all()
        np.testing.assert_allclose(out[k, 0], want, rtol=0, atol=1e-12 * max(1, abs(want).max()))
    assert abs(out - u0).max() > 1e-4, "a network that does nothing would pass as well"


def test_hard_inputs_and_the_smallest_sizes():
    """Constants, spikes, checkerboards (where gradients vanish), and grids as small as the stencil."""
    for name in ("perona-malik", "weickert", "you-kaveh", "regularised tv"):
        for order in (2, 4):
            network = network_of(
                *[declared(name, 2, order=order)[0], 0.02, 2, declared(name, 2, order=order)[1]]
            )
            module, run = network.module().double(), Interpreter(network.graph)
            for shape in (network.semidiscrete.smallest, (6, 5)):
                for u0 in [np.zeros(shape), *attacks(shape)]:
                    out = module(torch.from_numpy(u0)[None, None]).detach().numpy()[0, 0]
                    np.testing.assert_allclose(out, run(u0), rtol=0, atol=1e-12)


def test_boundaries_per_axis_and_origin():
    problem = p2n.Problem(
        equation(div((1 + x**2) * grad(u2)) + sp.sin(y) * u2, 2),
        boundary={x: "dirichlet", y: "periodic"},
    )
    network = network_of(problem, 0.01, 3, p2n.Grid(spacing={x: 0.5, y: 0.25}, origin={x: -1, y: 3}))
    u0, _ = inputs_of(network, (6, 8))
    out = network.module().double()(torch.from_numpy(u0)).detach().numpy()
    np.testing.assert_allclose(out[0, 0], Interpreter(network.graph)(u0[0, 0]), rtol=0, atol=1e-12)


# -- a good module ------------------------------------------------------------------------------


def module_of(name="perona-malik", dim=2, steps=3, tau=0.02, make=network_of, **options):
    problem, grid = declared(name, dim)
    return make(problem, tau, steps, grid, **options)


@pytest.mark.parametrize("name", ["perona-malik", "fidelity", "inpainting"])
def test_batch_entries_do_not_mix(name):
    network = module_of(name)
    u0, fields = inputs_of(network, (6, 7), batch=5)
    module = network.module().double()
    together = module(torch.from_numpy(u0), **tensors(fields))
    for k in range(5):
        alone = module(
            torch.from_numpy(u0[k : k + 1]), **tensors({n: v[k : k + 1] for n, v in fields.items()})
        )
        torch.testing.assert_close(together[k : k + 1], alone, rtol=0, atol=0)
    if fields:
        one = {n: v[:1] for n, v in fields.items()}
        shared = module(torch.from_numpy(u0), **tensors(one))
        torch.testing.assert_close(shared[:1], together[:1], rtol=0, atol=0)


def test_the_input_is_left_alone_and_need_not_be_contiguous():
    module = module_of().module().double()
    u0 = torch.randn(7, 6, 1, 2, dtype=torch.float64).permute(3, 2, 1, 0)
    before = u0.clone()
    out = module(u0)
    assert torch.equal(u0, before)
    torch.testing.assert_close(out, module(u0.contiguous()), rtol=0, atol=0)


GRADIENTS = [
    "perona-malik",
    "weickert",
    "you-kaveh",
    "guided",
    "inpainting",
    "of u and slope",
    "known field",
]


@pytest.mark.parametrize("boundary,order", [("reflecting", 2), ("periodic", 4), ("dirichlet", 4)])
@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_right(name, boundary, order):
    """With respect to the input, every known field and every parameter, against finite differences."""
    problem, grid = declared(name, 1 if name != "guided" else 2, boundary, order=order)
    train = [s.name for s in problem.symbols] + ["tau"]
    network = network_of(problem, 0.02, 2, grid, trainable=train)
    u0, fields = inputs_of(network, (6,) if name != "guided" else (4, 5), batch=1)
    module = network.module().double()
    names = sorted(fields)
    values = [torch.from_numpy(v).requires_grad_() for v in (u0, *(fields[n] for n in names))]
    parameters = dict(module.named_parameters())
    assert len(parameters) == len(train)
    values += [p.detach().clone().requires_grad_() for p in parameters.values()]

    def function(*arguments):
        data = dict(zip(names, arguments[1:], strict=False))
        weights = dict(zip(parameters, arguments[1 + len(names) :], strict=True))
        return torch.func.functional_call(module, weights, (arguments[0],), data)

    assert torch.autograd.gradcheck(function, values, eps=1e-6, atol=1e-6, rtol=1e-4)


def test_second_derivatives_are_right():
    module = module_of("charbonnier", 1, 1).module().double()
    u0 = torch.randn(1, 1, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(module, (u0,))


@pytest.mark.parametrize("name", ["perona-malik", "weickert", "charbonnier", "you-kaveh", "exponential"])
def test_gradients_are_finite_where_the_image_is_flat(name):
    network = module_of(name, trainable=["lambda"])
    module = network.module().double()
    u0 = torch.zeros(1, 1, 6, 6, dtype=torch.float64)
    u0[..., 3:, :] = 1
    u0.requires_grad_()
    module(u0).square().sum().backward()
    assert u0.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in module.parameters())


@pytest.mark.parametrize("shared,count", [(True, 1), (False, 4)])
def test_trainable_parameters_are_shared_or_not(shared, count):
    network = module_of(steps=4, trainable=[lam, "tau"], shared=shared)
    module = network.module()
    assert len(list(module.parameters())) == 2 * count
    assert {n.split(".")[-1] for n, _ in module.named_parameters()} == {"lambda_", "tau"}
    module = module.double()
    u0, _ = inputs_of(network, (6, 5))
    fixed = module_of(steps=4).module().double()
    torch.testing.assert_close(module(torch.from_numpy(u0)), fixed(torch.from_numpy(u0)), rtol=0, atol=1e-14)
    module(torch.from_numpy(u0)).square().mean().backward()
    assert all(p.grad is not None and p.grad != 0 for p in module.parameters())
    with torch.no_grad():
        next(module.parameters()).mul_(0.5)
    assert not torch.allclose(module(torch.from_numpy(u0)), fixed(torch.from_numpy(u0)), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["fidelity", "known field", "inpainting"])
@pytest.mark.parametrize("shared", [True, False])
def test_trainable_parameters_with_known_fields(name, shared):
    network = module_of(name, trainable=["tau"], shared=shared)
    module = network.module().double()
    u0, fields = inputs_of(network, (5, 6))
    out = module(torch.from_numpy(u0), **tensors(fields)).detach().numpy()
    want = Interpreter(network.graph)(u0[1, 0], {n: v[1, 0] for n, v in fields.items()})
    np.testing.assert_allclose(out[1, 0], want, rtol=0, atol=1e-12)


def test_nothing_is_trainable_unless_asked_for():
    assert list(module_of("fidelity").module().parameters()) == []
    assert list(module_of("fidelity").module().buffers()) == []


def test_state_dict_round_trip():
    network = module_of(trainable=[lam], shared=False)
    module, clone = network.module(), network.module()
    with torch.no_grad():
        for k, p in enumerate(module.parameters()):
            p.copy_(0.3 + 0.1 * k)
    u0 = torch.rand(1, 1, 5, 5)
    assert not torch.equal(module(u0), clone(u0))
    clone.load_state_dict(module.state_dict())
    assert torch.equal(module(u0), clone(u0))
    assert sorted(module.state_dict()) == [f"blocks.{k}.lambda_" for k in range(3)]


def test_precision_follows_the_input():
    """float64 results do not pass through float32 constants, and float32 stays float32."""
    problem = p2n.Problem(equation(laplacian(u1) / 3, 1))
    network = network_of(
        problem, sp.Rational(1, 10), 1, p2n.Grid(spacing=sp.Rational(1, 3) * 2), trainable=["tau"]
    )
    u0 = np.random.default_rng(0).normal(size=9)
    want = Interpreter(network.graph)(u0)
    for module in (network.module(), network.module().double()):
        out = module(torch.from_numpy(u0)[None, None])
        assert out.dtype == torch.float64
        np.testing.assert_allclose(out.detach().numpy()[0, 0], want, rtol=0, atol=2e-16 * 8)
    half = network.module()(torch.from_numpy(u0).float()[None, None])
    assert half.dtype == torch.float32
    np.testing.assert_allclose(half.detach().numpy()[0, 0], want, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "name,boundary",
    [("perona-malik", "reflecting"), ("inpainting", "dirichlet"), ("you-kaveh", "periodic")],
)
def test_export(name, boundary):
    problem, grid = declared(name, 2, boundary)
    network = network_of(problem, 0.02, 2, grid, trainable=["tau"])
    module = network.module().double().eval()
    u0, fields = inputs_of(network, (6, 7))
    data = tensors(fields)
    exported = torch.export.export(module, (torch.from_numpy(u0),), data).module()
    torch.testing.assert_close(exported(torch.from_numpy(u0), **data), module(torch.from_numpy(u0), **data))


def test_compile_without_graph_breaks():
    module = module_of("perona-malik", 1, 2).module().double()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    u0 = torch.randn(2, 1, 8, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(compiled(u0), module(u0))
    (grad_,) = torch.autograd.grad(compiled(u0).square().sum(), u0)
    (want,) = torch.autograd.grad(module(u0).square().sum(), u0)
    torch.testing.assert_close(grad_, want)


@pytest.mark.parametrize("boundary,order", [("reflecting", 2), ("dirichlet", 4), ("periodic", 2)])
def test_vmap_over_a_stack_of_batches(boundary, order):
    problem, grid = declared("perona-malik", 2, boundary, order=order)
    module = network_of(problem, 0.02, 2, grid).module().double()
    u0 = torch.randn(3, 2, 1, 6, 5, dtype=torch.float64)
    torch.testing.assert_close(torch.func.vmap(module)(u0), torch.stack([module(v) for v in u0]))
    total = lambda v: module(v).square().sum()  # noqa: E731  a formula
    torch.testing.assert_close(
        torch.func.vmap(torch.func.grad(total))(u0),
        torch.stack([torch.func.grad(total)(v) for v in u0]),
    )


# -- the text -----------------------------------------------------------------------------------


# Sources quote the certificate of their network.
TEXTS = {
    "plain": lambda: module_of(make=certified),
    "trained": lambda: module_of(
        "fidelity", trainable=["lambda", "beta", "tau"], shared=False, make=certified
    ),
    "inpainting": lambda: module_of("inpainting", make=certified),
    "guided": lambda: module_of("guided", make=certified),
    "staggered": lambda: certified(
        declared("charbonnier", 2)[0], 0.02, 2, p2n.Grid(order=4, gradient="staggered")
    ),
    "wide": lambda: certified(
        declared("known field", 3, "dirichlet", order=4)[0], 0.02, 2, p2n.Grid(order=4)
    ),
    "fourth": lambda: module_of("you-kaveh", 3, make=certified),
    "piecewise": lambda: module_of("piecewise", make=certified),
    "min max": lambda: module_of("min max", make=certified),
    "weickert": lambda: module_of("weickert", make=certified),
    "mixed orders": lambda: module_of("mixed orders", make=certified),
    "periodic 4": lambda: certified(declared("heat", 1, "periodic")[0], 0.02, 1, p2n.Grid(order=4)),
    "long": lambda: certified(
        diffusion(
            lambda s: sum(
                k * s / (sp.Rational(k, 7) + s) ** 2 + sp.exp(-k * s) / (k + s) for k in range(1, 4)
            ),
            2,
        ),
        0.001,
    ),
    "dirichlet": lambda: certified(
        declared("perona-malik", 2, "dirichlet")[0], 0.02, 2, p2n.Grid(spacing=0.3)
    ),
    "refuted": lambda: certified(p2n.Problem(equation(laplacian(u2), 2)), 0.3),
}
each_text = pytest.mark.parametrize("name", TEXTS)


@functools.cache
def network_with_text(name):
    return TEXTS[name]()


@functools.cache
def text_of(name):
    return network_with_text(name).source()


@each_text
def test_source_imports_torch_and_math_only(name):
    tree = ast.parse(text_of(name))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.split(".")[0])
    assert imported <= {"torch", "math", "__future__"} and "torch" in imported
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    assert not used & {"eval", "exec", "open", "__import__", "compile"}


@each_text
def test_source_says_what_it_is(name):
    """The docstring has the equation, the scheme, shapes, the reference, and every claim by name."""
    network = network_with_text(name)
    doc = " ".join(ast.get_docstring(ast.parse(text_of(name))).split())
    for word in ("u_t", "explicit", "(batch, 1, ", "Alt, Schrader"):
        assert word in doc
    for claim in network.certificate.claims.values():
        if claim.status != "not applicable":
            assert claim.name.replace("_", " ") in doc
        if claim.status == "refuted":
            assert f"{claim.name.replace('_', ' ')} refuted" in doc


def ruff(name, path, command, *options):
    path.write_text(text_of(name))
    done = subprocess.run(
        [sys.executable, "-m", "ruff", command, "--isolated", *options, str(path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@each_text
def test_source_passes_the_linter(name, tmp_path):
    """`ruff check` with its default rules."""
    ruff(name, tmp_path / "net.py", "check", "--output-format=concise")


@each_text
def test_source_is_formatted(name, tmp_path):
    """`ruff format` at 100 columns changes nothing."""
    ruff(name, tmp_path / "net.py", "format", "--line-length", "100", "--diff")


R = sp.Rational
SCHEMES = [
    p2n.Explicit(R(1, 40), 2),
    p2n.DuFortFrankel(R(1, 40), alpha=9, steps=2),
    p2n.FSI(tau=R(1, 50), cycle_length=3, cycles=2),
    p2n.RKL(order=2, tau=R(1, 20), stages=3, steps=2),
    p2n.Implicit(2, 2, p2n.Kacanov(iterations=2)),
    p2n.Implicit(2, 2, p2n.Newton(iterations=2)),
    p2n.Theta(2, 2),
    p2n.AOS(2, 2),
    p2n.Multigrid(2, levels=2),
]
SCRIPT = """
import sys
sys.path[:0] = sys.argv[1:3]
import test_module as m
for name in sys.argv[3:]:
    sys.stdout.write(m.text_of(name))
for text in m.every_source():
    sys.stdout.write(text)
"""


def every_source():
    """Of each equation in three of the schemes; what is refused says why."""
    for (k, name), other in itertools.product(enumerate(EQUATIONS), (0, 2, 5)):
        scheme = SCHEMES[(k + other) % len(SCHEMES)]
        try:
            problem, grid = declared(name, 1)
            yield uncertified(problem, scheme, grid).source()
        except p2n.Pde2NetError as error:
            yield str(error)


def test_source_is_the_same_in_every_process():
    here = Path(__file__).parent
    names = ["trained", "guided", "mixed orders"]
    command = [sys.executable, "-c", SCRIPT, str(here), str(here.parent), *names]
    runs = [
        subprocess.run(
            command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )
        for seed in ("1", "31337")
    ]
    assert runs[0].stdout == runs[1].stdout and len(runs[0].stdout) > 100_000


def test_source_runs_without_the_compiler(tmp_path):
    """In a process where pde2net cannot be imported, the same numbers come out, without a warning."""
    names = ["plain", "weickert", "staggered", "piecewise"]
    for name in names:
        (tmp_path / f"net_{name}.py").write_text(text_of(name))
    u0 = torch.rand(1, 1, 8, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    torch.save(u0, tmp_path / "u0.pt")
    program = (
        "import sys, importlib, torch\n"
        "sys.modules['pde2net'] = None\n"
        "sys.path.insert(0, '.')\n"
        "u0 = torch.load('u0.pt')\n"
        "nets = [importlib.import_module('net_' + n) for n in sys.argv[1:]]\n"
        "torch.save([n.DiffusionNetwork()(u0) for n in nets], 'u1.pt')\n"
    )
    subprocess.run([sys.executable, "-c", program, *names], cwd=tmp_path, check=True)
    for name, out in zip(names, torch.load(tmp_path / "u1.pt"), strict=True):
        assert torch.equal(out, network_with_text(name).module()(u0))


def test_source_keeps_steps_and_parameters_as_arguments():
    scope = {"__name__": "net"}
    exec(module_of(steps=2).source(), scope)
    u0 = torch.rand(1, 1, 6, 6, dtype=torch.float64)
    four = scope["DiffusionNetwork"](steps=4)(u0)
    twice = scope["DiffusionNetwork"]()(scope["DiffusionNetwork"]()(u0))
    torch.testing.assert_close(four, twice, rtol=0, atol=0)


def test_save_writes_the_source(tmp_path):
    network = module_of()
    network.save(tmp_path / "net.py")
    assert (tmp_path / "net.py").read_text() == network.source()
    with pytest.raises(p2n.FileError, match=re.escape("missing")):
        network.save(tmp_path / "missing" / "net.py")
    assert [p.name for p in tmp_path.iterdir()] == ["net.py"]


@pytest.mark.parametrize(
    "problem,scheme,grid,missing",
    [
        (diffusion(lambda s: 1 / (1 + s / lam**2)), p2n.Explicit(0.1), p2n.Grid(), "lambda"),
        (
            diffusion(lambda s: 1 / (1 + s)),
            p2n.Explicit(sp.Symbol("tau", positive=True)),
            p2n.Grid(),
            "tau",
        ),
        (
            diffusion(lambda s: 1 / (1 + s)),
            p2n.Explicit(0.1),
            p2n.Grid(spacing=sp.Symbol("h", positive=True)),
            "h",
        ),
    ],
)
def test_a_symbol_without_a_value_is_refused_in_words(problem, scheme, grid, missing):
    with pytest.raises(p2n.EmissionError, match=rf"\b{missing}\b.*no value"):
        p2n.compile(problem, scheme, grid).source()


# -- names of the user's that Python or torch have first ----------------------------------------

NAMES = """
lambda forward train eval to half float super range isinstance tuple steps block blocks self u torch math F nn
Tensor beyond training parameters modules _modules __class__ s2_ K g p0 dim x{1} 2a print
""".split()  # noqa: SIM905  a list to read


@pytest.mark.parametrize("name", NAMES)
def test_a_parameter_may_have_any_name(name):
    k = sp.Symbol(name, positive=True)
    v = sp.Function("v")(x, unknown(1).args[-1])
    problem = p2n.Problem(
        sp.Eq(v.diff(v.args[-1]), k * laplacian(v) - k * v),
        parameters={k: 0.5},
    )
    for options in ({}, {"trainable": [k]}, {"trainable": [k], "shared": False}):
        network = network_of(problem, 0.05, 2, **options)
        module = network.module()
        module = module.double().train().eval().to("cpu")
        u0, _ = inputs_of(network, (6,))
        out = module(torch.from_numpy(u0)).detach().numpy()
        np.testing.assert_allclose(out[0, 0], Interpreter(network.graph)(u0[0, 0]), rtol=0, atol=1e-13)
        assert len(list(module.parameters())) == {0: 0, 1: 1, 2: 2}[len(options)]


@pytest.mark.parametrize(
    "name",
    [
        "lambda",
        "range",
        "isinstance",
        "tuple",
        "u",
        "torch",
        "F",
        "self",
        "K",
        "v_x",
        "tau",
        "image",
    ],
)
def test_a_known_field_may_have_any_name_or_is_refused(name):
    v = sp.Function("v")(*AXES[:2], unknown(1).args[-1])
    field = sp.Function(name)(x, y)
    try:
        problem = p2n.Problem(
            sp.Eq(v.diff(v.args[-1]), div(grad(v) / (1 + field**2 + norm2(grad(v)))) + field - v)
        )
        network = network_of(problem, 0.05, 2)
        source = network.source()
    except p2n.DeclarationError as error:
        assert name in str(error)
        return
    u0, fields = inputs_of(network, (5, 6))
    arguments = [n for n in (name, f"{name}_") if re.search(rf"\*, {n}: Tensor", source)]
    assert len(arguments) == 1, "the keyword is the name, or the name with an underscore"
    out = network.module().double()(torch.from_numpy(u0), **{arguments[0]: torch.from_numpy(fields[name])})
    want = Interpreter(network.graph)(u0[0, 0], {name: fields[name][0, 0]})
    np.testing.assert_allclose(out.detach().numpy()[0, 0], want, rtol=0, atol=1e-13)


def test_names_that_differ_in_marks_only_stay_apart():
    a, b = sp.Symbol("k.1", positive=True), sp.Symbol("k:1", positive=True)
    problem = p2n.Problem(
        equation(div(a * grad(u1) / (1 + norm2(grad(u1)) / b)), 1), parameters={a: 0.5, b: 3}
    )
    network = network_of(problem, 0.1, 2)
    u0, _ = inputs_of(network, (7,))
    out = network.module().double()(torch.from_numpy(u0)).detach().numpy()
    np.testing.assert_allclose(out[0, 0], Interpreter(network.graph)(u0[0, 0]), rtol=0, atol=1e-13)


# -- wrong inputs -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad,error,words",
    [
        (torch.rand(6, 6), ValueError, "shape"),
        (torch.rand(1, 6, 6), ValueError, "shape"),
        (torch.rand(1, 3, 6, 6), ValueError, "shape"),
        (torch.rand(1, 1, 6, 6, 6), ValueError, "shape"),
        (torch.rand(1, 1, 0, 6), ValueError, "no cells"),
        (torch.rand(1, 1, 6, 0), ValueError, "no cells"),
        (torch.ones(1, 1, 6, 6, dtype=torch.int64), TypeError, "floating"),
        (torch.ones(1, 1, 6, 6, dtype=torch.bool), TypeError, "floating"),
        (torch.ones(1, 1, 6, 6, dtype=torch.complex64), TypeError, "floating"),
        (np.zeros((1, 1, 6, 6)), TypeError, "tensor"),
        (None, TypeError, "tensor"),
        ([[1.0]], TypeError, "tensor"),
    ],
)
def test_wrong_inputs_are_refused_in_words(bad, error, words):
    with pytest.raises(error, match=words):
        module_of().module()(bad)


@pytest.mark.parametrize(
    "order,gradient,smallest", [(4, "forward", 2), (4, "central", 2), (4, "staggered", 2)]
)
def test_the_smallest_size_is_checked(order, gradient, smallest):
    problem, grid = declared("charbonnier", 2, order=order, gradient=gradient)
    module = network_of(problem, 0.02, 1, grid).module()
    module(torch.rand(1, 1, smallest, smallest))
    with pytest.raises(ValueError, match=f"{smallest} cells"):
        module(torch.rand(1, 1, smallest, smallest - 1))


def test_known_fields_are_checked():
    module = module_of("inpainting").module()
    u0 = torch.rand(2, 1, 5, 6)
    good = {"f": torch.rand(2, 1, 5, 6), "c": torch.rand(1, 1, 5, 6)}
    module(u0, **good)
    with pytest.raises(TypeError, match="'c'"):
        module(u0, f=good["f"])
    with pytest.raises(TypeError, match="mask"):
        module(u0, **good, mask=good["c"])
    with pytest.raises(TypeError):
        module(u0, good["f"], good["c"])
    for bad, error, word in [
        (torch.rand(2, 1, 5, 5), ValueError, "shape"),
        (torch.rand(3, 1, 5, 6), ValueError, "shape"),
        (torch.rand(5, 6), ValueError, "shape"),
        (torch.rand(2, 1, 5, 6).double(), TypeError, "dtype"),
        (0.5, TypeError, "tensor"),
    ]:
        with pytest.raises(error, match=word):
            module(u0, f=bad, c=good["c"])
