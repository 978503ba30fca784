"""Editors and Pygments know the words of the text language; the extension for VS Code is packed."""

import json
import re
import runpy
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pygments.token import Comment, Error, Keyword, Name, Number, Operator

import pde2net
from pde2net.language.text.lexer import PdeLexer
from pde2net.language.text.parse import statements

ROOT = Path(__file__).parents[2]
TEXTS = sorted(ROOT.glob("examples/**/*.pde"))
PACK = runpy.run_path(str(ROOT / "editors" / "pack.py"))
COLOURS = json.loads(PACK["GRAMMAR"].read_text())["patterns"]
PACKAGE = json.loads((PACK["EXTENSION"] / "package.json").read_text())
# What Pygments and TextMate call the same.
SAME = {
    Comment.Single: "comment.line.number-sign",
    Keyword.Declaration: "keyword.declaration",
    Keyword: "keyword.control",
    Operator.Word: "keyword.operator.word",
    Name.Class: "support.class",
    Name.Builtin: "support.function",
    Keyword.Constant: "constant.language",
    Number: "constant.numeric",
    Name.Function: "entity.name.function",
    Name: "variable.other",
    Operator: "keyword.operator",
}


def coloured(line):
    """(word, scope) of a line by the TextMate grammar: the leftmost match, and the first of several."""
    place = 0
    while True:
        found = [(re.compile(p["match"]).search(line, place), p["name"]) for p in COLOURS]
        found = [(m.start(), number, m, name) for number, (m, name) in enumerate(found) if m]
        if not found:
            return
        *_, match, name = min(found)
        yield match.group(), name.removesuffix(".pde2net")
        place = match.end()


def test_the_grammar_of_editors_is_that_of_the_language():
    """In a process of its own, where no test has registered a scheme; python editors/pack.py rewrites it."""
    program = (
        f"import runpy; print(runpy.run_path({str(ROOT / 'editors' / 'pack.py')!r})['written'](), end='')"
    )
    made = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert PACK["GRAMMAR"].read_text() == made.stdout


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_texts_are_coloured_and_both_agree(path):
    text = path.read_text()
    tokens = list(PdeLexer().get_tokens(text))
    assert Error not in {kind for kind, _ in tokens} and "".join(word for _, word in tokens) == text
    assert [(word, SAME[kind]) for kind, word in tokens if kind in SAME] == [
        pair for line in text.splitlines() for pair in coloured(line)
    ]
    begun = [m[1] for m in re.finditer(r"^(\w+)", text, re.M)]
    assert [word for kind, word in tokens if kind is Keyword.Declaration] == begun
    assert set(begun) <= set(statements())
    assert {word for kind, word in tokens if kind is Name.Class} >= set(
        re.findall(r"^scheme +(\w+)", text, re.M)
    )
    assert PdeLexer.analyse_text(text) == 1


def test_a_sketch_of_processing_is_not_coloured_as_a_text():
    assert PdeLexer.analyse_text("int n = 3;\nvoid setup() {\n  size(200, 200);\n}\n") == 0


def test_pygments_finds_the_lexer():
    entries = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert entries["pygments.lexers"] == {"pde2net": f"{PdeLexer.__module__}:{PdeLexer.__name__}"}
    assert (PdeLexer.aliases, PdeLexer.filenames) == (["pde2net"], ["*.pde"])


def test_the_extension_is_packed(tmp_path):
    packed = PACK["pack"](tmp_path / "one")
    assert packed.read_bytes() == PACK["pack"](tmp_path / "two").read_bytes()
    assert packed.name == f"pde2net-{pde2net.__version__}.vsix"
    with zipfile.ZipFile(packed) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    types = ElementTree.fromstring(contents["[Content_Types].xml"])
    assert {t.get("Extension") for t in types} == {Path(n).suffix for n in contents} - {".xml"}
    manifest = ElementTree.fromstring(contents["extension.vsixmanifest"])
    space = {"": "http://schemas.microsoft.com/developer/vsx-schema/2011"}
    identity = manifest.find("Metadata/Identity", space)
    assert (identity.get("Id"), identity.get("Version")) == (PACKAGE["name"], pde2net.__version__)
    assert all(asset.get("Path") in contents for asset in manifest.findall("Assets/Asset", space))
    named = [
        PACKAGE["contributes"]["languages"][0]["configuration"],
        PACKAGE["contributes"]["grammars"][0]["path"],
    ]
    assert all(f"extension/{name.removeprefix('./')}" in contents for name in named)
    assert b"files.associations" in contents["extension/README.md"]


def test_the_manifest_is_that_of_the_language():
    (language,), (grammar,) = PACKAGE["contributes"]["languages"], PACKAGE["contributes"]["grammars"]
    # Extensions for Processing call their language "pde".
    assert language["id"] == grammar["language"] == "pde2net" and language["extensions"] == [".pde"]
    assert grammar["scopeName"] == json.loads(PACK["GRAMMAR"].read_text())["scopeName"] == "source.pde2net"
