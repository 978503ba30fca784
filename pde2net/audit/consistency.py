"""Consistency: orders and the leading error in h are measured."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import sympy as sp

from pde2net.audit.clock import at_time
from pde2net.audit.exactly import NoOpinionError
from pde2net.audit.order import SEEDS, Measured, functions, numbers_for
from pde2net.audit.time import in_time
from pde2net.discretise.semidiscretise import Semidiscrete, semidiscretise
from pde2net.network import Network
from pde2net.normalise.recognise import recognise
from pde2net.verify.certificate import Claim, Status

CLOSE = 2e-4  # of a measured leading error, extrapolated to h = 0
_TAU, _H = ("order in tau", "leading error in tau"), ("order in h", "leading error in h")


def disagreements(network: Network, semi: Semidiscrete, claim: Claim) -> Iterator[str]:
    """What is wrong with figures of consistency, measured for `semi`.

    Coefficients that contain t are those of one time: the error in h is one at each.
    """
    if claim.status != Status.PROVED:
        return
    figures = {k: v for h in claim.hypotheses for k, v in h.figures.items()}
    problem, still = semi.form.problem, semi
    now = {problem.time: sp.Rational(1, 3)} if problem.depends_on_time else {}
    if now:
        still = semidiscretise(recognise(at_time(problem, now[problem.time])), semi.grid)
    expected = in_time(network, semi)
    measured = Measured(still.one_channel, expected.measure, expected.order)
    for name, order in zip((_TAU[0], _H[0]), measured.orders, strict=True):
        if name not in figures or order is None or figures[name] == order:
            continue
        if name == _H[0] and _H[1] not in figures and 0 < figures[name] < order:
            continue  # no more than a bound, that of an expansion that took too long
        # A small leading error hides behind the next power until h is tiny.
        if name != _H[0] or not 0 < figures[name] < order or not measured.shows(int(figures[name])):
            yield f"The {name} is {order}, as measured, not {figures[name]}."
    leading = figures.get(_TAU[1])
    if leading is not None and expected.leading is not None and sp.expand(leading - expected.leading) != 0:
        yield f"The leading error in tau is {expected.leading}, not {leading}."
    if _H[1] in figures and not _leads(figures[_H[1]].subs(now), measured):
        yield f"The leading error in h is not {figures[_H[1]]}."


def _leads(leading: sp.Expr, measured: Measured) -> bool:
    """Whether A(u) - A_h(u) tends to `leading` at a smooth function: where it is small, others hide it."""
    cases = zip(measured.in_h, SEEDS, strict=False)
    return any(_fits(leading, measured.semi, errors, seed) for errors, seed in cases)


def _fits(leading: sp.Expr, semi: Semidiscrete, errors: list[float], seed: int) -> bool:
    at = dict.fromkeys(semi.form.space, sp.Rational(1, 3))
    jets = {str(f.func): e for f, e in functions(semi, seed).items()}
    known = {s.name: v for s, v in (*numbers_for(semi).items(), *at.items())}
    misses = []
    for k, error in enumerate(errors):
        values = {}
        for symbol in leading.free_symbols:
            name, _, letters = symbol.name.partition("_")
            if symbol.name in known:
                values[symbol] = known[symbol.name]
            elif (name := name if name in jets else name.removesuffix("1")) in jets:  # u1: the first channel
                axes = [a for letter in letters for a in semi.form.space if a.name == letter]
                values[symbol] = sp.diff(jets[name], *axes).subs(at) if axes else jets[name].subs(at)
            elif symbol.name != "h" and name != "h" and symbol not in semi.spacing:
                raise NoOpinionError(f"{symbol} is not known")
            else:
                values[symbol] = sp.Rational(1, 10 * 2**k)
        misses.append(float(sp.N(leading.subs(values))) / error + 1)
    steps = list(itertools.pairwise(misses))
    ways = ([abs(2 * b - a) for a, b in steps], [abs(4 * b - a) / 3 for a, b in steps])
    near = min((max(pair) for way in ways for pair in itertools.pairwise(way)), default=0.0)
    return near < (CLOSE if len(errors) > 4 else 25 * CLOSE)
