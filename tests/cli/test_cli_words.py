"""Texts are told what to write in texts, Python in Python."""

import re
from pathlib import Path

import pytest

import pde2net as p2n

PYTHON = r"p2n\.|sp\.|\bNone\b|Problem\(|\w=\w|[\[\]{}]"
LINES = {
    "unknown": "u(x, y, t)",
    "parameter": "k > 0",
    "equation": "u_t = laplacian(u)",
    "grid": "h = 1",
    "scheme": "explicit(tau = 1/5, steps = 2)",
}
CASES = {
    "no value": ({"equation": "u_t = k * laplacian(u)"}, "k has no value", "parameter k > 0 = 1"),
    "no value below 0": (
        {"parameter": "k < 0", "equation": "u_t = -k * laplacian(u)"},
        "k has no value",
        "parameter k < 0 = -1",
    ),
    "no sign": (
        {"parameter": "k", "scheme": "explicit(tau = k)"},
        "not known to be positive",
        "parameter k > 0",
    ),
    "unstable": (
        {"scheme": "explicit(tau = 3/10, steps = 2)"},
        "largest stable step is tau = 1/4",
        "tau = largest",
    ),
    "advice": ({"scheme": "explicit(tau = 3/10, steps = 2)"}, "unstable", "pde2net advise FILE"),
    "all the same": ({"scheme": "explicit(tau = 3/10)"}, "unstable", "--on-unstable warn"),
    "no largest step": ({"scheme": "implicit(tau = largest)"}, "every tau is stable", "give a number"),
    "no proved step": (
        {"equation": "u_t = u_xx - u^3", "scheme": "explicit(tau = largest)"},
        "none is proved",
        "largest proved step",
    ),
    "learned": (
        {"operator": "K(out = 2, size = 3)", "equation": "u_t = -adjoint K(K(u))"}
        | {"scheme": "explicit(tau = largest)"},
        "computed from its weights",
        "tau = largest",
    ),
    "no function": ({"equation": "u_t = laplacian(1)"}, "contains no function of space", "laplacian(1)"),
    "tensor": (
        {"equation": "u_t = div(tensor(grad(smooth(u, 1)), 1/2, 1) * grad u)"}
        | {"grid": "order = 4, gradient = staggered"},
        "of order 2",
        "gradient = forward",
    ),
}


def written(path: Path, changes: dict[str, str]) -> Path:
    """A text with these statements; a parameter is declared where the others have k."""
    lines = LINES | changes
    order = ["unknown", "operator", "parameter", "equation", "grid", "scheme"]
    used = any(re.search(r"\bk\b", lines[key]) for key in ("equation", "scheme"))
    shown = [key for key in order if key in lines and (key != "parameter" or used)]
    path.write_text("".join(f"{key} {lines[key]}\n" for key in shown))
    return path


@pytest.mark.parametrize("case", CASES)
def test_remedies_for_texts_are_texts(command, tmp_path: Path, case):
    changes, problem, remedy = CASES[case]
    result = command("compile", written(tmp_path / "file.pde", changes))
    said = result.err.splitlines()[0]
    assert result.status and problem in said
    assert remedy in result.err
    assert not re.search(PYTHON, said.replace("keep_stable=True", "")), said


def test_the_value_that_is_asked_for_is_one(command, tmp_path: Path):
    file = written(tmp_path / "file.pde", CASES["no value"][0])
    line = re.findall(r'"(.*?)"', command("compile", file).err)[0]
    text = file.read_text()
    file.write_text(text.replace("parameter k > 0", line))
    assert command("compile", file).status == 0


def test_python_is_told_python(command, heat):
    result = command("compile", heat(tau="0.3"))
    assert "tau=None" in result.err and "p2n.advise(problem" in result.err
    assert "Problem(..., parameters={h: ...})" in command("compile", heat(tau="0.01", h="h")).err


def test_warnings_are_told_alike(command, heat, tmp_path: Path):
    file = written(tmp_path / "file.pde", CASES["unstable"][0])
    said = command("compile", file, "-o", "net.py", "--on-unstable", "warn").err
    assert "tau = largest" in said and not re.search(PYTHON, said)
    assert "tau=None" in command("compile", heat(tau="0.3"), "--on-unstable", "warn").err
    with pytest.warns(p2n.StabilityWarning, match="tau=None"):  # called from Python
        declared = p2n.load(file)
        p2n.compile(declared.problem, declared.scheme, on_unstable="warn")
