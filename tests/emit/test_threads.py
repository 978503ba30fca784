"""Kernels in threads: those of torch, others where it has none, and in forks."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import sympy as sp
import torch
from support import uncertified

import pde2net as p2n
from pde2net import laplacian

x, y, t = sp.symbols("x y t", real=True)
u = sp.Function("u")(x, y, t)
HEAT = p2n.Problem(sp.Eq(u.diff(t), laplacian(u)))
NETWORK = uncertified(HEAT, p2n.Explicit(sp.Rational(1, 8), 3))


def text_of(module: torch.nn.Module) -> dict[str, Any]:
    return vars(sys.modules[type(module).__module__])


@pytest.fixture(params=["torch's", "others"])
def at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, uncompiled: None) -> Callable:
    text = text_of(NETWORK.module(backend="numba"))
    if request.param == "others":
        monkeypatch.setitem(text, "team", lambda process: None)
    else:
        text["team"].cache_clear()
        over = threading.Event()
        other = threading.Thread(target=over.wait)  # a fork has only one
        other.start()
        found = text["team"](os.getpid())
        over.set()
        if found is None:
            pytest.skip("torch has no OpenMP with the interface of GNU")
    made: Callable = text["at_once"]
    return made


def test_all_is_done_once_and_errors_are_raised(at_once: Callable) -> None:
    done, seen = list[int](), set[int]()

    def task(k: int) -> None:
        seen.add(threading.get_ident())
        time.sleep(0.01)
        done.append(k)

    for threads in (1, 2, 5):
        done.clear()
        at_once([lambda k=k: task(k) for k in range(12)], threads)
        assert sorted(done) == list(range(12))
    assert len(seen) > 1

    def failing() -> None:
        raise KeyboardInterrupt

    for threads in (1, 3):
        done.clear()
        with pytest.raises(KeyboardInterrupt):
            at_once([failing, *(lambda k=k: task(k) for k in range(4))], threads)
        at_once([lambda: task(7)], threads)
        assert 7 in done


def test_who_is_free_takes_what_is_left(at_once: Callable) -> None:
    """One long piece of work does not keep the others waiting."""
    held, done = threading.Event(), list[int]()

    def last(k: int) -> None:
        done.append(k)
        if len(done) == 6:
            held.set()

    at_once([lambda: held.wait(60), *(lambda k=k: last(k) for k in range(6))], 2)
    assert held.is_set()


SIGNALS = """
import os, signal, sys, threading, time, torch
import pde2net as p2n
torch.set_num_threads(2)
heat = "unknown u(x, y, t)\\nequation u_t = laplacian(u)\\nscheme explicit(tau = 1/8, steps = 1)"
module = p2n.compile(p2n.parse(heat)).module(backend="numba").double()
at_once = vars(sys.modules[type(module).__module__])["at_once"]
ready, caught, over, done = threading.Event(), threading.Event(), [], []

def task():
    done.append(sum(range(3000)))

def send():
    for k in range(150):
        ready.wait()
        ready.clear()
        time.sleep(0.001 * (k % 7))
        os.kill(os.getpid(), signal.SIGINT)
        if not caught.wait(10):
            print("lost", k)
            ready.set()
        caught.clear()
    over.append(True)

threading.Thread(target=send).start()
while not over:
    try:
        ready.set()
        while not over:
            done.clear()
            at_once([task] * 4, 2)
            assert len(done) == 4
    except KeyboardInterrupt:
        caught.set()
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "kill"), reason="no signals")
def test_interrupts_reach_who_calls() -> None:
    """Also those that come when a thread of torch is about to begin; results are whole."""
    command = [sys.executable, "-c", SIGNALS]
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    found = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600)
    assert (found.stdout, found.stderr) == ("done\n", "")


FORK = """
import multiprocessing, os, sys, torch
import pde2net as p2n
torch.set_num_threads(2)
image = torch.rand(1, 1, 64, 64)
heat = "unknown u(x, y, t)\\nequation u_t = laplacian(u)\\nscheme explicit(tau = 1/8, steps = 3)"
made = p2n.compile(p2n.parse(heat))

def result():
    module = made.module(backend="numba").double()
    vars(sys.modules[type(module).__module__])["ENOUGH"] = 1
    return module(image.double())

if sys.argv[1] == "before":
    want = result()
(torch.rand(1 << 20) * 2).sum()
context = multiprocessing.get_context("fork")

process = context.Process(target=result)
process.start()
process.join(300)
assert process.exitcode == 0, process.exitcode
child = os.fork()
if not child:
    found = result()
    os._exit(0 if sys.argv[1] == "after" or torch.equal(found, want) else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks")
@pytest.mark.parametrize("when", ["before", "after"])
def test_forks_have_threads_of_their_own(when: str) -> None:
    """Where kernels ran before the fork, and where torch alone did: its threads are lost in the child."""
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-c", FORK, when]
    found = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600)
    assert found.stdout == "done\n", found.stderr
