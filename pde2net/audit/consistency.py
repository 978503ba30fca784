"""Consistency: orders and the leading error in h are measured, words may hold no other figures."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

import sympy as sp

from pde2net.audit.order import SEEDS, Measured, functions, numbers_for
from pde2net.audit.time import in_time
from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.language.expressions import to_text
from pde2net.verify.certificate import Certificate, Claim, Status

CLOSE = 2e-4  # of a measured leading error, extrapolated to h = 0
_WORDS = r"Strikwerda 2004, section 1\.4|h\^\(p\+1\)|keeps order 2"
_TAU, _H = ("order in tau", "leading error in tau"), ("order in h", "leading error in h")


def disagreements(
    certificate: Certificate, semi: Semidiscrete, now: Mapping[sp.Symbol, sp.Expr], still: Semidiscrete
) -> Iterator[str]:
    """What is wrong with the claim of consistency, if it is made.

    Orders are measured for `still`, whose coefficients are those of the time `now`.
    """
    claim = certificate.claims["consistency"]
    if claim.status != Status.PROVED:
        if claim.status not in (Status.UNKNOWN, Status.NOT_APPLICABLE) or claim.hypotheses:
            yield f"Consistency cannot be {claim.status}."
        return
    if claim.witness is not None or claim.factor is not None or claim.limit is not None:
        yield "Consistency has neither a limit nor a factor nor a counterexample."
    figures = {k: v for h in claim.hypotheses for k, v in h.figures.items()}
    expected = in_time(certificate, semi)
    measured = Measured(still.one_channel, expected.measure, expected.order)
    for name, order in zip((_TAU[0], _H[0]), measured.orders, strict=True):
        if name not in figures or order is None or figures[name] == order:
            continue
        if name == _H[0] and _H[1] not in figures and 0 < figures[name] < order:
            continue  # no more than a bound, that of an expansion that took too long
        # A small leading error hides behind the next power until h is tiny.
        if name != _H[0] or not 0 < figures[name] < order or not measured.shows(int(figures[name])):
            yield f"The {name} is {order}, as measured, not {figures[name]}."
    if tuple(h for h in claim.hypotheses if h.name not in ("expansion", "smoothness")) != expected.assumed:
        yield "Consistency must list what is assumed of the solver, and no more."
    leading = figures.get(_TAU[1], expected.leading)
    if leading is not None and (expected.leading is None or sp.expand(leading - expected.leading) != 0):
        yield f"The leading error in tau is {expected.leading or 'not known'}."
    if _H[1] in figures and not _leads(figures[_H[1]].subs(now), measured):
        yield f"The leading error in h is not {figures[_H[1]]}."
    if set(figures) - {*_TAU, *_H} or not _worded(claim, semi, expected.words, expected.order):
        yield "The words about consistency have figures that are not those of the claim."


def _leads(leading: sp.Expr, measured: Measured) -> bool:
    """Whether A(u) - A_h(u) tends to `leading` at smooth functions."""
    cases = zip(measured.in_h, SEEDS, strict=False)
    return all(_fits(leading, measured.semi, errors, seed) for errors, seed in cases)


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
            elif name in jets:
                axes = [a for letter in letters for a in semi.form.space if a.name == letter]
                values[symbol] = sp.diff(jets[name], *axes).subs(at) if axes else jets[name].subs(at)
            else:  # a spacing
                values[symbol] = sp.Rational(1, 10 * 2**k)
        misses.append(float(sp.N(leading.subs(values))) / error + 1)
    steps = list(itertools.pairwise(misses))
    ways = ([abs(2 * b - a) for a, b in steps], [abs(4 * b - a) / 3 for a, b in steps])
    near = min((max(pair) for way in ways for pair in itertools.pairwise(way)), default=0.0)
    return near < (CLOSE if len(errors) > 4 else 25 * CLOSE)


def _worded(claim: Claim, semi: Semidiscrete, particular: Sequence[str], in_tau: int) -> bool:
    figures = {k: v for h in claim.hypotheses for k, v in h.figures.items()}
    order = int(figures.get(_H[0], 1))
    known = []
    for figure in (figures[k] for k in (_TAU[1], _H[1]) if k in figures):
        # JSON keeps the value of an expression, but SymPy may group it otherwise than before.
        forms = (figure, sp.factor_terms(figure), sp.expand(figure))
        known += [to_text(e) for form in forms for e in (form, -form)]
    in_h = {f"{h}**{order}" for h in ("h", *(f"h_{a}" for a in semi.form.space), *semi.spacing)}
    for text in (claim.theorem, claim.reason, *(w for h in claim.hypotheses for w in (h.statement, h.how))):
        powers = re.findall(r"h\^(\d+)", text)
        if powers and powers != [str(k) for k in range(1, order)]:
            return False
        rest = re.sub(r"h\^\d+|" + _WORDS, "", text)
        for figure in sorted({*known, *in_h}, key=len, reverse=True):
            rest = re.sub(rf"(?<![\w.*/^]){re.escape(figure)}(?![\w*/^])", "", rest)
            rest = rest.replace(figure[1:], "") if figure.startswith("-") else rest
        for words in particular:
            rest = rest.replace(words, "")
        if in_tau > 1:
            rest = re.sub(rf"O\((\w+)\*\*{in_tau}(?= \+|\))", "O(", rest)
        if re.search(r"\d", rest):
            return False
    return True
