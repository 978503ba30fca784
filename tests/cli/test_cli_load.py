"""`load`: what a declaration file may get wrong, and that the message says what and where."""

import py_compile
import zipfile
from pathlib import Path

import pytest
import sympy as sp

import pde2net as p2n
from pde2net.load import load_whole


def test_the_grid_may_be_left_out(heat):
    file = heat()
    full = p2n.load(file)
    file.write_text(file.read_text().replace("grid = p2n.Grid(spacing=1)", ""))
    assert p2n.load(str(file)) == full == p2n.Declaration(full.problem, full.scheme, p2n.Grid(spacing=1))
    assert full.scheme.tau == sp.Rational(1, 4)


@pytest.mark.parametrize(
    "text,words",
    [
        ("x = 1\ny = = 2\n", ("file.py, line 2", "not valid Python")),
        ("import math\n\nmath.sqrt(-1)\n", ("file.py, line 3", "ValueError", "math")),
        ("from sympy import parse_expr\nparse_expr('1 + * * 2')\n", ("file.py, line 2", "SyntaxError")),
        ("def f():\n    return 1 / 0\nf()\n", ("file.py, line 2", "ZeroDivisionError")),
        ("import sys\nsys.exit(0)\n", ("file.py, line 2", "ends the program")),
        ("import nothing_of_this_name\n", ("file.py, line 1", "nothing_of_this_name")),
        ("x = '\0'\n", ("file.py", "null bytes")),
        ("", ("does not define problem", "pde2net.Problem", "problem = p2n.Problem(")),
        ("problem = 3\n", ("problem", "type int", "pde2net.Problem")),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, text, words):
    file = tmp_path / "file.py"
    file.write_text(text)
    with pytest.raises(p2n.FileError) as caught:
        p2n.load(file)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["problem", "scheme"])
def test_a_missing_name_is_named(heat, name):
    file = heat()
    file.write_text(file.read_text() + f"del {name}\n")
    with pytest.raises(p2n.FileError, match=rf"does not define {name} .*give it that name, {name} = p2n\."):
        p2n.load(file)


def test_a_wrong_type_is_named(heat):
    file = heat()
    file.write_text(file.read_text() + "grid = 1\n")
    with pytest.raises(p2n.FileError, match=r"grid as an object of type int; it must be a pde2net\.Grid"):
        p2n.load(file)


def test_a_bad_declaration_keeps_its_error_and_gains_a_place(heat):
    file = heat(tau="-1")
    with pytest.raises(p2n.DeclarationError) as caught:
        p2n.load(file)
    assert f"{file}, line 7: The time step tau must be positive" in str(caught.value)


def test_an_error_class_of_the_file_itself_passes_through(tmp_path: Path):
    file = tmp_path / "own.py"
    file.write_text(
        "import pde2net\n"
        "class Own(pde2net.Pde2NetError):\n"
        "    def __init__(self, a, b): super().__init__(f'{a} and {b}')\n"
        "raise Own(1, 2)\n"
    )
    with pytest.raises(p2n.Pde2NetError, match=r"own\.py, line 4: 1 and 2"):
        p2n.load(file)


def test_what_is_no_file_is_refused(tmp_path: Path):
    for name, words in (
        ("none.py", "There is no file"),
        (".", "is not a file"),
        ("x.pde", "There is no file"),
    ):
        with pytest.raises(p2n.FileError, match=words):
            p2n.load(tmp_path / name)


@pytest.mark.parametrize("name", ["heat.txt", "heat", "heat.pyc", "heat.json", "heat.pde.bak", "heat.py "])
def test_only_what_is_named_as_python_is_executed(tmp_path: Path, name):
    file = tmp_path / name
    file.write_text(f"open({str(tmp_path / 'executed')!r}, 'w')")
    with pytest.raises(p2n.FileError, match=r"\.pde.*\.py"):
        p2n.load(file)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("kind", ["bytecode", "archive", "picture", "latin"])
def test_what_is_no_text_is_not_executed(tmp_path: Path, kind):
    executed, code, file = tmp_path / "executed", tmp_path / "code.py", tmp_path / "file.py"
    code.write_text(f"open({str(executed)!r}, 'w')")
    if kind == "bytecode":
        py_compile.compile(str(code), cfile=str(file))
    elif kind == "archive":
        with zipfile.ZipFile(file, "w") as archive:
            archive.write(code, "__main__.py")
    else:
        file.write_bytes(
            b"\x89PNG\r\n\x1a\n\0\0" if kind == "picture" else b"# gr\xfcn\n" + code.read_bytes()
        )
    with pytest.raises(p2n.FileError, match="not a text of Python"):
        p2n.load(file)
    assert not executed.exists()


def test_python_says_how_it_is_encoded(heat):
    file = heat()
    file.write_bytes(b"# coding: latin-1\n# gr\xfcn\n" + file.read_bytes())
    assert p2n.load(file).scheme.steps == 3


@pytest.mark.parametrize("name", ["heat.pde", "HEAT.PDE"])
def test_a_text_without_a_scheme_is_told_how_one_is_written(tmp_path: Path, name):
    (tmp_path / name).write_text("unknown u(x, y, t)\nequation u_t = laplacian(u)\n")
    with pytest.raises(p2n.FileError, match="has no scheme") as caught:
        load_whole(tmp_path / name)
    line = str(caught.value).split('"')[1]
    (tmp_path / name).write_text((tmp_path / name).read_text() + line)
    assert p2n.load(tmp_path / name).scheme == p2n.Explicit(tau=None, steps=10)
