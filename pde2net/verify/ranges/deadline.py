"""A time limit for work in pure Python, such as SymPy's, in whichever thread it runs."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

from pde2net.verify.ranges.record import UndecidedError

T = TypeVar("T")


def within(seconds: float, what: str, work: Callable[[], T]) -> T:
    """work(), or UndecidedError after `seconds`.

    A timer raises an exception in the thread that called; SymPy offers no other way to be stopped,
    and signals reach the main thread only. The class is fresh, so that nested limits tell their own
    exception from an outer one, and no `except Exception` on the way swallows it.
    """
    if seconds <= 0:
        raise UndecidedError(f"no time was left for {what}")

    class Expired(BaseException):
        pass

    thread = ctypes.c_ulong(threading.get_ident())
    lock = threading.Lock()
    state = {"done": False, "fired": False}

    def fire() -> None:
        with lock:
            if not state["done"]:
                state["fired"] = True
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(Expired))

    timer = threading.Timer(seconds, fire)
    timer.daemon = True
    try:
        timer.start()
        try:
            return work()
        finally:
            with lock:
                state["done"] = True
                if state["fired"]:  # it may not have been delivered yet, and no longer should be
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, None)
            timer.cancel()
    except Expired:
        timer.cancel()
        raise UndecidedError(f"{what} took longer than {seconds:.3g} s") from None
