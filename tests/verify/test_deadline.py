"""Time limits end work that SymPy would never end, wherever the exception lands."""

import contextlib
import time

import pytest

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
