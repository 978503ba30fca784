"""The site of the documentation builds without a warning, and has all that is public."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import pde2net

ROOT = Path(__file__).parent.parent


def test_the_reference_has_every_public_name() -> None:
    paths = re.findall(r"^::: ([\w.]+)$", (ROOT / "docs" / "api.md").read_text(), re.M)
    found = set()
    for path in paths:
        module, _, name = path.rpartition(".")
        found.add(id(getattr(import_module(module), name)))
    public = {name: id(getattr(pde2net, name)) for name in pde2net.__all__}
    assert [name for name, thing in public.items() if thing not in found] == []
    assert len(paths) == len(set(paths)) == len(public)


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r": ([\w/]+\.(?:md|ipynb))$", (ROOT / "mkdocs.yml").read_text(), re.M))
    folder = ROOT / "docs"
    pages = {p.relative_to(folder).as_posix() for p in [*folder.rglob("*.md"), *folder.rglob("*.ipynb")]}
    assert listed == pages


def test_it_builds_strictly(tmp_path: Path) -> None:
    for module in ("mkdocs", "material", "mkdocstrings_handlers.python", "mkdocs_jupyter"):
        pytest.importorskip(module)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert not done.returncode, done.stderr
    assert "WARNING" not in done.stderr
    page = (tmp_path / "site" / "api" / "index.html").read_text()
    assert "Remove white Gaussian noise from an image by diffusion." in page
    gallery = (tmp_path / "site" / "gallery" / "index.html").read_text()
    assert "/blob/main/examples/gallery/heat.pde" in gallery
