"""Learned models: modules against the interpreter, borders, kept bounds, attacks on what is claimed."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from hypothesis import given
from hypothesis import strategies as st
from learned_models import MODELS, Model, R, norms, t, unknown, weights, wild, with_values
from support import uncertified

import pde2net as p2n
from pde2net.discretise.filters import shaped
from pde2net.graph.interpret import Interpreter

STEP = R(1, 50)
SCHEMES = {
    "explicit": p2n.Explicit(tau=STEP, steps=2),
    "Du Fort-Frankel": p2n.DuFortFrankel(tau=STEP, alpha=20, steps=2),
    "FSI": p2n.FSI(tau=STEP, cycle_length=2, cycles=2),
    "FED": p2n.FED(tau=STEP, cycle_length=2, cycles=1, freeze="step"),
    "RKL": p2n.RKL(order=2, tau=STEP, stages=3, steps=1),
    "RKC": p2n.RKC(order=2, tau=STEP, stages=3, steps=1),
    "implicit": p2n.Implicit(tau=STEP, steps=1, solver=p2n.FixedPoint(iterations=3)),
    "Kacanov": p2n.Implicit(tau=STEP, steps=1, solver=p2n.Kacanov(iterations=2)),
}


def agrees(model: Model, scheme: Any, shape: tuple[int, ...], seed: int = 0) -> None:
    network = uncertified(with_values(model, seed), scheme)
    v = np.random.default_rng(seed + 1).normal(size=shape)
    wanted = Interpreter(network.looped, filters=weights(model, seed))(v, model.given)
    found = network.module().double()(torch.tensor(v)[None, None], **model.given)[0, 0]
    np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=0, atol=1e-11)
    assert np.abs(wanted - v).max() > 1e-4


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", MODELS)
def test_modules_agree_with_the_interpreter(name: str, scheme: str) -> None:
    agrees(MODELS[name](), SCHEMES[scheme], (6, 7))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("boundary", "options"),
    [
        ("periodic", {}),
        ("dirichlet", {}),
        ("reflecting", {"border": "continued"}),
        ("reflecting", {"border": "continued", "zero_mean": True}),
        ("periodic", {"zero_mean": True}),
    ],
)
@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_borders_and_dimensions(name: str, boundary: str, options: dict[str, Any], dimension: int) -> None:
    shape = (7, 6, 5)[:dimension]
    agrees(MODELS[name](dimension, boundary, **options), SCHEMES["explicit"], shape)


# -- continued borders -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("dimension", [1, 2])
def test_continued_borders_commute_with_mirror_images(name: str, dimension: int) -> None:
    model = MODELS[name](dimension, border="continued")
    network = uncertified(model.problem, SCHEMES["explicit"])
    run = Interpreter(network.looped, filters=weights(model, 3))
    v = np.random.default_rng(4).normal(size=(5, 6)[:dimension])
    big = v
    for axis in range(dimension):
        big = np.concatenate([big, np.flip(big, axis)], axis)
    inside = run(big, model.given)[tuple(slice(n) for n in v.shape)]
    np.testing.assert_allclose(inside, run(v, model.given), rtol=0, atol=1e-12)


def test_given_filters_keep_their_larger_part() -> None:
    """An odd filter stays odd where the first cosine, say, is even."""
    u, K = unknown(1), p2n.LinearOperator("K", out_channels=2, kernel_size=3, border="continued")
    even, odd = [[0.5, 1.0, 0.5]], [[-1.0, 0.0, 1.0]]
    for filters in ([even, odd], [odd, even]):
        problem = p2n.Problem(sp.Eq(u.diff(t), -K.adjoint(K(u))), parameters={K: filters})
        module = uncertified(problem, SCHEMES["explicit"]).module()
        np.testing.assert_allclose(module.block.K.numpy(), filters, rtol=0, atol=1e-15)


def test_one_odd_filter_is_continued_oddly() -> None:
    u, A = unknown(1), p2n.LinearOperator("A", out_channels=1, kernel_size=3, border="continued")
    B = p2n.LinearOperator("B", out_channels=2, kernel_size=3, border="continued")
    values = {A: [[[-1.0, 0.0, 1.0]]]}
    problem = p2n.Problem(sp.Eq(u.diff(t), -A.adjoint(B.adjoint(B(A(u))))), parameters=values)
    model = Model(problem, {"A": (1, 1, 3), "B": (2, 1, 3)}, {})
    network = uncertified(problem, SCHEMES["explicit"])
    module, v = network.module().double(), np.random.default_rng(0).normal(size=6)
    filters = {name: getattr(module.block, name).numpy() for name in model.shapes}
    wanted = Interpreter(network.looped, filters=filters)(v)
    found = module(torch.tensor(v)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


def test_responses_are_adjoint_with_signs() -> None:
    """<K u, p> = <u, K^T p> for two operators, also where the border of one reaches across the image."""
    model = MODELS["chain"](2, border="continued")
    problem = p2n.Problem(model.problem.equation, dict(model.problem.boundary), {"mu": 1})
    network = uncertified(problem, SCHEMES["explicit"])
    space: dict[str, Any] = {}
    exec(network.source(), space)
    block = network.module().double().block
    B, sides = block.B, block.sides_B
    u, p = torch.randn(2, 2, 1, 4, dtype=torch.float64), torch.randn(2, 3, 1, 4, dtype=torch.float64)
    left = (space["respond_continued"](B, u, sides) * p).sum()
    right = (u * space["respond_continued_adjoint"](B, p, sides)).sum()
    torch.testing.assert_close(left, right, rtol=1e-12, atol=0)


def scales(dimension: int, boundary: str, **options: Any) -> Model:
    """Two operators, one of which sees averages over pairs of cells."""
    u = unknown(dimension)
    K = p2n.LinearOperator("K", out_channels=2, kernel_size=3, **options)
    L = p2n.LinearOperator("L", out_channels=3, kernel_size=3, scale=2, zero_mean=True, **options)
    rhs = -K.adjoint(K(u) / sp.sqrt(1 + K(u) ** 2)) - L.adjoint(L(u) / (1 + L(u) ** 2))
    shapes = {"K": (2, 1, *(3,) * dimension), "L": (3, 1, *(3,) * dimension)}
    return Model(p2n.Problem(sp.Eq(u.diff(t), rhs), boundary=boundary), shapes, {})


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize(
    ("boundary", "options"), [("reflecting", {"border": "continued"}), ("reflecting", {}), ("periodic", {})]
)
def test_several_scales(boundary: str, options: dict[str, Any], dimension: int) -> None:
    model = scales(dimension, boundary, **options)
    agrees(model, SCHEMES["explicit"], (8, 6, 6)[:dimension])
    network = p2n.compile(
        model.problem, p2n.Explicit(tau=None, steps=2), trainable=["K", "L"], shared=False, keep_stable=True
    )
    assert network.certificate.stable
    assert p2n.Certificate.from_json(network.certificate.to_json()).declaration.problem == model.problem
    module, v = network.module().double(), torch.randn(3, 1, *(8, 6, 6)[:dimension], dtype=torch.float64)
    for seed in range(3):
        out = wild(module, 3.0**seed, seed)(v)
        assert (norms(out) <= norms(v) * (1 + 1e-9)).all() and not torch.allclose(out, v, atol=1e-6)
    with pytest.raises(ValueError, match="multiple of 2"):
        module(torch.randn(1, 1, *(9, 9, 9)[:dimension], dtype=torch.float64))


def test_scales_belong_to_the_first_operator() -> None:
    u, A = unknown(1), p2n.LinearOperator("A", out_channels=2, kernel_size=3)
    B = p2n.LinearOperator("B", out_channels=2, kernel_size=3, scale=2)
    problem = p2n.Problem(sp.Eq(u.diff(t), -A.adjoint(B.adjoint(B(A(u))))))
    with pytest.raises(p2n.DeclarationError, match="the first one alone"):
        p2n.verify(problem, SCHEMES["explicit"], p2n.Grid())


# -- what is kept ----------------------------------------------------------------------------------

KEPT = [
    (name, options)
    for name, options in itertools.product(
        MODELS,
        ({}, {"border": "continued", "zero_mean": True}, {"boundary": "periodic"}, {"boundary": "dirichlet"}),
    )
]


@pytest.mark.parametrize(("name", "options"), KEPT)
def test_norms_do_not_grow_for_any_weights(name: str, options: dict[str, Any]) -> None:
    model = MODELS[name](2, **options)
    values = {n: a.tolist() for n, a in weights(model, 0).items() if n not in ("A", "B", "K", "phi")}
    problem = p2n.Problem(model.problem.equation, dict(model.problem.boundary), values)
    network = p2n.compile(
        problem, p2n.Explicit(tau=None, steps=2), trainable=list(model.shapes), shared=False, keep_stable=True
    )
    assert network.certificate.stable
    moved = False
    for seed, scale in enumerate((0.1, 1.0, 10.0)):
        module = wild(network.module().double(), scale, seed)
        v = torch.randn(4, 1, 7, 6, dtype=torch.float64)
        for _ in range(3):  # power iteration looks for the input that grows most
            out = module(v, **model.given)
            assert (norms(out) <= norms(v) * (1 + 1e-9)).all()
            moved |= not torch.allclose(out, v, atol=1e-6)
            v = out / norms(out).clamp(min=1e-9).view(-1, 1, 1, 1) * 10.0 ** (seed - 1)
    assert moved


@pytest.mark.parametrize("solver", [p2n.Kacanov(), p2n.Newton(), p2n.FixedPoint()], ids=str)
def test_solvers_take_splines_without_an_exception(solver: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Exceptions on the way to a claim are logged, and it becomes unknown; the words are those of splines."""
    caplog.set_level(0, "pde2net.verify")
    problem = MODELS["spline"](2).problem
    for scheme in (p2n.Implicit(tau=STEP, solver=solver), p2n.Explicit(tau=STEP)):
        claims = p2n.verify(problem, scheme, p2n.Grid()).claims
        assert not [r for r in caplog.records if r.exc_info]
        words = " ".join(h.how for c in claims.values() for h in c.hypotheses)
        assert "g is constant" not in words and "Phi is linear" not in words
    assert "Phi' of phi is kept in [-1/10, 1]" in words


def test_zero_mean_keeps_the_mean_for_all_weights() -> None:
    for options in ({"border": "continued"}, {}, {"boundary": "periodic"}):
        model = MODELS["mixture"](2, zero_mean=True, **options)
        values = {n: a.tolist() for n, a in weights(model, 0).items() if n != "K"}
        problem = p2n.Problem(model.problem.equation, dict(model.problem.boundary), values)
        network = p2n.compile(problem, p2n.Explicit(tau=None, steps=2), trainable=["K"], keep_stable=True)
        assert network.certificate.claims["mean_preservation"].status == "proved"
        module = wild(network.module().double(), 1.0, 0)
        v = torch.randn(2, 1, 7, 6, dtype=torch.float64)
        torch.testing.assert_close(module(v).mean((2, 3)), v.mean((2, 3)), rtol=0, atol=1e-12)
    model = MODELS["mixture"](2, boundary="dirichlet", zero_mean=True)
    found = p2n.verify(model.problem, p2n.Explicit(tau=STEP), p2n.Grid())
    assert found.claims["mean_preservation"].status == "unknown"


slopes = st.lists(st.floats(-3, 3), min_size=4, max_size=4)


@given(st.lists(slopes, min_size=2, max_size=2), st.floats(-2, 0), st.floats(0.1, 2))
def test_slopes_are_kept(raw: list[list[float]], lower: float, upper: float) -> None:
    space = _functions()
    found = space["signed_slopes"](torch.tensor(raw, dtype=torch.float64), lower, upper)
    assert (found >= lower - 1e-12).all() and (found <= upper + 1e-12).all()
    heights = found[:, :-1].cumsum(1)
    assert (heights >= -1e-12).all() and (found[:, -1] >= 0).all()
    again = space["signed_slopes"](found, lower, upper)
    torch.testing.assert_close(again, found, rtol=0, atol=1e-11)  # a projection


@given(slopes, st.floats(0.05, 1), st.lists(st.floats(-3, 3), min_size=1, max_size=5))
def test_splines_are_sums_of_ramps(raw: list[float], width: float, places: list[float]) -> None:
    space, row = _functions(), torch.tensor([raw], dtype=torch.float64)
    q = torch.tensor(places, dtype=torch.float64).view(1, 1, -1).requires_grad_()
    found = space["spline"](row, q, width)
    size = q.abs()
    wanted = sum(s * (size - j * width).clamp(0, width) for j, s in enumerate(raw[:-1]))
    wanted = q.sign() * (wanted + raw[-1] * (size - 3 * width).clamp(min=0))
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    quotient = space["spline_quotient"](row, q, width)
    torch.testing.assert_close(quotient * q, found, rtol=1e-9, atol=1e-12)


def test_splines_of_no_number_are_none() -> None:
    space = _functions()
    row = torch.tensor([[1.0, 0.5, 0.2, 0.1]], dtype=torch.float64)
    q = torch.tensor([[[torch.nan, torch.inf, -torch.inf, 0.0]]], dtype=torch.float64)
    assert space["spline"](row, q, 0.25).isnan().flatten().tolist() == [True, False, False, False]


@pytest.mark.parametrize("name", ["spline", "spline_quotient"])
@pytest.mark.parametrize("rows", [1, 3])
def test_derivatives_of_splines(name: str, rows: int) -> None:
    """In places and slopes, of first and second order; for batches of slopes by vmap as one by one."""
    f, width = _functions()[name], 0.25
    row = torch.rand(rows, 4, dtype=torch.float64, requires_grad=True)
    q = (torch.rand(2, 3, 5, dtype=torch.float64) - 0.5) * 3
    q = torch.where((q / width - (q / width).round()).abs() < 1e-3, 0.3, q).requires_grad_()  # not at knots
    assert torch.autograd.gradcheck(lambda s, v: f(s, v, width), (row, q))
    assert torch.autograd.gradgradcheck(lambda s, v: f(s, v, width), (row, q))
    slopes = torch.stack((row, 2 * row)).detach()
    found = torch.vmap(lambda s: f(s, q, width))(slopes)
    torch.testing.assert_close(found, torch.stack([f(s, q, width) for s in slopes]))
    found = torch.vmap(lambda v: f(row, v[None], width))(q)
    torch.testing.assert_close(found.squeeze(1), f(row, q, width))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_splines_in_lower_precision(dtype: torch.dtype) -> None:
    space, row = _functions(), torch.tensor([[1.0, 0.5, 0.2, 0.1]], dtype=dtype)
    q = torch.linspace(-1.5, 1.5, 101).to(dtype).view(1, 1, -1)
    found, wanted = (space["spline"](row.to(d), q.to(d), 0.25).double() for d in (dtype, torch.float64))
    assert found.isfinite().all()
    torch.testing.assert_close(found, wanted, rtol=0, atol=8 * torch.finfo(dtype).eps)


def _functions() -> dict[str, Any]:
    model = MODELS["spline"](1)
    problem = model.problem
    parts = []
    for scheme in (SCHEMES["explicit"], SCHEMES["FSI"]):
        parts.append(uncertified(problem, scheme, trainable=["phi"]).source())
    space: dict[str, Any] = {}
    for source in parts:
        exec(source, space)
    return space


def test_values_are_those_that_the_network_computes_with() -> None:
    model = MODELS["spline"](2, border="continued", zero_mean=True)
    network = p2n.compile(
        model.problem,
        p2n.Explicit(tau=None, steps=3),
        trainable=["K", "phi", "tau"],
        shared=False,
        keep_stable=True,
    )
    module = wild(network.module().double(), 1.0, 2)
    found = p2n.learn.values(module)
    assert {n: tuple(v.shape) for n, v in found.items()} == {
        "K": (3, 2, 1, 3, 3),
        "phi": (3, 2, 4),
        "tau": (3,),
    }
    filters = found["K"][0].numpy()
    parity = next(d["node"].parity for _, d in network.looped.nodes(data=True) if d["node"].role == "filter")
    np.testing.assert_allclose(shaped(filters, parity, ((1, 1),), True), filters, rtol=0, atol=1e-14)
    with pytest.raises(p2n.DeclarationError, match="no learned values"):
        p2n.learn.values(torch.nn.Linear(2, 2))


@pytest.mark.parametrize("name", ["mixture", "spline", "chain"])
def test_learned_networks_are_exported_for_all_sizes(name: str) -> None:
    """Bounds of norms, rows of filters as channels, pieces of splines; and all is traced by compilers."""
    model = MODELS[name](2, border="continued")
    scheme = p2n.Explicit(tau=None, steps=2)
    module = p2n.compile(
        with_values(model, 2), scheme, trainable=list(model.shapes), shared=False, keep_stable=True
    ).module()
    sizes = {"u": {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}}
    exported = torch.export.export(module, (torch.rand(2, 1, 12, 9),), dynamic_shapes=sizes).module()
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    for shape in ((12, 9), (31, 40), (7, 15)):
        v = torch.rand(2, 1, *shape)
        torch.testing.assert_close(exported(v), module(v), rtol=0, atol=1e-5)
        torch.testing.assert_close(compiled(v), module(v), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_gradients_reach_all_that_is_trained(name: str) -> None:
    model = MODELS[name](2, border="continued")
    network = uncertified(
        with_values(model, 1), SCHEMES["explicit"], trainable=list(model.shapes), shared=False
    )
    module = network.module().double()
    module(torch.randn(2, 1, 6, 6, dtype=torch.float64), **model.given).square().sum().backward()
    for key, parameter in module.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, key


# -- text, JSON, certificates ----------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_declarations_are_text_and_data(name: str, tmp_path: Any) -> None:
    problem = with_values(MODELS[name](2, border="continued", zero_mean=True), 2)
    text = problem.to_text()
    path = tmp_path / "model.pde"
    path.write_text(text + "scheme explicit(tau = 1/50, steps = 2)\n")
    again = p2n.load(path)
    assert again.problem == problem and again.problem.to_text() == text
    certificate = p2n.verify(problem, again.scheme, again.grid)
    back = p2n.Certificate.from_json(certificate.to_json())
    assert back.declaration.problem == problem and back.to_json() == certificate.to_json()
    p2n.recheck(certificate.to_json())


def test_a_made_up_norm_is_no_limit() -> None:
    """A certificate whose limit has another scale for its filters is not accepted."""
    model = MODELS["mixture"](2)
    text = p2n.verify(model.problem, p2n.Explicit(tau=STEP), p2n.Grid()).to_json()
    assert "norm[K; w0 + w1]" in text
    for forged in (
        text.replace("norm[K; w0 + w1]", "normK"),
        text.replace("norm[K; w0 + w1]", "norm[K; w0]"),
    ):
        with pytest.raises(p2n.RecheckError):
            p2n.recheck(forged)


K3 = p2n.LinearOperator("K", out_channels=3, kernel_size=3)
u2 = unknown(2)
f2 = sp.Function("f")(*u2.args[:2])
LAM = K3.parameter("lambda", positive=True)
PHI = p2n.Spline("phi", knots=5, reach=1, slopes=(-R(1, 2), 1), filters=K3)
L3 = p2n.LinearOperator("L", out_channels=2, kernel_size=3)
PM = -K3.adjoint(K3(u2) / (1 + K3(u2) ** 2 / LAM**2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: problem_of(PM, {LAM: [0.1, 0.2]}), "needs 3 values"),
        (lambda: problem_of(PM, {LAM: [0.1, -0.2, 1]}), "declared positive"),
        (lambda: problem_of(PM, {K3: [[[[1, 2], [3, 4]]]]}), r"shape \(3, 1, 3, 3\)"),
        (lambda: problem_of(PM, {"lambda": [[0.1], [0.2, 0.3]]}), "different lengths"),
        (lambda: p2n.diffusivities.mixture(sp.Symbol("s"), weights=1, scales=1), "are lists, not 1 and 1"),
        (lambda: problem_of(PM + LAM * u2), "outside of the flux"),
        (lambda: problem_of(PM + PHI(u2)), "outside of the flux"),
        (lambda: problem_of(-L3.adjoint(L3(u2) / LAM)), "not contain|per filter"),
        (lambda: problem_of(-L3.adjoint(L3(u2) / LAM) + PM), "filters are others"),
        (lambda: problem_of(-K3.adjoint(PHI(K3(u2))), {PHI: [1, 1]}), r"shape \(3, 3\)"),
        (lambda: problem_of(-K3.adjoint(PHI(K3(u2))), {PHI: [2, 0, 0]}), "lie in"),
        (lambda: problem_of(-K3.adjoint(PHI(K3(u2))), {PHI: [R(1, 10), -R(2, 5), 0]}), "sign of s"),
        (lambda: p2n.Spline("phi", knots=4), "odd number"),
        (lambda: p2n.Spline("phi", knots=[0, 1, 2]), "number of equidistant knots"),
        (lambda: p2n.Spline("phi", slopes=(1, 0)), "lower <= upper"),
        (lambda: p2n.Spline("phi", reach=-1), "positive"),
        (lambda: p2n.LinearOperator("K", 3, 4, border="continued"), "odd kernel_size"),
        (lambda: p2n.LinearOperator("K", 3, 3, border="mirror"), "no border"),
        (lambda: p2n.LinearOperator("K", 3, 1, zero_mean=True), "larger kernel_size"),
        (lambda: p2n.diffusivities.mixture(K3(u2) ** 2, weights=[LAM], scales=[1, 2]), "a scale for each"),
        (lambda: p2n.diffusivities.mixture(K3(u2) ** 2, weights=[-1], scales=[1]), "nonnegative"),
        (lambda: p2n.diffusivities.mixture(K3(u2) ** 2, weights=[1], scales=[1], kernel="box"), "no kernel"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(make: Any, message: str) -> None:
    with pytest.raises(p2n.Pde2NetError, match=message):
        made = make()
        p2n.verify(made, p2n.Explicit(tau=STEP), p2n.Grid())


def problem_of(rhs: Any, parameters: Any = None) -> p2n.Problem:
    return p2n.Problem(sp.Eq(u2.diff(t), rhs), parameters=parameters)


def test_continued_borders_take_reflecting_axes() -> None:
    for boundary in ("periodic", "dirichlet"):
        with pytest.raises(p2n.DeclarationError, match="reflecting"):
            p2n.verify(
                MODELS["per filter"](2, boundary, border="continued").problem,
                p2n.Explicit(tau=STEP),
                p2n.Grid(),
            )


def test_numbers_given_at_the_call() -> None:
    model = MODELS["noise"](2)
    module = uncertified(with_values(model, 0), SCHEMES["explicit"]).module().double()
    v = torch.randn(3, 1, 6, 6, dtype=torch.float64)
    each = torch.tensor([0.1, 1.0, 3.0])
    torch.testing.assert_close(module(v, sigma=each)[1], module(v[1:2], sigma=1.0)[0], rtol=0, atol=1e-14)
    for wrong in (0.0, -1.0, float("nan"), torch.tensor([1.0, 2.0]), torch.ones(3, 1)):
        with pytest.raises(ValueError, match="sigma"):
            module(v, sigma=wrong)
    for wrong in ("a", None, True):
        with pytest.raises(TypeError, match="sigma is a number"):
            module(v, sigma=wrong)
    with pytest.raises(TypeError, match="sigma"):
        module(v)
    sigma = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    module(v, sigma=sigma).square().sum().backward()
    assert sigma.grad is not None and sigma.grad != 0


def test_figures_show_the_fluxes_of_filters() -> None:
    """A curve for each filter, with the bounds that are kept."""
    problem = problem_of(
        -K3.adjoint(PHI(K3(u2))), {PHI: [[1, 0, 0], [R(1, 2), -R(1, 2), 0], [0, 1, R(1, 4)]]}
    )
    figure = p2n.verify(problem, p2n.Explicit(tau=STEP), p2n.Grid()).plot()
    _, left, right = figure.axes
    curves = [line for line in right.get_lines() if len(line.get_xdata()) > 2]
    assert len(curves) == 3
    s = curves[1].get_xdata()
    wanted = np.where(s < 0.5, s / 2, np.clip(0.5 - s / 2, 0, None))
    np.testing.assert_allclose(curves[1].get_ydata(), wanted, atol=1e-12)
    shown = " ".join(text.get_text() for text in left.texts)
    assert "sup" in shown and "- 1 / 2" in shown


@pytest.mark.parametrize(("scheme", "cycles"), [("explicit", False), ("FSI", True)])
def test_drawings_say_whose_the_weights_are(scheme: str, cycles: bool) -> None:
    problem = with_values(MODELS["mixture"](2), 0)
    for shared in (True, False):
        network = uncertified(problem, SCHEMES[scheme], trainable=["K"], shared=shared)
        for drawn in (str(network), network._repr_svg_()):
            assert ("weights of their own" in drawn) is not shared
            assert ("shared weights" in drawn) is (shared or cycles)


def test_states_carry_the_parities_of_filters() -> None:
    """A network that starts from other filters is, with the state of the first, the first."""
    model = MODELS["mixture"](2, border="continued", zero_mean=True)
    v = torch.randn(2, 1, 7, 6, dtype=torch.float64)
    networks = [
        uncertified(with_values(model, seed), SCHEMES["explicit"], trainable=["K"]).module().double()
        for seed in (0, 5)
    ]
    first, other = networks
    assert not torch.allclose(first(v), other(v))
    other.load_state_dict(first.state_dict())
    torch.testing.assert_close(other(v), first(v), rtol=0, atol=1e-14)
