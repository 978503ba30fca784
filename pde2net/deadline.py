"""A time limit for work in pure Python, such as SymPy's, in whichever thread it runs.

Limits count the processor time of the thread, so that answers do not depend on what else a machine does.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

_PATIENCE: ContextVar[float] = ContextVar("patience", default=1.0)
_EXPIRED: ContextVar[frozenset[str]] = ContextVar("expired", default=frozenset())
_RAN_OUT: ContextVar[list[str]] = ContextVar("ran_out")
AGAIN = 0.1  # seconds between attempts: one may be swallowed by a callback of the garbage collector


@contextlib.contextmanager
def paced(patience: float = 1.0, expired: Iterable[str] = ()) -> Iterator[None]:
    """Work inside has `patience` times as long as its limits say; that named in `expired` has no time at all.

    So what was found on another machine is found again: where time ran out there, it runs out here.
    """
    before = _PATIENCE.set(_PATIENCE.get() * patience), _EXPIRED.set(_EXPIRED.get() | set(expired))
    try:
        yield
    finally:
        _PATIENCE.reset(before[0])
        _EXPIRED.reset(before[1])


@contextlib.contextmanager
def recorded() -> Iterator[list[str]]:
    """What time runs out for inside; not what was part of other work that time ran out for."""
    names = list[str]()
    token = _RAN_OUT.set(names)
    try:
        yield names
    finally:
        _RAN_OUT.reset(token)


def expired(what: str) -> bool:
    """Whether some work is to have no time."""
    return what in _EXPIRED.get()


def thread_time() -> float:
    """Processor time of this thread, in the seconds that limits are given in."""
    return time.thread_time() / _PATIENCE.get()


def within(seconds: float, what: str, work: Callable[[], T], error: Callable[[str], Exception]) -> T:
    """work(), or `error` with a message, the same on every machine, after `seconds` of processor time.

    A second thread raises an exception in the one that called; SymPy offers no other way to be stopped,
    and signals reach the main thread only. The class is fresh, so that nested limits tell their own
    exception from an outer one, and no `except Exception` on the way swallows it. (One that was sent is
    never taken back: CPython 3.11 would look for it for ever, at the price of its speed.)
    """
    names = _RAN_OUT.get([])
    before = len(names)

    def late() -> Exception:
        names[before:] = [what]
        return error(f"{what} took too long")

    if seconds <= 0 or expired(what):
        raise late()
    allowed = seconds * _PATIENCE.get()

    class Expired(BaseException):
        pass

    thread = ctypes.c_ulong(threading.get_ident())
    lock, done = threading.Lock(), threading.Event()

    clock = _clock()
    end = clock() + allowed

    def watch() -> None:
        left = allowed
        while not done.wait(max(left, AGAIN)):
            left = end - clock()
            with lock:
                if left <= 0 and not done.is_set():
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(Expired))

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
        raise late() from None


def _clock() -> Callable[[], float]:
    """Processor time of this thread, to be read by others; of the process where no system call tells."""
    if not hasattr(time, "pthread_getcpuclockid"):
        return time.process_time
    clock = time.pthread_getcpuclockid(threading.get_ident())
    return lambda: time.clock_gettime(clock)
