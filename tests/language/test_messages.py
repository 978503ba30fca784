"""What an error says: the remedy, by the names that the user has."""

import pytest
import sympy as sp

import pde2net as p2n
from pde2net import laplacian

x, y, t = sp.symbols("x y t", real=True)
u = sp.Function("u")(x, y, t)
HEAT = sp.Eq(u.diff(t), laplacian(u))
LINES = "unknown u(x, y, t)\nequation u_t = laplacian(u)\n{}\nscheme {}\n"
STEP = "explicit(tau = 1/9, steps = 1)"


@pytest.mark.parametrize(
    "make,words",
    [
        (lambda: p2n.Grid(spacing=(1, 2)), r"\{x: 1, y: 2\}"),
        (lambda: p2n.Grid(origin=[0, 1, 2]), r"\{x: 0, y: 1, z: 2\}"),
        (
            lambda: p2n.Problem(HEAT, boundary={x: ("periodic", "dirichlet"), y: "periodic"}),
            "border of both sides",
        ),
        (lambda: p2n.Problem(HEAT, boundary=("periodic", "dirichlet")), "border of both sides"),
        *((lambda v=v: p2n.Problem(HEAT, parameters=v), "maps symbols or names") for v in (3, [x], "x")),
        *(
            (lambda g=g: p2n.Problem(sp.Eq(u.diff(t), (g * u.diff(x)).diff(x))), r"sp\.Derivative\(flux, x\)")
            for g in (sp.Max(u.diff(x), 0), sp.Min(u, 1), sp.Abs(u.diff(x)))
        ),
    ],
)
def test_errors_name_what_to_write_instead(make, words):
    with pytest.raises(p2n.Pde2NetError, match=words):
        make()


def test_one_smoother_has_one_meaning_in_both_spellings(tmp_path):
    schemes = {p2n.Multigrid(1, 1, smoother=name) for name in ("red_black", "red-black")}
    (tmp_path / "a.pde").write_text(LINES.format("", "multigrid(tau = 1, steps = 1, smoother = red_black)"))
    assert schemes == {p2n.load(tmp_path / "a.pde").scheme}


def test_a_text_with_a_pair_of_spacings_names_those_of_the_axes(tmp_path):
    (tmp_path / "a.pde").write_text(LINES.format("grid h = (1, 2)", STEP))
    with pytest.raises(p2n.Pde2NetError, match="h_x = 1, h_y = 2"):
        p2n.load(tmp_path / "a.pde")


lam = sp.Symbol("lambda", positive=True)
K = p2n.LinearOperator("K", 2, 3)
LEARNED = sp.Eq(u.diff(t), -lam * K.adjoint(K(u)))


@pytest.mark.parametrize(
    "chosen,name", [(lam, "lambda"), ("lambda", "lambda"), (K, "K"), ("K", "K"), ("tau", "tau")]
)
@pytest.mark.parametrize(
    "wrap", [lambda v: v, lambda v: [v], lambda v: (v,), lambda v: {v}, lambda v: iter([v])]
)
def test_one_to_train_needs_no_list(chosen, name, wrap):
    problem = p2n.Problem(LEARNED, parameters={lam: 1})
    network = p2n.compile(problem, p2n.Explicit(tau=sp.Rational(1, 9)), trainable=wrap(chosen))
    assert network.trainable == (name,)


@pytest.mark.parametrize("chosen", [None, 3, True])
def test_what_cannot_be_trained_is_refused_in_words(chosen):
    with pytest.raises(p2n.DeclarationError, match="trainable takes parameters"):
        p2n.compile(p2n.Problem(HEAT), p2n.Explicit(tau=sp.Rational(1, 9)), trainable=chosen)


def test_one_number_of_cycles_needs_no_list():
    one, listed = (p2n.advise(p2n.Problem(HEAT), 4, cycles=c) for c in (3, [3]))
    assert one.rows == listed.rows
