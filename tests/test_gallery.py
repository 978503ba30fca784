"""The models of the gallery are short, cite where they are from, and run."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
import torch
from support import uncertified

import pde2net as p2n
from pde2net.language.text.build import read
from pde2net.language.text.printer import written

FILES = sorted((Path(__file__).parent.parent / "examples" / "gallery").glob("*.pde"))


def test_there_are_twenty():
    assert len(FILES) >= 20


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_model(file):
    text = file.read_text()
    lines = text.splitlines()
    assert len(lines) <= 15 and lines[0].startswith("# ") and any(c.isdigit() for c in lines[1])
    declared = p2n.load(file)
    assert p2n.Declaration(*read(declared.to_text(), "text")) == declared
    rng = np.random.default_rng(0)
    known = {str(f.func): rng.uniform(size=(12, 13)) for f in declared.problem.fields}
    if "c" in known:
        known["c"] = (known["c"] < 0.3).astype(float)
    fields = {name: torch.from_numpy(values)[None, None] for name, values in known.items()}
    module = uncertified(declared.problem, with_a_step(declared.scheme), declared.grid).module().double()
    channels = declared.problem.channels
    out = module(torch.from_numpy(rng.uniform(size=(1, channels, 12, 13))), **fields)
    assert out.isfinite().all() and out.abs().max() < 10


def with_a_step(scheme):
    """At most 20 steps. tau = largest asks for a certificate; any step that is stable will do here."""
    scheme = replace(scheme, tau=0.1) if scheme.tau is None else scheme
    return replace(scheme, steps=min(scheme.steps, 20)) if hasattr(scheme, "steps") else scheme


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_the_page_shows_the_equation(file):
    equations, definitions = written(p2n.load(file).problem)
    page = (Path(__file__).parent.parent / "docs" / "gallery.md").read_text(encoding="utf-8")
    text = "<br>".join([*equations, *(f"where {name} = {what}" for name, what in definitions)])
    title = file.read_text().splitlines()[0].removeprefix("# ").rstrip(".")
    assert f"| {title} | <code>{text.replace('|', '&#124;').replace('*', '&#42;')}</code> |" in page


def test_declarations_are_compiled_as_they_are() -> None:
    declared = p2n.gallery.load("heat")
    own = p2n.compile(declared.problem, declared.scheme, declared.grid).certificate
    assert p2n.compile(declared).certificate == own and p2n.verify(declared) == p2n.verify(
        declared.problem, declared.scheme
    )
    other = p2n.compile(declared, p2n.Explicit(tau=sp.Rational(1, 8), steps=2), p2n.Grid(spacing=2))
    assert other.certificate.tau == sp.Rational(1, 8) and other.semidiscrete.spacing == (2, 2)
    for refused in (declared.problem, p2n.parse("unknown u(x, t)\nequation u_t = laplacian(u)")):
        with pytest.raises(p2n.DeclarationError, match="scheme"):
            p2n.compile(refused)
