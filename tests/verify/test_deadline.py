"""Time limits end work that SymPy would never end, wherever the exception lands."""

import contextlib
import time

import pytest
import sympy as sp

import pde2net as p2n
from pde2net import deadline
from pde2net.verify.ranges import UndecidedError, within


def forever():
    while True:
        time.monotonic()


def test_work_within_the_limit_returns():
    assert within(60, "nothing", lambda: 7) == 7


def test_work_without_end_is_stopped():
    with pytest.raises(UndecidedError, match=r"the question took too long"):
        within(0.05, "the question", forever)


def test_work_inside_has_as_much_time_as_patience_gives():
    """And what has expired has none."""
    with deadline.paced(4, ["another question"]):
        start = time.thread_time()
        with pytest.raises(UndecidedError, match=r"the question took too long"):
            within(0.05, "the question", forever)
        assert time.thread_time() - start >= 0.2
        with pytest.raises(UndecidedError, match="another question took too long"):
            within(60, "another question", lambda: 7)
        assert deadline.expired("another question") and not deadline.expired("the question")
    assert within(60, "another question", lambda: 7) == 7


def test_an_exception_that_was_swallowed_is_sent_again():
    def stubborn():
        for _ in range(2):
            with contextlib.suppress(BaseException):
                forever()
        forever()

    with pytest.raises(UndecidedError):
        within(0.05, "the question", stubborn)


def test_the_inner_limit_is_told_from_the_outer_one():
    def outer():
        with pytest.raises(UndecidedError, match="inner"):
            within(0.05, "the inner question", forever)
        return "went on"

    assert within(60, "the outer question", outer) == "went on"
    with pytest.raises(UndecidedError, match="outer"):
        within(0.05, "the outer question", lambda: within(60, "the inner question", forever))


def test_no_time_is_no_answer():
    with pytest.raises(UndecidedError, match="took too long"):
        within(0.0, "the question", lambda: 7)


def test_errors_of_the_work_come_through():
    with pytest.raises(ZeroDivisionError):
        within(60, "a division", lambda: 1 // 0)


@pytest.mark.parametrize("power", [6_000, 40_000])
def test_numbers_of_thousands_of_digits_are_refused(power):
    """SymPy would look for their factors, for ever: 3^40000 has 63 000 bits, the square of 3^6000 19 000."""
    x, t = sp.symbols("x t", real=True)
    u = sp.Function("u")(x, t)
    slope, a = u.diff(x), sp.Symbol("a", positive=True)
    flux = slope * a**2 / (1 + slope**2)
    number, step = sp.Integer(3) ** power + 2, p2n.Explicit(tau=1, steps=1)
    if power > 10_000:
        with pytest.raises(p2n.DeclarationError, match="a has a number of more than 10000 bits"):
            p2n.Problem(sp.Eq(u.diff(t), flux.diff(x)), parameters={a: number})
        with pytest.raises(p2n.DeclarationError, match="side has a number of more than 10000 bits"):
            p2n.Problem(sp.Eq(u.diff(t), number * u.diff(x, 2)))
        with pytest.raises(p2n.DeclarationError, match="more than 10000 bits"):
            p2n.Explicit(tau=1 / number, steps=1)
        return
    problem = p2n.Problem(sp.Eq(u.diff(t), flux.diff(x)), parameters={a: number})
    assert p2n.verify(problem, step).claims["l2_stability"].status != "proved"
