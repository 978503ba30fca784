"""A time limit for work in pure Python, such as SymPy's, in whichever thread it runs."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

from pde2net.verify.ranges.record import UndecidedError

T = TypeVar("T")

AGAIN = 0.1  # seconds between attempts: one may be swallowed by a callback of the garbage collector


def within(seconds: float, what: str, work: Callable[[], T]) -> T:
    """work(), or UndecidedError after `seconds`.

    A second thread raises an exception in the one that called; SymPy offers no other way to be stopped,
    and signals reach the main thread only. The class is fresh, so that nested limits tell their own
    exception from an outer one, and no `except Exception` on the way swallows it. (One that was sent is
    never taken back: CPython 3.11 would look for it for ever, at the price of its speed.)
    """
    if seconds <= 0:
        raise UndecidedError(f"no time was left for {what}")

    class Expired(BaseException):
        pass

    thread = ctypes.c_ulong(threading.get_ident())
    lock, done = threading.Lock(), threading.Event()

    def watch() -> None:
        wait = seconds
        while not done.wait(wait):
            with lock:
                if not done.is_set():
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(Expired))
            wait = AGAIN

    def settle() -> None:
        """Send no more, and let an exception that is on its way arrive here."""
        while True:
            try:
                with lock:
                    done.set()
                for _ in range(1000):  # the interpreter looks for exceptions of other threads at every jump
                    pass
                return
            except Expired:
                continue

    watcher = threading.Thread(target=watch, daemon=True)
    try:
        watcher.start()
        try:
            return work()
        finally:
            settle()
    except Expired:
        settle()
        raise UndecidedError(f"{what} took longer than {seconds:.3g} s") from None
