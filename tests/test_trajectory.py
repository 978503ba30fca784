"""The states on the way: those of the scheme, for every kind of network, and what is measured of them."""

from __future__ import annotations

import functools
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from PIL import Image

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.trajectory import course, storage

x, y, t = sp.symbols("x y t", real=True)
u = sp.Function("u")(x, y, t)
v = sp.Function("v")(x, y, t)
f, c, m = (sp.Function(n)(x, y) for n in "fcm")
lam = sp.Symbol("lambda", positive=True)
FIFTH = sp.Rational(1, 5)
NINE = p2n.FixedPoint(iterations=9)
HEAT = p2n.Problem(sp.Eq(u.diff(t), laplacian(u)))
EDGES = p2n.Problem(
    sp.Eq(u.diff(t), div(grad(u) / sp.sqrt(1 + norm2(grad(u)) / lam**2))), parameters={lam: 0.1}
)
COOLING = p2n.Problem(sp.Eq(u.diff(t), laplacian(u) / (1 + t)))
SCHEMES: dict[str, tuple[Any, Any]] = {
    "explicit": (EDGES, lambda n: p2n.Explicit(tau=FIFTH, steps=n)),
    "Du Fort-Frankel": (HEAT, lambda n: p2n.DuFortFrankel(tau=FIFTH, steps=n)),
    "FED": (EDGES, lambda n: p2n.FED(tau=FIFTH, cycle_length=3, cycles=n)),
    "FSI": (EDGES, lambda n: p2n.FSI(tau=FIFTH, cycle_length=3, cycles=n)),
    "RKL": (HEAT, lambda n: p2n.RKL(order=2, tau=1, stages=4, steps=n)),
    "RKC": (HEAT, lambda n: p2n.RKC(order=2, tau=1, stages=4, steps=n)),
    "AOS": (EDGES, lambda n: p2n.AOS(tau=2, steps=n)),
    "implicit": (EDGES, lambda n: p2n.Implicit(tau=2, steps=n, solver=p2n.Kacanov(tol=1e-9))),
    "Newton": (EDGES, lambda n: p2n.Implicit(tau=2, steps=n, solver=p2n.Newton(tol=1e-9))),
    "fixed point": (
        HEAT,
        lambda n: p2n.Implicit(tau=FIFTH / 2, steps=n, solver=NINE),
    ),
    "theta": (HEAT, lambda n: p2n.Theta(tau=1, steps=n, solver=p2n.Kacanov(tol=1e-9))),
    "multigrid": (HEAT, lambda n: p2n.Multigrid(tau=2, steps=n, tol=1e-9, cycles=30)),
    "explicit, c(t)": (COOLING, lambda n: p2n.Explicit(tau=FIFTH, steps=n)),
    "implicit, c(t)": (COOLING, lambda n: p2n.Implicit(tau=1, steps=n, solver=p2n.Kacanov(tol=1e-9))),
}
STEADY = {
    "Kacanov": p2n.Implicit(tau=sp.oo, solver=p2n.Kacanov(tol=1e-8)),
    "Newton": p2n.Implicit(tau=sp.oo, solver=p2n.Newton(tol=1e-8)),
    "multigrid": p2n.Multigrid(tau=sp.oo, tol=1e-8, cycles=30),
}


def image(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@functools.cache
def compiled(name: str, repeats: int) -> p2n.Network:
    problem, scheme = SCHEMES[name]
    return p2n.compile(problem, scheme(repeats))


@pytest.mark.parametrize(
    ("name", "backend"),
    [*((name, "torch") for name in SCHEMES), ("explicit", "auto"), ("Du Fort-Frankel", "auto")],
)
def test_states_are_those_of_shorter_networks(name: str, backend: str) -> None:
    """After k repeats the state is the result of the network with k repeats."""
    u0 = image(2, 1, 16, 12)
    way = compiled(name, 3).run(u0, every=2, backend=backend)
    assert way.repeats.tolist() == [0, 2, 3]
    unit = float(SCHEMES[name][1](1).duration(compiled(name, 3).certificate.tau))
    np.testing.assert_allclose(way.times, unit * way.repeats, rtol=1e-12)
    assert way.states.shape == (3, *u0.shape) and way.kept and not way.stopped
    np.testing.assert_array_equal(way.states[0], u0)
    for k, state in zip(way.repeats[1:], way.states[1:], strict=True):
        with torch.no_grad():
            shorter = compiled(name, int(k)).module()(u0)
        np.testing.assert_allclose(state, shorter, atol=1e-11)


@pytest.mark.parametrize("name", STEADY)
def test_of_a_steady_state_iterates_are_seen(name: str) -> None:
    problem = p2n.Problem(sp.Eq(u.diff(t), laplacian(u) + (f - u) / 5))
    network, data = p2n.compile(problem, STEADY[name]), image(1, 1, 16, 16)
    way = network.run(data, f=data, track=["residual", "energy"])
    assert way.unit == "iterations" and way.repeats[0] == 0 and (np.diff(way.repeats) == 1).all()
    with torch.no_grad():
        np.testing.assert_allclose(way.final, network.module()(data, f=data), atol=1e-12)
    (solve,) = way.solver
    assert solve.iterations == way.repeats[-1] and solve.residual[0] <= 1e-8
    assert way["residual"][-1, 0] <= 2e-8 * way["residual"][0, 0]
    assert way["energy"][-1, 0] < 0


@pytest.mark.parametrize("name", ["implicit", "Newton", "theta", "multigrid", "implicit, c(t)"])
def test_statistics_of_solvers_are_those_of_the_network(name: str) -> None:
    network, u0 = compiled(name, 3), image(2, 1, 16, 12)
    found = network.run(u0, every=3, backend="torch").solver
    assert len(found) == 3 and all(s.iterations >= 1 for s in found)
    np.testing.assert_allclose(
        [s.residual for s in found], network.module().residuals(u0), rtol=1e-6, atol=1e-14
    )


def test_a_fixed_number_of_iterations_is_counted() -> None:
    assert [s.iterations for s in compiled("fixed point", 2).run(image(1, 1, 9, 9)).solver] == [9, 9]


def test_what_is_measured() -> None:
    u0, clean = image(2, 1, 20, 20), image(1, 1, 20, 20, seed=1)
    own = {"spread": lambda moment: moment.state.std(dim=(1, 2, 3)), "time": lambda moment: moment.time}
    network = p2n.compile(HEAT, p2n.Explicit(tau=FIFTH, steps=4))
    way = network.run(u0, every=1, track=["min", "max", "mean", "removed", "psnr"], reference=clean)
    states = way.states
    np.testing.assert_allclose(way["min"], states.min((2, 3, 4)))
    np.testing.assert_allclose(way["max"], states.max((2, 3, 4)))
    np.testing.assert_allclose(way["mean"], states.mean((2, 3, 4)))
    np.testing.assert_allclose(way["removed"], np.sqrt(((states - states[0]) ** 2).mean((2, 3, 4))))
    error = ((states - clean.numpy()) ** 2).mean((2, 3, 4))
    np.testing.assert_allclose(way["psnr"], -10 * np.log10(error))
    measured = network.run(u0, every=2, track=own)
    np.testing.assert_allclose(measured["spread"], states[::2].std((2, 3, 4), ddof=1))
    np.testing.assert_allclose(measured["time"], np.repeat([[0], [0.4], [0.8]], 2, axis=1))


def test_a_peak_is_that_of_the_reference() -> None:
    u0 = 255 * image(1, 1, 8, 8)
    way = p2n.compile(HEAT, p2n.Explicit(tau=FIFTH, steps=1)).run(u0, track="psnr", reference=u0 + 1)
    expected = 20 * math.log10(float(u0.max() - u0.min()))
    np.testing.assert_allclose(way["psnr"][0], [expected])


@pytest.mark.parametrize("h", [1, sp.Rational(1, 2)])
def test_energy_and_residual_are_those_of_formulas(h: Any) -> None:
    """E(u) = h^2 sum Psi(|K u|^2)/2 with Charbonnier's Psi, by forward differences, and u_t = -A(u) u."""
    u0 = image(1, 1, 14, 10)
    network = p2n.compile(EDGES, p2n.Explicit(tau=FIFTH * h**2, steps=6), p2n.Grid(spacing=h))
    way = network.run(u0, every=1, track=["energy", "residual"])
    size = float(h)

    def slopes(w: Any) -> tuple[Any, Any]:
        return np.diff(w, axis=0, append=w[-1:]) / size, np.diff(w, axis=1, append=w[:, -1:]) / size

    def energy(w: Any) -> float:
        p, q = slopes(w)
        return float(size**2 * (0.01 * np.sqrt(1 + (p**2 + q**2) / 0.01)).sum())

    def speed(w: Any) -> float:
        p, q = slopes(w)
        g = 1 / np.sqrt(1 + (p**2 + q**2) / 0.01)
        flow = np.diff(g * p, axis=0, prepend=0) + np.diff(g * q, axis=1, prepend=0)
        return float(np.sqrt(((flow / size) ** 2).mean()))

    images = way.states[:, 0, 0]
    np.testing.assert_allclose(
        way["energy"][:, 0], [energy(w) - energy(images[0]) for w in images], rtol=1e-6
    )
    np.testing.assert_allclose(way["residual"][:, 0], [speed(w) for w in images], rtol=1e-12)
    assert (np.diff(way["energy"][:, 0]) < 0).all()


def test_shapes_without_a_batch_and_arrays_of_numpy() -> None:
    problem = p2n.Problem(sp.Eq(u.diff(t), (1 - c) * laplacian(u) + c * (f - u)), bounds={c: (0, 1)})
    network = p2n.compile(problem, p2n.Explicit(tau=FIFTH, steps=3))
    u0, data, mask = (image(8, 9, seed=k).numpy() for k in range(3))
    mask = mask > 0.5
    whole = network.run(u0[None, None], f=data[None, None], c=mask[None, None].astype(float))
    assert whole.final.shape == (1, 1, 8, 9)
    for given in (u0, u0[None], torch.from_numpy(u0)):
        np.testing.assert_array_equal(network.run(given, f=data, c=mask).states, whole.states)
    single = network.run(u0.astype(np.float32), f=data, c=mask)
    assert single.final.dtype == np.float32


def test_colours_systems_and_domains() -> None:
    colours = p2n.Problem(sp.Eq(u.diff(t), div(grad(u) / (1 + norm2(grad(u))))), channels=3)
    way = p2n.compile(colours, p2n.Explicit(tau=FIFTH, steps=2)).run(image(3, 8, 9))
    assert way.final.shape == (1, 3, 8, 9)
    pair = p2n.Problem([sp.Eq(u.diff(t), laplacian(u)), sp.Eq(v.diff(t), laplacian(v) / 2)])
    way = p2n.compile(pair, p2n.Explicit(tau=FIFTH, steps=2)).run(
        image(1, 2, 8, 9), track=["residual", "mean"]
    )
    assert way["residual"].shape == (3, 1)
    inside = p2n.Problem(sp.Eq(u.diff(t), laplacian(u)), domain=m)
    for scheme in (p2n.Explicit(tau=FIFTH, steps=3), p2n.DuFortFrankel(tau=FIFTH, steps=3)):
        network, u0, mask = p2n.compile(inside, scheme), image(8, 9), image(8, 9, seed=3) > 0.3
        way = network.run(u0, every=1, m=mask)
        assert all((state[0, 0][~mask] == u0[~mask].numpy()).all() for state in way.states)
        with torch.no_grad():
            whole = network.module()(u0[None, None], m=mask.double()[None, None])
        np.testing.assert_allclose(way.final, whole, atol=1e-12)


def test_numbers_at_the_call_and_weights() -> None:
    k = p2n.Input("k", positive=True)
    network = p2n.compile(
        p2n.Problem(sp.Eq(u.diff(t), laplacian(u) - k * u)), p2n.Explicit(tau=FIFTH, steps=2)
    )
    way = network.run(torch.ones(1, 1, 5, 5), k=0.5)
    np.testing.assert_allclose(way.final, 0.9**2, rtol=1e-6)
    learned = p2n.compile(EDGES, p2n.Explicit(tau=FIFTH, steps=3), trainable=[lam], shared=False)
    module, u0 = learned.module(), image(1, 1, 8, 8)
    for n, weight in enumerate(module.parameters()):
        weight.data.mul_(1 + n)
    way = learned.run(u0, every=1, module=module)
    with torch.no_grad():
        np.testing.assert_allclose(way.final, module(u0), atol=1e-12)
    with pytest.raises(p2n.DeclarationError, match="weights are not those"):
        learned.run(
            u0,
            module=p2n.compile(
                EDGES, p2n.Explicit(tau=FIFTH, steps=2), trainable=[lam], shared=False
            ).module(),
        )


def test_filters_that_are_declared_need_no_module_and_types_are_those_of_the_image() -> None:
    K = p2n.LinearOperator("K", 1, 3)
    rule, filters = sp.Eq(u.diff(t), -K.adjoint(K(u))), [[[[0, 0, 0], [0, 1, -1], [0, 0, 0]]]]
    scheme, u0 = p2n.Explicit(tau=FIFTH / 2, steps=3), image(1, 1, 8, 9).float()
    network = p2n.compile(p2n.Problem(rule, parameters={"K": filters}), scheme)
    way = network.run(u0)
    assert way.states.dtype == np.float32
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(way.final), network.module().float()(u0))
    with pytest.raises(p2n.DeclarationError, match="operator K have no values: run"):
        p2n.compile(p2n.Problem(rule), scheme, on_unstable="ignore").run(u0)


@pytest.mark.parametrize("trained", ["weights", "tau"])
def test_steps_are_counted_where_their_length_is_learned(trained: str) -> None:
    if trained == "weights":
        K = p2n.LinearOperator("K", 2, 3)
        problem = p2n.Problem(sp.Eq(u.diff(t), -K.adjoint(K(u))))
        options: dict[str, Any] = {"trainable": [K], "keep_stable": True}
        network = p2n.compile(problem, p2n.Explicit(tau=None, steps=3), **options)
    else:
        network = p2n.compile(HEAT, p2n.Explicit(tau=FIFTH, steps=3), trainable=["tau"])
    module, u0 = network.module(), image(1, 1, 8, 9)
    way = network.run(u0, every=1, module=module)
    assert way.unit == "steps" and way.times.tolist() == [0, 1, 2, 3]
    with torch.no_grad():
        np.testing.assert_allclose(way.final, module.double()(u0), atol=1e-12)


def test_a_field_of_a_system_has_one_channel() -> None:
    pair = p2n.Problem([sp.Eq(u.diff(t), laplacian(u) + f), sp.Eq(v.diff(t), laplacian(v))])
    way = p2n.compile(pair, p2n.Explicit(tau=FIFTH, steps=1)).run(torch.zeros(1, 2, 6, 7), f=torch.ones(6, 7))
    np.testing.assert_allclose(way.final[0], np.stack([np.full((6, 7), 0.2), np.zeros((6, 7))]), rtol=1e-6)


@pytest.mark.parametrize(("every", "asked"), [(1, "torch"), (3, "numba"), (9, "numba")])
def test_kernels_run_what_is_wanted_at_both_ends_alone(
    every: int, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    network, found = p2n.compile(COOLING, p2n.Explicit(tau=FIFTH, steps=3)), []
    request = p2n.Network.request
    monkeypatch.setattr(p2n.Network, "request", lambda self, b: (found.append(b), request(self, b))[1])
    assert not network.resumes
    network.run(image(1, 1, 6, 7), every=every, backend="numba")
    assert found == [asked]


def test_the_discrepancy_rule_ends_where_the_noise_is_removed() -> None:
    rng = np.random.default_rng(0)
    clean = np.outer(np.linspace(0, 1, 64), np.ones(64))
    noisy = clean + 0.1 * rng.normal(size=clean.shape)
    network = p2n.compile(EDGES, p2n.Explicit(tau=FIFTH, steps=400))
    way = network.run(noisy, every=1, track=["removed"], until=p2n.discrepancy(0.1))
    assert 0 < way.repeats[-1] < 400 and "reached the noise, sigma = 0.1" in way.stopped
    assert way["removed"][-2, 0] < 0.1 <= way["removed"][-1, 0]
    assert "ended early" in repr(way)
    with pytest.raises(p2n.DeclarationError, match="must be positive"):
        p2n.discrepancy(0)
    assert "sigma = 0.5" in (p2n.discrepancy(np.float32(0.5)).__doc__ or "")
    for name in SCHEMES:
        way = compiled(name, 3).run(
            image(1, 1, 9, 9), every=1, until=lambda moment: moment.repeat >= 2, backend="torch"
        )
        assert way.repeats.tolist() == [0, 1, 2] and way.stopped, name


def test_a_run_that_blows_up_ends_there() -> None:
    network = p2n.compile(HEAT, p2n.Explicit(tau=50, steps=400), on_unstable="ignore")
    with pytest.warns(UserWarning, match="not finite"):
        way = network.run(image(1, 1, 9, 9).float(), every=1)
    assert way.repeats[-1] < 400 and way.stopped == "values are not finite"
    with pytest.warns(UserWarning, match="not finite"):
        assert len(network.run(image(1, 1, 9, 9) * math.nan)) == 1


def test_the_last_state_alone() -> None:
    network = p2n.compile(HEAT, p2n.Explicit(tau=FIFTH, steps=4))
    way, whole = (network.run(image(1, 1, 9, 9), every=1, keep=keep) for keep in (False, True))
    assert len(way) == 5 and len(way.states) == 1 and not way.kept
    np.testing.assert_array_equal(way.final, whole.final)
    np.testing.assert_array_equal(way["max"], whole["max"])
    with pytest.raises(p2n.DeclarationError, match="keep=True"):
        way.movie("film.gif")


@pytest.mark.parametrize("suffix", ["npz", "zarr"])
def test_what_is_written_is_read_again(suffix: str, tmp_path: Path) -> None:
    if suffix == "zarr":
        pytest.importorskip("zarr")
    way = compiled("implicit", 3).run(image(2, 1, 9, 8), track={"a/b": lambda moment: moment.time})
    file = tmp_path / f"way.{suffix}"
    for _ in range(2):  # what is there is replaced
        way.save(file)
    again = p2n.Trajectory.load(file)
    assert again.solver == way.solver and again.axes == ("x", "y") and again.spacing == (1.0, 1.0)
    assert (again.stopped, again.unit, list(again.values)) == (way.stopped, way.unit, ["a/b"])
    for name in ("times", "repeats", "states"):
        np.testing.assert_array_equal(getattr(again, name), getattr(way, name))
    np.testing.assert_array_equal(again["a/b"], way["a/b"])
    assert [p.name for p in tmp_path.iterdir()] == [file.name]


def test_files_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    way = p2n.compile(HEAT, p2n.Explicit(tau=FIFTH, steps=2)).run(image(1, 1, 9, 8))
    (tmp_path / "bad.npz").write_bytes(b"PK nothing")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    for name in ("bad.npz", "other.npz", "missing.npz"):
        with pytest.raises(p2n.FileError):
            p2n.Trajectory.load(tmp_path / name)
    with pytest.raises(p2n.FileError):
        way.save(tmp_path / "no" / "way.npz")
    with pytest.raises(p2n.DeclarationError, match=r"\.npz or \.zarr"):
        way.save(tmp_path / "way.mat")
    (tmp_path / "mine.zarr").mkdir()
    (tmp_path / "mine.zarr" / "thesis.txt").write_text("mine")
    pytest.importorskip("zarr")
    with pytest.raises(p2n.FileError, match="no Zarr group"):
        way.save(tmp_path / "mine.zarr")
    monkeypatch.setitem(__import__("sys").modules, "zarr", None)
    with pytest.raises(p2n.DeclarationError, match=r"pde2net\[dask\]"):
        storage.save_trajectory(way, tmp_path / "way.zarr")


def test_tables(tmp_path: Path) -> None:
    way = p2n.compile(HEAT, p2n.Explicit(tau=FIFTH, steps=2)).run(image(2, 1, 9, 8), every=1, track=["mean"])
    way.to_csv(tmp_path / "way.csv")
    lines = (tmp_path / "way.csv").read_text().splitlines()
    assert lines[0] == "repeat,time,image,mean" and len(lines) == 1 + 3 * 2
    assert float(lines[-1].split(",")[-1]) == way["mean"][-1, 1]


@pytest.mark.parametrize("shape", [(1, 40), (1, 24, 30), (3, 24, 30), (2, 24, 30), (1, 6, 24, 30)])
def test_pictures_and_films(shape: tuple[int, ...], tmp_path: Path) -> None:
    axes = sp.symbols("x y z", real=True)[: len(shape) - 1]
    w = sp.Function("u")(*axes, t)
    coupled = div(grad(w) / (1 + norm2(grad(w))))
    problem = p2n.Problem(sp.Eq(w.diff(t), coupled), channels=shape[0])
    way = p2n.compile(problem, p2n.Explicit(tau=sp.Rational(1, 8), steps=6)).run(image(1, *shape), every=2)
    way.picture(tmp_path / "way.png")
    way.movie(tmp_path / "way.gif", seconds=1)
    with Image.open(tmp_path / "way.gif") as film:
        assert film.n_frames == 4 and film.info["loop"] == 0
        width = film.width
    with Image.open(tmp_path / "way.png") as both:
        assert both.width == 2 * width + 4 and both.mode == ("RGB" if shape[0] == 3 else "L")
    assert way._repr_png_() == (tmp_path / "way.png").read_bytes()
    if shutil.which("ffmpeg"):
        way.movie(tmp_path / "way.mp4")
    else:
        with pytest.raises(p2n.DeclarationError, match="ffmpeg"):
            way.movie(tmp_path / "way.mp4")


def test_a_plot_of_what_was_tracked(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    network = p2n.compile(HEAT, p2n.Explicit(tau=FIFTH, steps=6))
    figure = network.run(image(1, 1, 9, 8), track=["mean", "max"]).plot(tmp_path / "way.svg")
    assert [axes.get_ylabel() for axes in figure.axes] == ["mean", "max"]
    assert (tmp_path / "way.svg").read_text().startswith("<?xml")
    with pytest.raises(p2n.DeclarationError, match="Nothing was tracked"):
        network.run(image(1, 1, 9, 8), track=()).plot()


def test_a_bar_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    network = p2n.compile(HEAT, p2n.Explicit(tau=FIFTH, steps=6))
    network.run(image(1, 1, 9, 8))
    assert capsys.readouterr() == ("", "")
    network.run(image(1, 1, 9, 8), progress=True)
    shown = capsys.readouterr()
    assert shown.out == "" and "6/6" in shown.err


TRAINED = p2n.Problem(sp.Eq(u.diff(t), div((1 + u**2) * grad(u))))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every": 0}, "positive whole number"),
        ({"every": 1.5}, "positive whole number"),
        ({"track": ["maen"]}, "mean"),
        ({"track": ["psnr"]}, "reference"),
        ({"track": {"a": 3}}, "function of a moment"),
        ({"track": {"a": lambda moment: torch.zeros(7)}}, "one for each image"),
        ({"track": ["psnr"], "reference": np.zeros((4, 4))}, "The reference has the shape"),
        ({"u0": np.zeros((9, 8), np.uint8)}, "/ 255"),
        ({"u0": np.zeros((2, 9, 8))}, "without a batch"),
        ({"u0": np.zeros(9)}, "is due"),
        ({"f": np.zeros((9, 8))}, 'has no field or input "f"'),
    ],
)
def test_what_is_refused(arguments: dict[str, Any], message: str) -> None:
    network = p2n.compile(HEAT, p2n.Explicit(tau=FIFTH, steps=2))
    with pytest.raises(p2n.DeclarationError, match=message):
        network.run(**{"u0": np.zeros((9, 8)), **arguments})


@pytest.mark.parametrize("name", ["track", "u0", "module", "given"])
def test_fields_that_are_called_like_options(name: str) -> None:
    field = sp.Function(name)(x, y)
    network = p2n.compile(
        p2n.Problem(sp.Eq(u.diff(t), laplacian(u) + field)), p2n.Explicit(tau=FIFTH, steps=1)
    )
    if name == "given":  # an option of none
        assert network.run(np.zeros((9, 8)), given=np.ones((9, 8))).final.mean() == pytest.approx(0.2)
        return
    with pytest.raises(p2n.DeclarationError, match=f'"{name}" is an option of run'):
        network.run(np.zeros((9, 8)), **({} if name == "u0" else {name: np.ones((9, 8))}))


def test_no_energy_without_one() -> None:
    scheme = p2n.Explicit(tau=sp.Rational(1, 10), steps=2)
    for problem, grid in (
        (TRAINED, p2n.Grid()),
        (EDGES, p2n.Grid(gradient="staggered")),
        (COOLING, p2n.Grid()),
    ):
        network = p2n.compile(problem, scheme, grid, on_unstable="ignore")
        with pytest.raises(p2n.DeclarationError, match="energy"):
            network.run(np.zeros((9, 8)), track=["energy"])


def test_a_module_is_left_as_it_was() -> None:
    network = compiled("theta", 3)
    module, u0 = network.module(), image(1, 1, 9, 8)
    goes = course.Course(3, 1, "time", 6.0)
    last, _ = course.follow(module, u0, {}, goes, 1, lambda k, w: k == 1)
    assert (
        "step" not in vars(module) and not module.cell._forward_pre_hooks and not module.cell._forward_hooks
    )
    with torch.no_grad():
        assert torch.equal(compiled("theta", 1).module()(u0), last)
        assert not torch.equal(module(u0), last)


@pytest.mark.parametrize(
    ("given", "options", "words"),
    [
        (None, {}, "a tensor or an array of numbers, not NoneType"),
        (np.array([[object()]]), {}, "a tensor or an array of numbers"),
        (np.zeros((0, 4)), {}, "has no cells"),
        (np.zeros((9, 8, 3)), {}, "Channels come first"),
        (np.zeros((9, 8)), {"until": 5}, "until is a function"),
        (np.zeros((9, 8)), {"track": {"x": lambda moment: "a"}}, "gave 'a', not a number"),
    ],
)
def test_what_is_no_image_or_rule_is_refused(given: Any, options: Any, words: str) -> None:
    declared = p2n.gallery.load("perona_malik")
    network = p2n.compile(declared.problem, declared.scheme, declared.grid)
    with pytest.raises(p2n.DeclarationError, match=words):
        network.run(given, **options)


def test_states_of_half_precision_become_arrays() -> None:
    declared = p2n.gallery.load("heat")
    network = p2n.compile(declared.problem, declared.scheme, declared.grid)
    assert network.run(torch.rand(1, 1, 8, 8).bfloat16()).states.dtype == np.float32


def test_films_keep_colours_that_are_rare(tmp_path: Path) -> None:
    image = np.random.default_rng(0).random((1, 3, 40, 60)) * 0.3 + 0.2
    image[:, :, 10:13, 20:23] = np.array([0.1, 0.9, 0.2])[:, None, None]
    declared = p2n.gallery.load("heat", channels=3)
    network = p2n.compile(declared.problem, declared.scheme, declared.grid)
    network.run(image).movie(tmp_path / "film.gif")
    with Image.open(tmp_path / "film.gif") as film:
        found = np.asarray(film.convert("RGB")) / 255
    want = np.moveaxis(image[0], 0, -1).repeat(5, axis=0).repeat(5, axis=1)
    assert np.abs(found - want).max() < 0.1
