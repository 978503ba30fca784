"""What becomes of iterations that diverge or miss their tolerance, and of the other images of a batch."""

import itertools
import warnings

import numpy as np
import pytest
import sympy as sp
import torch
from emit.test_unet import charbonnier, heat
from support import equation, uncertified, unknown, x, y

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.errors import ConvergenceError
from pde2net.graph.interpret import Interpreter


def noise(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def diverging(kind, on_failure):
    """Picard beyond its contraction, and smoothing that amplifies: residuals grow with every iteration."""
    if kind == "Picard":
        return p2n.Implicit(2, solver=p2n.FixedPoint(tol=1e-9, max_iterations=5, on_failure=on_failure))
    return p2n.Multigrid(50, cycles=6, damping=1.9, tol=1e-9, on_failure=on_failure)


@pytest.mark.parametrize("kind", ["Picard", "cycles"])
def test_what_diverges_is_no_result(kind):
    u = noise(2, 1, 16, 16)
    for on_failure in ("warn", "error"):
        network = uncertified(heat(), diverging(kind, on_failure))
        with pytest.raises(RuntimeError, match=r"after [56] iterations") as raised:
            network.module().double()(u)
        assert type(raised.value).__name__ == "ConvergenceError"
        with pytest.raises(ConvergenceError):
            Interpreter(network.graph)(u[0, 0].numpy())
    network = uncertified(heat(), diverging(kind, "best"))
    module = network.module().double()
    with pytest.warns(UserWarning, match=r"after [56] iterations"):
        v = module(u)
    with pytest.warns(UserWarning, match=r"after [56] iterations"):
        want = Interpreter(network.graph)(u[0, 0].numpy())
    np.testing.assert_allclose(v[0, 0], want, rtol=0, atol=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        left = module.residuals(u)
    tau = 2 if kind == "Picard" else 50
    rate = uncertified(heat(), p2n.Explicit(1)).module().double()(u) - u
    start = (tau * rate).flatten(1).norm(dim=1) / u.flatten(1).norm(dim=1)
    assert left.shape == (1, 2) and (left[0] <= start * (1 + 1e-12)).all()


def test_fixed_counts_never_raise_and_tell_what_they_leave():
    u = noise(3, 1, 14)
    problem = charbonnier(1)
    step = uncertified(problem, p2n.Explicit(1)).module().double()
    for solver in (
        p2n.FixedPoint(iterations=30),
        p2n.Kacanov(iterations=2),
        p2n.Newton(iterations=2),
    ):
        for theta in (1, sp.Rational(1, 2)):
            module = uncertified(problem, p2n.Theta(2, 2, theta, solver)).module().double()
            found, w = module.residuals(u), u
            assert found.shape == (2, 3)
            single = uncertified(problem, p2n.Theta(2, 1, theta, solver)).module().double()
            for row in found:
                v, part = single(w), float(theta)
                rhs = w + 2 * (1 - part) * (step(w) - w)
                left = v - 2 * part * (step(v) - v) - rhs
                want = left.flatten(1).norm(dim=1) / rhs.flatten(1).norm(dim=1)
                torch.testing.assert_close(row, want, rtol=1e-7, atol=1e-12)
                w = v
    module = uncertified(heat(), p2n.Multigrid(20, 2, cycles=2)).module().double()
    found = module.residuals(noise(2, 1, 16, 16))
    assert found.shape == (2, 2) and (found < 0.05).all() and (found > 1e-6).all()


def test_newton_with_a_fixed_count_is_damped():
    """Charbonnier, lambda = 0.2, tau = 50, noise: full steps end at a residual of 40."""
    problem = charbonnier(1)
    problem = p2n.Problem(problem.equation, parameters=dict.fromkeys(problem.parameters, 0.2))
    u = noise(4, 1, 200)
    for count in (6, 12, 25):
        scheme = p2n.Implicit(50, 1, p2n.Newton(iterations=count))
        network = uncertified(problem, scheme)
        module = network.module().double()
        found = module.residuals(u)
        np.testing.assert_allclose(
            module(u)[0, 0].detach(), Interpreter(network.graph)(u[0, 0].numpy()), rtol=0, atol=1e-7
        )
    assert (found < 1e-6).all()


def test_rounding_is_no_divergence():
    """The second of two huge steps starts where the residual is rounding already."""
    u = noise(1, 1, 40, 33).float() + 5
    for scheme in (p2n.Implicit(100_000, 3), p2n.Multigrid(100_000, 3, tol=1e-6, cycles=8, post=2)):
        module = uncertified(heat(), scheme).module()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert (module(u) - u.mean()).abs().max() < 1e-2


def test_texts_have_the_option(tmp_path):
    text = (
        "unknown u(x, t)\nequation u_t = u_xx\n"
        "scheme implicit(tau = 2, solver = fixed_point(tol = 1e-6, on_failure = best))\n"
    )
    (tmp_path / "heat.pde").write_text(text)
    assert p2n.load(tmp_path / "heat.pde").scheme.solver.on_failure == "best"
    with pytest.raises(p2n.DeclarationError, match="on_failure"):
        p2n.Newton(on_failure="worst")


# -- images of a batch --------------------------------------------------------------------------

u2, f, c = unknown(2), sp.Function("f")(x, y), sp.Function("c")(x, y)
S2 = norm2(grad(u2))
PROBLEMS = {
    "Charbonnier": p2n.Problem(equation(div(grad(u2) / sp.sqrt(1 + 9 * S2)), 2)),
    "open": p2n.Problem(equation(laplacian(u2) - u2, 2), boundary="dirichlet"),
}
SOLVERS = {
    f"{kind.__name__} {how} {options}": kind(**how, **options)
    for (kind, options), how in itertools.product(
        [
            (p2n.Kacanov, {"preconditioner": "none"}),
            (p2n.Kacanov, {"preconditioner": "diagonal"}),
            (p2n.Kacanov, {}),
            (p2n.Newton, {}),
            (p2n.Newton, {"preconditioner": "none"}),
        ],
        [{"iterations": 2}, {"tol": 1e-5}],
    )
}
SCHEMES = {name: p2n.Implicit(7, 2, solver) for name, solver in SOLVERS.items()}
SCHEMES["Picard"] = p2n.Implicit(sp.Rational(1, 40), 2, p2n.FixedPoint(tol=1e-6))
SCHEMES["Anderson"] = p2n.Implicit(sp.Rational(1, 40), 2, p2n.FixedPoint(tol=1e-6, anderson=3))
SCHEMES["AOS"] = p2n.AOS(7, 2)
SCHEMES["cycles"] = p2n.Multigrid(7, 2, cycles=2)
SCHEMES["cycles to a tolerance"] = p2n.Multigrid(7, 2, tol=1e-6, cycles=20)
SCHEMES["full multigrid"] = p2n.Multigrid(7, 1, tol=1e-6, cycles=20, cycle="FMG", smoother="red-black")


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("name", SCHEMES)
def test_images_of_a_batch_do_not_know_of_each_other(name, problem):
    """Not a bit: beside images that converge at once, late, or never, in single precision as well."""
    module = uncertified(PROBLEMS[problem], SCHEMES[name]).module()
    own = noise(1, 1, 12, 11)
    others = [0 * own, 1000 * noise(1, 1, 12, 11, seed=1), own * torch.nan, own + 3, own * 1e30]
    for dtype in (torch.float64, torch.float32):
        module = module.to(dtype)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            alone = module(own.to(dtype))
            assert alone.isfinite().all()
            for other in others:
                both = module(torch.cat((other, own, other)).to(dtype))
                assert torch.equal(both[1:2], alone), float((both[1:2] - alone).abs().max())
                assert torch.equal(both[0].isfinite(), both[2].isfinite())
                if other.isnan().any():
                    assert both[0].isnan().all()
