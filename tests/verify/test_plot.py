"""The figure of a certificate: its curves against formulas written down a second time."""

import builtins
import sys

import numpy as np
import pytest
import sympy as sp
from support import diffusion, eps, equation, h, lam, tau, unknown, x, y

import pde2net as p2n
from pde2net import diffusivities as known
from pde2net import div, grad, laplacian, norm2
from pde2net.compiler import analyse
from pde2net.errors import Pde2NetError
from pde2net.figures import figure
from pde2net.verify.facts import gather

pytest.importorskip("matplotlib")

THETA = np.linspace(0, np.pi, 181)
WAVE = 4 * np.sin(THETA / 2) ** 2  # of the two-point difference


def drawn(problem, step, grid=None):
    plan, _, certificate = analyse(problem, p2n.Explicit(tau=step), grid or p2n.Grid())
    return figure(plan, gather(plan.semi), certificate.claims)


def perona_malik(dim=2, **options):
    return diffusion(lambda s: known.perona_malik(s, lam), dim, **options)


def panels(fig):
    """Panels from the left to the right and from the top to the bottom, without head and caption."""
    return [axes for axes in fig.axes if axes.axison]


def line(axes, start):
    """(x, y) of the line whose label starts so."""
    [found] = [entry for entry in axes.lines if str(entry.get_label()).startswith(start)]
    return np.asarray(found.get_xdata()), np.asarray(found.get_ydata())


def words(fig):
    return " ".join(" ".join(t.get_text().split()) for t in fig.findobj(lambda a: hasattr(a, "get_text")))


def hatched(axes):
    return [c for c in axes.collections if c.get_hatch()]


# -- amplification factor ----------------------------------------------------------------------


def test_heat_beyond_its_limit():
    fig = drawn(diffusion(known.linear, 1), 0.51)
    axes = panels(fig)[0]
    angles, factor = line(axes, "g = ")
    np.testing.assert_allclose(angles, THETA)
    np.testing.assert_allclose(factor, 1 - 0.51 * WAVE, atol=1e-12)
    mark, worst = line(axes, "outside")
    assert mark == pytest.approx(np.pi) and worst == pytest.approx(-1.04)
    assert hatched(axes)
    assert "refuted" in words(fig)


def test_nothing_is_marked_at_the_limit():
    axes = panels(drawn(diffusion(known.linear, 1), 0.5))[0]
    assert not hatched(axes)
    assert not [entry for entry in axes.lines if str(entry.get_label()).startswith("outside")]


def test_band_of_perona_malik():
    axes = panels(drawn(perona_malik(), 0.3))[0]
    np.testing.assert_allclose(line(axes, "g = sup g")[1], 1 - 0.3 * 2 * WAVE, atol=1e-12)
    np.testing.assert_allclose(line(axes, "g = inf g")[1], 1)
    np.testing.assert_allclose(line(axes, "sup g, along x")[1], 1 - 0.3 * WAVE, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "symbol"),
    [
        ({"gradient": "central"}, np.sin(THETA) ** 2),
        ({"order": 4}, (27 / 12 * np.sin(THETA / 2) - 1 / 12 * np.sin(3 * THETA / 2)) ** 2),
        ({"spacing": sp.Rational(1, 2)}, 4 * WAVE),
    ],
)
def test_stencils(options, symbol):
    axes = panels(drawn(diffusion(known.linear, 1), 0.1, p2n.Grid(**options)))[0]
    np.testing.assert_allclose(line(axes, "g = ")[1], 1 - 0.1 * symbol, atol=1e-12)


def test_fourth_order():
    axes = panels(drawn(p2n.Problem(equation(-unknown(1).diff(x, 4), 1)), 0.1))[0]
    np.testing.assert_allclose(line(axes, "g = ")[1], 1 - 0.1 * WAVE**2, atol=1e-12)


def test_the_worst_direction_of_an_operator_that_vanishes_on_the_diagonal():
    u = unknown(2)
    wave = u.diff(x, 2) - u.diff(y, 2)
    problem = p2n.Problem(equation(-wave.diff(x, 2) + wave.diff(y, 2), 2))
    axes = panels(drawn(problem, sp.Rational(1, 7)))[0]
    np.testing.assert_allclose(line(axes, "g = ")[1], 1 - WAVE**2 / 7, atol=1e-12)


def test_fidelity_shifts_the_factor():
    beta, f = sp.Symbol("beta", positive=True), sp.Function("f")(x)
    u = unknown(1)
    problem = p2n.Problem(equation(u.diff(x, 2) + beta * (f - u), 1), parameters={beta: 0.5})
    fig = drawn(problem, 0.2)
    np.testing.assert_allclose(line(panels(fig)[0], "g = ")[1], 1 - 0.2 * (WAVE + 0.5), atol=1e-12)
    values, limit = line(panels(fig)[1], "limit")
    np.testing.assert_allclose(limit, 2 / (4 + values))
    assert "frozen stability proved for τ ≤ 4/9" in words(fig)


def test_a_bounded_reaction_widens_the_band():
    u = unknown(1)
    axes = panels(drawn(p2n.Problem(equation(u.diff(x, 2) - u / (1 + u**2), 1)), 0.2))[0]
    np.testing.assert_allclose(line(axes, "g = sup")[1], 1 - 0.2 * (WAVE + 1), atol=1e-12)
    np.testing.assert_allclose(line(axes, "g = inf")[1], 1 - 0.2 * WAVE, atol=1e-12)


# -- region of stability -----------------------------------------------------------------------


def test_region_over_the_spacing():
    fig = drawn(perona_malik(parameters={lam: 1}), 0.3)
    axes = panels(fig)[1]
    spacing, limit = line(axes, "limit")
    np.testing.assert_allclose(limit, spacing**2 / 4)
    place, step = line(axes, "this step")
    assert (place[0], step[0]) == (1, pytest.approx(0.3))
    assert "exceeds the limit" in words(fig)


def test_region_over_a_parameter_on_which_the_limit_depends():
    problem = diffusion(lambda s: known.regularised_tv(s, eps), 2, parameters={eps: 0.1})
    axes = panels(drawn(problem, 0.02))[1]
    values, limit = line(axes, "limit")
    np.testing.assert_allclose(limit, values / 4)
    assert line(axes, "this step")[0] == pytest.approx(0.1)
    assert "epsilon" in axes.get_xlabel()


def test_a_step_that_depends_on_the_spacing_is_a_curve():
    axes = panels(drawn(perona_malik(), h**2 / 5, p2n.Grid(spacing=h)))[1]
    [dashed] = [entry for entry in axes.lines if entry.get_linestyle() == "--"]
    np.testing.assert_allclose(dashed.get_ydata(), np.asarray(dashed.get_xdata()) ** 2 / 5)


def test_an_open_step_is_drawn_at_its_limit():
    fig = drawn(perona_malik(), tau, p2n.Grid(spacing=h))
    top, region = panels(fig)[:2]
    np.testing.assert_allclose(line(top, "g = sup")[1], 1 - WAVE / 2, atol=1e-12)
    assert line(region, "largest step")[1] == pytest.approx(0.25)
    text = words(fig)
    assert "drawn at 1: h, lambda" in text and "step is left open" in text


# -- diffusivities -----------------------------------------------------------------------------


def test_perona_malik_and_its_flux():
    left, right = panels(drawn(perona_malik(parameters={lam: 2}), 0.2))[2:]
    s, g = line(left, "g = ")
    assert s[-1] == pytest.approx(8)
    np.testing.assert_allclose(g, 1 / (1 + s**2 / 4))
    np.testing.assert_allclose(line(left, "Φ'")[1], (1 - s**2 / 4) / (1 + s**2 / 4) ** 2, atol=1e-12)
    np.testing.assert_allclose(line(right, "Φ(s)")[1], s / (1 + s**2 / 4))
    dashed = [entry.get_ydata()[0] for entry in left.lines if entry.get_linestyle() == "--"]
    assert dashed == pytest.approx([-1 / 8, 0, 1])
    [falling] = hatched(right)
    assert falling.get_paths()[0].vertices[:, 0].min() == pytest.approx(2)


def test_a_monotone_flux_is_not_hatched():
    fig = drawn(diffusion(lambda s: known.charbonnier(s, lam), 3), 0.1)
    assert not hatched(panels(fig)[3])


def test_one_row_per_distinct_diffusivity_and_at_most_three():
    u = unknown(2)
    two = p2n.Problem(equation(3 * u.diff(x, 2) + u.diff(y, 2), 2))
    assert len(panels(drawn(two, 0.1))) == 2 + 2 * 2
    four = p2n.Problem(equation(3 * u.diff(x, 2) + u.diff(y, 2) - u.diff(x, 4) / 5 - u.diff(y, 4) / 7, 2))
    fig = drawn(four, 0.01)
    assert len(panels(fig)) == 2 + 2 * 3
    assert "1 more diffusivities are not shown" in words(fig)


# -- where nothing is proved -------------------------------------------------------------------


def test_an_unbounded_diffusivity_says_why():
    fig = drawn(diffusion(lambda s: 1 / sp.sqrt(s), 2), 0.25)
    text = words(fig)
    assert "sup g = ∞" in text and "Not drawn. The diffusivity has no proved bound" in text
    np.testing.assert_allclose(line(panels(fig)[0], "g = inf")[1], 1)
    assert hatched(panels(fig)[0])


@pytest.mark.parametrize(
    ("rhs", "reason"),
    [
        (sp.Function("f")(x, y) * div(grad(unknown(2))), "multiplied by f, which varies in space"),
        (
            div(
                norm2(grad(unknown(2)))
                * unknown(2) ** 2
                / (1 + norm2(grad(unknown(2))) ** 2 + unknown(2) ** 4)
                * grad(unknown(2))
            ),
            "not known to be monotone in any of",
        ),
        (div(grad(unknown(2)) * sp.exp(unknown(2).diff(x))), "Fluxes that are not g(s²) times the slope"),
    ],
)
def test_reasons(rhs, reason):
    fig = drawn(p2n.Problem(equation(rhs, 2)), 0.1)
    assert reason in words(fig)
    assert not panels(fig)[0].lines and not panels(fig)[1].lines


# -- the figure as a whole ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "scheme,unit,words",
    [
        (p2n.FSI(0.5, 6), "cycle", "no mode grows"),
        (p2n.FSI(0.51, 10), "cycle", "no mode grows"),
        (p2n.RKL(2, 5, 4), "cycle", "such a mode grows"),
        (p2n.DuFortFrankel(30, 1), "step", "no mode grows"),
        (p2n.DuFortFrankel(30, sp.Rational(1, 2)), "step", "such a mode grows"),
    ],
    ids=str,
)
def test_factors_of_other_stacks(scheme, unit, words):
    """|P| of a cycle and the radius of the companion matrix, at most 1 where stability is proved."""
    plan, _, certificate = analyse(p2n.Problem(equation(laplacian(unknown(1)), 1)), scheme, p2n.Grid())
    drawn = figure(plan, gather(plan.semi), certificate.claims)
    axes = next(a for a in drawn.axes if a.get_title(loc="left").startswith("Amplification"))
    assert f"one {unit}" in axes.get_title(loc="left")
    assert words in " ".join(text.get_text() for text in axes.texts)


def test_saved_figure(tmp_path):
    from PIL import Image

    paths = [tmp_path / "first.png", tmp_path / "second.png"]
    for path in paths:
        drawn(perona_malik(), 0.3).savefig(path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with Image.open(paths[0]) as image:
        assert image.width == 1200
        assert len(image.convert("RGB").getcolors(1 << 20)) > 100


def test_no_text_leaves_the_figure_and_no_two_overlap():
    fig = drawn(diffusion(lambda s: known.exponential(s, lam), 2), 0.3)
    fig.draw_without_rendering()
    boxes = []
    for axes in fig.axes:
        # Ticks and titles are laid out by matplotlib; the rest is placed here.
        boxes += [t.get_window_extent() for t in axes.texts if t.get_text()]
        legend = axes.get_legend()
        boxes += [] if legend is None else [legend.get_window_extent()]
    for i, box in enumerate(boxes):
        assert box.x0 >= 0 and box.x1 <= fig.bbox.width and box.y0 >= 0 and box.y1 <= fig.bbox.height
        for other in boxes[i + 1 :]:
            overlap = (
                min(box.x1, other.x1) - max(box.x0, other.x0),
                min(box.y1, other.y1) - max(box.y0, other.y0),
            )
            assert min(overlap) < 2


def test_a_dollar_in_a_name_is_no_mathematics(tmp_path):
    cost = sp.Symbol("a$b$", positive=True)
    problem = diffusion(lambda s: cost / (1 + s), 1)
    drawn(problem, 0.1).savefig(tmp_path / "figure.png")


def test_pyplot_is_not_imported():
    before = "matplotlib.pyplot" in sys.modules
    drawn(perona_malik(), 0.1)
    assert ("matplotlib.pyplot" in sys.modules) == before


def test_without_matplotlib(monkeypatch):
    original = builtins.__import__

    def refuse(name, *rest, **options):
        if name.split(".")[0] == "matplotlib":
            raise ImportError(name)
        return original(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(Pde2NetError, match=r'pip install "pde2net\[plot\]"'):
        drawn(perona_malik(), 0.1)
