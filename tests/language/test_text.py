"""The .pde language: what it says is what SymPy says, and back; errors point at the place."""

import itertools
import random
from pathlib import Path

import pytest
import sympy as sp
from emit.test_module import EQUATIONS, declared
from emit.test_schemes import CELLS, STACKS
from hypothesis import given
from hypothesis import strategies as st
from language.text_cases import mutated
from support import equation, lam, unknown, x, y

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.language.text.build import read

TEXT = """
# Perona-Malik
unknown   u(x, y, t)
parameter lambda > 0 = 0.1
let       g(s2) = 1 / (1 + s2 / lambda^2)
equation  u_t = div(g(|grad u|^2) * grad u)
boundary  reflecting
grid      h = 1
scheme    explicit(tau = 1/5, steps = 3)
"""
u, v = unknown(2), unknown(1)
f = sp.Function("f")(x, y)
c = sp.Function("c", nonnegative=True)(x, y)
s2 = norm2(grad(u))
beta = sp.Symbol("beta", nonnegative=True)


def heading(more=""):
    fields = "field f(x, y)\nfield c(x, y) >= 0\n"
    return f"unknown u(x, y, t)\n{fields}parameter lambda > 0\nparameter beta >= 0\n{more}"


def rhs(text, more=""):
    return read(f"{heading(more)}equation u_t = {text}", "text")[0].rhs


def test_a_text_is_the_problem_that_sympy_says():
    problem, scheme, grid = read(TEXT, "pm.pde")
    flux = grad(u) / (1 + s2 / lam**2)
    assert problem == p2n.Problem(equation(div(flux), 2), parameters={lam: 0.1})
    assert scheme == p2n.Explicit(tau=sp.Rational(1, 5), steps=3) and grid == p2n.Grid(spacing=1)


@pytest.mark.parametrize(
    "text,meant",
    [
        ("laplacian u - 2*f + u", laplacian(u) - 2 * f + u),
        ("-u^2*f", -(u**2) * f),
        ("2^-2*u", u / 4),
        ("u^2^3", u**8),
        ("u - f - c", u - f - c),
        ("u/f/c", u / (f * c)),
        ("u_xx + u_xy", u.diff(x, 2) + sp.Derivative(u, x, y)),
        ("u(x, y, t)*f(x, y)", u * f),
        ("diff(u_x^3, x) + diff(f, y, y)", sp.Derivative(u.diff(x) ** 3, x) + f.diff(y, 2)),
        ("|u| + |grad u| + |grad u|^4", sp.Abs(u) + sp.sqrt(s2) + s2**2),
        (
            "norm2(grad u) + dot(grad u, grad f)",
            s2 + sum(a * b for a, b in zip(grad(u), grad(f), strict=True)),
        ),
        ("div [u_x, lambda*u_y]", u.diff(x, 2) + sp.Derivative(lam * u.diff(y), y)),
        ("div(c*(grad u - grad f))", div(c * (grad(u) - grad(f)))),
        ("u if u < 1 and f >= 0 else f", sp.Piecewise((u, sp.And(u < 1, f >= 0)), (f, True))),
        ("(1 if u < 0 else 2 if u == 3 else 3)", sp.Piecewise((1, u < 0), (2, sp.Eq(u, 3)), (3, True))),
        ("min(u, 1) + max(u, f) + abs(u)*sqrt(c)", sp.Min(u, 1) + sp.Max(u, f) + sp.Abs(u) * sp.sqrt(c)),
        ("1.5e-1*u + .5 + 2.*pi", sp.Rational(3, 20) * u + sp.Rational(1, 2) + 2 * sp.pi),
        ("div(charbonnier(|grad u|^2, lambda)*grad u)", div(grad(u) / sp.sqrt(1 + s2 / lam**2))),
        ("x*u_y - y*u_x", x * u.diff(y) - y * u.diff(x)),
        ("exp(-beta)*tanh(u)", sp.exp(-beta) * sp.tanh(u)),
    ],
)
def test_expressions(text, meant):
    assert rhs(text) == meant


def test_definitions_have_arguments_of_their_own_and_see_what_is_above():
    found = rhs("a + h(2*u, f)", "let a = lambda*u\nlet h(p, u) = p*a + u\n")
    assert found == lam * u + 2 * u * lam * u + f
    with pytest.raises(p2n.TextError, match='no name "p"'):
        rhs("h(1) + p", "let h(p) = p\n")


def test_lines_that_begin_with_a_blank_continue_and_comments_end_lines():
    assert rhs("laplacian(u)  # diffusion\n  # and\n\n\t+ f # data\n    - u") == laplacian(u) + f - u
    for text in (TEXT.replace("\n", "\r\n"), TEXT.strip(), TEXT + "\n# end"):
        assert read(text, "pm.pde")[0] == read(TEXT, "pm.pde")[0]


def test_grids_and_boundaries_per_axis():
    text = TEXT.replace("reflecting", "x: periodic, y: dirichlet")
    text = text.replace("h = 1", "h_x = 1/2, h_y = 2, order = 4, gradient = central, origin = -1")
    problem, _, grid = read(text, "text")
    assert problem.boundary == {x: "periodic", y: "dirichlet"}
    assert grid.spacings((x, y)) == (sp.Rational(1, 2), 2) and grid.origins((x, y)) == (-1, -1)
    assert (grid.order, grid.gradient) == (4, "central")


# -- round trips ------------------------------------------------------------------------------------

SCHEMES = [
    *STACKS,
    *CELLS,
    p2n.Explicit(None, 7),
    p2n.DuFortFrankel(sp.Symbol("tau", positive=True)),
    p2n.Implicit(sp.oo, solver=p2n.Newton(tol=1e-5, preconditioner="multigrid", on_failure="error")),
    p2n.Multigrid(3, smoother="red-black", cycle="FMG", levels=4, damping=sp.Rational(2, 3)),
    p2n.Multigrid(sp.oo, tol=1e-6),
]
GRIDS = [
    p2n.Grid(),
    p2n.Grid(sp.Symbol("h", positive=True), order=4),
    p2n.Grid(sp.Rational(1, 3), gradient="staggered", origin=sp.Symbol("a", real=True)),
]


@pytest.mark.parametrize("name", EQUATIONS)
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_every_equation_survives(name, dim):
    problem, _ = declared(name, dim, "periodic")
    again = read(problem.to_text(), name)[0]
    assert again == problem
    assert again.to_text() == problem.to_text()


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.label)
@pytest.mark.parametrize("grid", GRIDS)
def test_every_scheme_and_grid_survives(scheme, grid):
    declaration = p2n.Declaration(p2n.Problem(equation(laplacian(u), 2)), scheme, grid)
    assert p2n.Declaration(*read(declaration.to_text(), "text")) == declaration


def test_conditions_keep_their_meaning():
    """The language has no parentheses for conditions, so (a or b) and c becomes (a and c) or (b and c)."""
    condition = sp.And(sp.Or(u < 0, f > 1), x < 2)
    problem = p2n.Problem(equation(sp.Piecewise((u, condition), (f, True)), 2))
    found = read(problem.to_text(), "text")[0].rhs
    for state, data, place in itertools.product((-1, 0.5), (0, 2), (1, 3)):
        values = {u: state, f: data, x: place}
        assert found.subs(values) == problem.rhs.subs(values)


def test_texts_are_for_people():
    flux = grad(u) / (1 + s2 / lam**2)
    problem = p2n.Problem(equation(div(flux) - beta * (u - f), 2), parameters={lam: 0.1, beta: 2})
    assert problem.to_text() == (
        "unknown   u(x, y, t)\n"
        "field     f(x, y)\n"
        "parameter beta >= 0 = 2\n"
        "parameter lambda > 0 = 1/10\n"
        "equation  u_t = -beta*(-f + u) + div(1/(1 + |grad u|^2/lambda^2) * grad u)\n"
        "boundary  reflecting\n"
    )
    quartic = p2n.Problem(equation(-laplacian(laplacian(u) / 3), 2))
    assert "u_t = -laplacian(laplacian(u)/3)" in quartic.to_text()


atoms = st.sampled_from(
    [u, f, c, lam, beta, x, y, u.diff(x), u.diff(y), *map(sp.Integer, (-2, -1, 1, 2, 3)), sp.pi]
)


def grown(inner):
    pairs = st.tuples(inner, inner)
    return st.one_of(
        pairs.map(lambda p: p[0] + p[1]),
        pairs.map(lambda p: p[0] * p[1]),
        pairs.map(lambda p: p[0] / (1 + p[1] ** 2)),
        pairs.map(lambda p: sp.Min(*p)),
        pairs.map(lambda p: sp.Piecewise((p[0], p[1] > 0), (p[1], True))),
        inner.map(lambda e: sp.Derivative(e * u, x)),
        inner.map(lambda e: div(e * grad(u))),
        inner.map(lambda e: -e),
        inner.map(lambda e: sp.sqrt(1 + e**2)),
        inner.map(lambda e: sp.tanh(e) ** 3),
    )


@given(st.recursive(atoms, grown, max_leaves=8))
def test_random_equations_survive(expression):
    try:
        problem = p2n.Problem(sp.Eq(u.diff(unknown(2).args[-1]), expression, evaluate=False))
    except p2n.Pde2NetError:
        return
    text = problem.to_text()
    assert read(text, "text")[0] == problem, text


# -- errors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old,new,where,words",
    [
        ("* grad u)", "* grad w)", (6, 42), 'no name "w"'),
        ("reflecting", "reflectin", (7, 11), 'Did you mean "reflecting"'),
        ("div(", "dvi(", (6, 17), 'no function "dvi". Did you mean "div"'),
        ("u_t =", "u_t", (6, 15), '"div" is not expected here, but an operation such as + or * or "="'),
        ("equation", "equatoin", (6, 1), 'cannot begin with "equatoin". Did you mean "equation"'),
        ("* grad u)", "* grad u", (6, 43), "the end of the line is not expected here, but"),
        ("tau = 1/5", "tau = __import__('os')", (9, 37), "not expected"),
        ("tau = 1/5, ", "", (9, 1), "tau = largest"),
        ("steps = 3", "step = 3", (9, 31), 'Did you mean "steps"'),
        ("steps = 3", "steps = 0", (9, 31), "at least 1"),
        ("explicit(", "explicite(", (9, 11), 'Did you mean "explicit"'),
        ("h = 1", "h = -1", (8, 1), "must be positive"),
        ("h = 1", "h_z = 1", (8, 11), 'no option "h_z"'),
        ("h = 1", "h = 1, h_x = 2", (8, 18), "given twice"),
        ("h = 1", "h_x = 1, h = 2", (8, 20), "given twice"),
        ("h = 1", "order = 2, order = 4", (8, 22), "given twice"),
        ("h = 1", "gradient = 2", (8, 22), "one of forward"),
        ("* grad u)", "* u)", (6, 17), "div takes a vector"),
        ("u_t", "v_t", (6, 11), 'no name "v_t" here. Did you mean "u_t"'),
        ("u_t", "laplacian(u)", (6, 1), "u_t on its left, or as a term"),
        ("g(s2) =", "u(s2) =", (5, 11), "taken already"),
        ("g(s2) =", "exp(s2) =", (5, 11), "taken already"),
        ("g(|grad", "g(1, |grad", (6, 21), "takes 1 arguments, not 2"),
        ("|grad u|", "abs(grad u)", (6, 27), "the length of a vector is |grad u|"),
        ("|grad u|", "exp(grad u)", (6, 27), "exp takes a scalar, not a vector."),
        ("> 0 = 0.1", "> 1 = 0.1", (4, 18), "only the sign"),
        ("tau = 1/5", "tau = max", (9, 26), "tau = largest"),
        ("u_t", "du/dt", (6, 14), "derivatives in time are written u_t"),
        ("u_t", "u_tt", (6, 11), "of waves"),
        ("grad u)", "grad u) + abs", (6, 47), "abs is a function: write abs(...)."),
        ("grad u)", "grad u) - u**2", (6, 49), "Powers are written u^2."),
        ("grad u)", "∇u)", (6, 37), "grad u, div(...)"),
        ("> 0 = 0.1", "> 0 = -0.1", (6, 1), "positive"),
        ("1 / (1", "1 / (1 / 0", (5, 24), "cannot be computed"),
        ("lambda^2)", "lambda^(10^9))", (5, 33), "exponent"),
        ("1 / (1", "10^100^2 / (1", (5, 19), "exponent"),
        ("1 / (1", "1e999 / (1", (5, 19), "exponent of a number"),
        ("1 / (1", f"{'1' * 80} / (1", (5, 19), "too long"),
        ("boundary  reflecting", "boundary  x: periodic", (7, 1), "each axis"),
        ("scheme", "equation u_t = u\nscheme", (9, 1), "second equation"),
        ("u(x, y, t)", "u(x, y)", (3, 11), "depends on time"),
    ],
)
def test_errors_show_the_line_with_a_caret(old, new, where, words):
    text = TEXT.replace(old, new)
    with pytest.raises(p2n.TextError) as caught:
        read(text, "bad.pde")
    first, line, caret = str(caught.value).split("\n")[:3]
    assert first.startswith(f"bad.pde, line {where[0]}, column {where[1]}: ") and words in first
    assert line.strip() in text.splitlines()[where[0] - 1]
    assert caret == " " * (where[1] + 3) + "^"


def test_what_is_missing_is_said():
    for text, words in (("", "empty"), ("# nothing", "empty"), ("unknown u(x, t)", "no equation")):
        with pytest.raises(p2n.TextError, match=words):
            read(text, "bad.pde")
    with pytest.raises(p2n.TextError, match="declare the unknown above"):
        read("equation u_t = 1", "bad.pde")


def test_sizes_are_bounded():
    doubling = "\n".join(f"let a{k + 1} = sin(a{k})*cos(a{k}) + a{k}" for k in range(60))
    long = "unknown u(x, t)\nequation u_t = " + "+".join(["u"] * 9000)
    for text in (
        TEXT.replace("1 / (1", "(" * 5000 + "1 / (1"),
        TEXT.replace("1 / (1", "-" * 5000 + "1 / (1"),
        f"unknown u(x, t)\nlet a0 = u\n{doubling}\nequation u_t = a60",
        "x" * 30_000,
        long + "*2" * 3000,
    ):
        with pytest.raises(p2n.TextError):
            read(text, "bad.pde")
    assert read(long, "text")[0].rhs == 9000 * v


def test_files_are_read_as_text(tmp_path):
    path = tmp_path / "pm.pde"
    path.write_text(TEXT)
    loaded = p2n.load(path)
    assert loaded == p2n.Declaration(*read(TEXT, "pm.pde"))
    path.write_text(TEXT.replace("scheme", "# scheme"))
    assert p2n.load(path).problem == loaded.problem
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(p2n.FileError, match="UTF-8"):
        p2n.load(path)


def test_a_text_without_a_scheme_is_a_problem(tmp_path):
    path = tmp_path / "pm.pde"
    path.write_text(TEXT.replace("scheme", "# scheme"))
    declared, whole = p2n.load(path), p2n.Declaration(*read(TEXT, "pm.pde"))
    assert (declared.problem, declared.grid, declared.has_scheme) == (whole.problem, whole.grid, False)
    assert declared != whole and hash(declared) != hash(whole)
    assert p2n.Declaration(*read(declared.to_text(), "text")) == declared
    for asks in (lambda: declared.scheme, declared.to_data):
        with pytest.raises(p2n.DeclarationError, match="no scheme: choose one") as error:
            asks()
        assert "scheme explicit(" in error.value.to_author_of_text
    assert p2n.advise(declared.problem, 2, declared.grid).best.stable == "proved"


def test_the_example_is_the_python_one():
    folder = Path(__file__).parents[2] / "examples"
    text, python = (p2n.load(folder / f"perona_malik.{kind}") for kind in ("pde", "py"))
    assert text == python


SKETCH = """// A circle that follows the mouse.
import processing.sound.*;
void setup() {
  size(200, 200);
}
"""


@pytest.mark.parametrize("text", [SKETCH, "int n = 3;\n  void draw ( ) { }", "/" * 30_000 + SKETCH])
def test_a_sketch_of_processing_is_told_from_a_text(tmp_path, text):
    path = tmp_path / "sketch.pde"
    path.write_text(text)
    with pytest.raises(p2n.TextError, match=r"sketch\.pde is a sketch of Processing.*unknown u\(x, y, t\)"):
        p2n.load(path)


def test_no_text_is_taken_for_a_sketch():
    assert read(f"# void setup() {{ }}\n{TEXT}", "pm.pde")[0] == read(TEXT, "pm.pde")[0]


@pytest.mark.parametrize(
    "wrong,meant", [("operater K(out = 2, size = 3)", "operator"), ("chanels 3", "channels")]
)
def test_every_statement_is_suggested(wrong, meant):
    with pytest.raises(p2n.TextError, match=f'Did you mean "{meant}"'):
        read(f"{wrong}\n{TEXT}", "pm.pde")


def test_mutated_texts_are_read_or_refused():
    """A small part of `make fuzz-text`."""
    source = random.Random(0)
    for _ in range(300):
        text = mutated(source)
        try:
            read(text, "text")
        except p2n.Pde2NetError as error:
            assert str(error).startswith("text")
