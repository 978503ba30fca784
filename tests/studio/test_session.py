"""What the studio computes, without a page."""

from __future__ import annotations

import io

import numpy as np
import pytest
import sympy as sp
from PIL import Image

import pde2net as p2n
from pde2net.studio import session
from pde2net.studio.session import Choice, analysed

HEAT = "unknown u(x, y, t)\nparameter k > 0 = 2\nequation u_t = k * laplacian(u)\n"
STEP = "scheme explicit(tau = 1/10, steps = 5)\n"


def test_values_steps_and_schemes_stand_in_place_of_those_of_the_text() -> None:
    plain = analysed(Choice(HEAT + STEP))
    assert plain.statuses["l2_stability"] == "proved" and plain.largest == 1 / 8
    changed = analysed(Choice(HEAT + STEP, values={"k": 4}, tau=0.07, repeats=9))
    assert changed.largest == 1 / 16 and changed.statuses["l2_stability"] == "refuted"
    assert changed.declared.scheme == p2n.Explicit(tau=sp.Rational(7, 100), steps=9)
    assert changed.written.problem == plain.declared.problem
    with pytest.raises(p2n.DeclarationError, match="has no scheme"):
        analysed(Choice(HEAT))
    for name in session.SCHEMES:
        found = analysed(Choice(HEAT, scheme=name, tau=0.05, repeats=3))
        assert found.declared.scheme.repeats == 3 and found.declared.scheme.tau == sp.Rational(1, 20)
        assert found.statuses["consistency"] == "proved", name


@pytest.mark.parametrize(
    ("text", "stencil"),
    [
        ("unknown u(x, t)\nequation u_t = 3*laplacian(u)\n", [3, -6, 3]),
        ("unknown u(x, t)\nequation u_t = -laplacian(laplacian(u))\n", [-1, 4, -6, 4, -1]),
        ("unknown u(x, t)\ngrid h = 1/2\nequation u_t = laplacian(u) - u\n", [4, -9, 4]),
        ("unknown u(x, t)\nequation u_t = -u\n", [-1]),
    ],
)
def test_stencils_are_those_of_formulas(text: str, stencil: list[float]) -> None:
    found = analysed(Choice(text, scheme="explicit", tau=0.01)).stencil
    np.testing.assert_allclose(found, stencil, rtol=1e-6)


def test_where_there_is_no_stencil() -> None:
    assert analysed(Choice("unknown u(x, t)\nequation u_t = (1 + t)*laplacian(u)\n" + STEP)).stencil is None
    given = "unknown u(x, t)\ninput k > 0\nequation u_t = laplacian(u) - k*u\n"
    assert analysed(Choice(given + STEP)).stencil is None


@pytest.mark.parametrize("name", ["perona_malik", "inpainting", "rof", "vector_perona_malik", "gray_scott"])
def test_models_run_on_a_picture(name: str) -> None:
    found = analysed(Choice(p2n.gallery.text(name), repeats=2 if name == "gray_scott" else None))
    way, said = session.ran(found, session.own_picture()[:, :40, :50])
    assert way.final.shape[-2:] == (40, 50) and np.isfinite(way.final).all()
    assert ("mask" in said) == (name == "inpainting")
    assert found.stencil is not None and "class " in found.source


def test_what_cannot_be_run_on_a_picture() -> None:
    for text in (
        "unknown u(x, y, z, t)\nequation u_t = laplacian(u)\n",
        "unknown u(x, t)\ninput k > 0\nequation u_t = laplacian(u) - k*u\n",
    ):
        with pytest.raises(p2n.DeclarationError):
            session.ran(analysed(Choice(text + STEP)), session.own_picture())


def test_pictures_that_are_uploaded() -> None:
    def data(image: Image.Image) -> bytes:
        target = io.BytesIO()
        image.save(target, format="PNG")
        return target.getvalue()

    assert session.picture_of(data(Image.new("RGB", (30, 20), (255, 0, 51)))).shape == (3, 20, 30)
    grey = session.picture_of(data(Image.new("LA", (30, 20), (51, 9))))
    assert grey.shape == (1, 20, 30) and np.allclose(grey, 0.2)
    large = session.picture_of(data(Image.new("L", (4000, 1000))))
    assert large[0].size <= session.MOST_CELLS and abs(large.shape[2] / large.shape[1] - 4) < 0.1
    for broken in (b"", b"no picture", data(Image.new("L", (30, 20)))[:40]):
        with pytest.raises(p2n.FileError, match="not an image that can be read"):
            session.picture_of(broken)


@pytest.mark.parametrize(
    "text",
    [
        "unknown u(x, y, t) in [2, 3]\nequation u_t = laplacian(u)\nscheme explicit(tau = 1/8, steps = 3)",
        "unknown u(x, y, t) in [1, oo]\nequation u_t = laplacian(u)\nscheme explicit(tau = 1/8, steps = 3)",
        "unknown u(x, y, t)\nfield f(x, y) in [5, 6]\nequation u_t = laplacian(u) + f - u\n"
        "scheme explicit(tau = 1/8, steps = 3)",
    ],
)
def test_pictures_take_the_ranges_that_are_declared(text: str) -> None:
    way, _ = session.ran(analysed(Choice(text)), session.own_picture())
    assert np.isfinite(way.final).all()


def test_colours_are_said_to_become_grey_and_other_schemes_are_refused() -> None:
    colour = np.random.default_rng(0).random((3, 12, 12))
    assert "in grey" in session.ran(analysed(Choice(HEAT + STEP)), colour)[1]
    with pytest.raises(p2n.DeclarationError, match='no scheme "foo"'):
        analysed(Choice(HEAT, scheme="foo"))
