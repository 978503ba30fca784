"""Texts in Python, and the gallery, which is made of such."""

from __future__ import annotations

from pathlib import Path

import pytest

import pde2net as p2n

HEAT = "unknown u(x, t)\nequation u_t = laplacian(u)\nscheme explicit(tau = 1/4, steps = 3)\n"


def test_a_text_is_what_a_file_with_it_is(tmp_path: Path) -> None:
    (tmp_path / "heat.pde").write_text(HEAT)
    read, parsed = p2n.load(tmp_path / "heat.pde"), p2n.parse(HEAT)
    assert (read.problem, read.scheme, read.grid) == (parsed.problem, parsed.scheme, parsed.grid)
    assert p2n.parse(parsed.to_text()).problem == parsed.problem
    assert not p2n.parse(HEAT.rpartition("scheme")[0]).has_scheme


def test_errors_show_the_place() -> None:
    with pytest.raises(p2n.TextError, match=r"<text>, line 2, column 16") as caught:
        p2n.parse(HEAT.replace("laplacian", "laplacan"))
    assert "laplacian" in str(caught.value)
    with pytest.raises(p2n.TextError, match="notes, line 1"):
        p2n.parse("unknwon u(x, t)\n", "notes")


@pytest.mark.parametrize("wrong", ["heat.pde", Path("heat.pde"), 3, None, b"unknown u(x, t)"])
def test_what_is_no_text(wrong: object) -> None:
    with pytest.raises(p2n.FileError):
        p2n.parse(wrong)  # type: ignore[arg-type]


def test_the_gallery_has_all_models() -> None:
    folder = Path(p2n.__file__).parent.parent / "examples" / "gallery"
    assert p2n.gallery.names() == tuple(sorted(f.stem for f in folder.glob("*.pde")))
    for name in p2n.gallery.names():
        assert p2n.gallery.text(name) == (folder / f"{name}.pde").read_text()
        assert p2n.gallery.title(name) and p2n.gallery.reference(name)
        assert p2n.gallery.load(name).has_scheme
    with pytest.raises(p2n.DeclarationError, match="perona_malik"):
        p2n.gallery.text("peronamalik")


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("channels", [1, 3])
def test_models_for_other_images(dimension: int, channels: int) -> None:
    for name in ("perona_malik", "vector_perona_malik", "rof", "inpainting"):
        problem = p2n.gallery.load(name, dimension, channels).problem
        assert len(problem.space) == dimension and problem.channels == channels
        assert all(f.args == tuple(problem.space) for f in problem.fields)
