"""Checks a certificate from its JSON: the problem is rebuilt, every hypothesis is derived once more."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import sympy as sp

from pde2net.audit.claims import FIGURES, RULES, Rule
from pde2net.audit.numbers import Numbers
from pde2net.audit.ranges import ball_range, slope_range
from pde2net.audit.witnesses import excess
from pde2net.discretise.semidiscretise import Semidiscrete, semidiscretise
from pde2net.errors import Pde2NetError, RecheckError
from pde2net.graph.build import residual_stack
from pde2net.graph.interpret import Interpreter
from pde2net.normalise.recognise import recognise
from pde2net.verify.bounds import FLUX_SLOPE
from pde2net.verify.certificate import Certificate, Claim, Status
from pde2net.verify.ranges import UndecidedError

DRAWS = 2
SHARP, ENCLOSED = 1e-9, 3e-6  # relative agreement of exact figures, and of enclosures
POSITIVE = (Status.PROVED, Status.PROVED_IF, Status.LINEARISED)
ASSUMED = ("given", "declared")


def recheck(text: str) -> Certificate:
    """The certificate in the JSON `text`, after every figure and every discharged hypothesis was checked.

    The problem is rebuilt from the declaration in the JSON. Ranges are found again by ball arithmetic,
    norms by sampling Fourier symbols, limits and factors from these, all at numbers drawn for symbols
    without a value; witnesses are run again; consistency is measured by refining a grid. Last, wording
    is compared with what the first verifier writes about the same problem.

    Raises FileError for text that is no certificate, and RecheckError, which names every disagreement,
    for one that does not hold or was edited.
    """
    certificate = Certificate.from_json(text)
    try:
        problems = list(_disagreements(certificate))
    except (UndecidedError, Pde2NetError, ValueError, TypeError, KeyError, IndexError) as error:
        raise RecheckError(f"The certificate could not be confirmed: {error}") from error
    if problems:
        raise RecheckError("The certificate does not hold. " + " ".join(problems))
    return certificate


def _disagreements(certificate: Certificate) -> Iterator[str]:
    declared = certificate.declaration
    semi = semidiscretise(recognise(declared.problem), declared.grid)
    if declared.scheme.tau is not None and certificate.tau != declared.scheme.tau:
        yield f"tau = {certificate.tau} is not the step {declared.scheme.tau} of the scheme."
    for draw in range(DRAWS):
        values = _draw(certificate, semi, draw)
        numbers = Numbers(semi, values)
        yield from _ranges(certificate, values)
        for claim in certificate.claims.values():
            if claim.status in POSITIVE and claim.name in RULES:
                yield from _proved(claim, RULES[claim.name], numbers, certificate)
    yield from _witnesses(certificate, semi)
    yield from _wording(certificate)


def _draw(certificate: Certificate, semi: Semidiscrete, number: int) -> dict[sp.Symbol, sp.Expr]:
    """Given values, and a number of the right sign for every other symbol."""
    values = dict(semi.form.problem.parameters)
    free = {s for h in semi.spacing + semi.origin for s in h.free_symbols} | set(semi.form.problem.symbols)
    free |= certificate.tau.free_symbols
    for i, symbol in enumerate(sorted(free - set(values), key=str)):
        value = sp.Rational(5 + 3 * i + 7 * number, 7 + number)
        values[symbol] = -value if symbol.is_nonpositive else value
    return values


def _ranges(certificate: Certificate, values: Mapping[sp.Symbol, sp.Expr]) -> Iterator[str]:
    """Bounds must agree with ball arithmetic, and tight ones must be attained where they say."""
    for answer in certificate.ranges:
        function = answer.function.subs(values)
        slope = answer.quantity == FLUX_SLOPE
        again = (slope_range if slope else ball_range)(function, answer.variable)
        found = answer.found
        size = max((abs(float(b)) for b in again if b.is_finite), default=1.0)
        for end, here in (("lower", again[0]), ("upper", again[1])):
            claimed = getattr(found, end).subs(values)
            if not _agree(float(claimed), float(here), ENCLOSED, size):
                yield f"The {end} bound {claimed} of {answer.function} should be {here}."
            elif getattr(found, f"{end}_tight"):
                value = _value(answer, function, getattr(found, f"{end}_at").subs(values))
                if value is not None and not _agree(float(claimed), value, SHARP, size):
                    yield f"{answer.function} does not attain the {end} bound {claimed}."
    if any(a.quantity not in ("g", "Phi'", "f") for a in certificate.ranges):
        yield "A range is of an unknown quantity."


def _value(answer: object, function: sp.Expr, place: sp.Expr) -> float | None:
    """The function (for a flux its slope) at a place; None at infinity, where balls must do."""
    if not place.is_finite:
        return None
    variable = answer.variable  # type: ignore[attr-defined]
    if answer.quantity == FLUX_SLOPE:  # type: ignore[attr-defined]
        function = function + 2 * variable * sp.diff(function, variable)
    for near in (place, place + sp.Rational(1, 10**20), place - sp.Rational(1, 10**20)):
        value = function.subs(variable, near)
        if value.is_number and not value.has(sp.nan, sp.zoo, sp.oo):
            return float(sp.N(value, 40))
    return None


def _proved(claim: Claim, rule: Rule, n: Numbers, certificate: Certificate) -> Iterator[str]:
    name = claim.name.replace("_", " ")
    stated = tuple(h.name for h in claim.hypotheses if h.how not in ASSUMED and h.name != "note")
    if stated != rule.hypotheses:
        yield f"The proof of {name} must discharge: {', '.join(rule.hypotheses)}."
        return
    failing = rule.needs(n)
    if failing:
        yield f"A hypothesis of {name} fails: {failing}."
        return
    accuracy = (
        SHARP if all(a.found.upper_tight and a.found.lower_tight for a in certificate.ranges) else ENCLOSED
    )
    rate, tau = rule.rate(n), n.number(certificate.tau)
    limit = rule.numerator / rate if rate > 0 else math.inf
    values = dict(n.values)
    claimed = math.nan if claim.limit is None else float(claim.limit.subs(values))
    if not _agree(claimed, limit, accuracy, abs(limit)):
        yield f"The limit {claim.limit} of {name} should be {limit:.12g}."
    if isinstance(claim.condition, sp.Le):
        bound = float(claim.condition.rhs.subs(values))
        if claim.condition.lhs != certificate.tau or not _agree(bound, limit, accuracy, abs(limit)):
            yield f"The condition {claim.condition} of {name} should be tau <= {limit:.12g}."
    elif claim.condition != sp.true or claim.status == Status.PROVED_IF:
        yield f"The condition {claim.condition} of {name} should be tau <= {limit:.12g}."
    if claim.status == Status.PROVED and tau > limit * (1 + accuracy):
        yield f"{name} is claimed for tau = {certificate.tau}, beyond its limit {limit:.12g}."
    if claim.status == Status.LINEARISED and n.rate[0] >= 0:
        yield f"{name} has no reason to be linearised."
    if claim.status != Status.LINEARISED and claim.name == "frozen_stability" and n.rate[0] < 0:
        yield f"{name} holds only as linearised: the reaction lets modes grow."
    if claim.factor is not None:
        factor = math.nan if rule.factor is None else rule.factor(n, tau)
        if not _agree(float(claim.factor.subs(values)), factor, accuracy, abs(factor)):
            yield f"The factor {claim.factor} of {name} should be {factor:.12g}."
    for hypothesis in claim.hypotheses:
        for key, figure in hypothesis.figures.items():
            if key in FIGURES and hypothesis.how not in ASSUMED:
                here = FIGURES[key](n) if key != "beta" or claim.name != "l2_stability" else n.damping[1]
                if not _agree(float(figure.subs(values)), here, accuracy, abs(here) + 1):
                    yield f"{key} = {figure} in the proof of {name} should be {here:.12g}."
            elif hypothesis.how == "given" and values.get(sp.Symbol(key, positive=True), figure) != figure:
                yield f"The parameter {key} is not {figure}."


def _witnesses(certificate: Certificate, semi: Semidiscrete) -> Iterator[str]:
    graphs = None
    for claim in certificate.claims.values():
        if claim.status != Status.REFUTED or claim.witness is None:
            continue
        if graphs is None:
            steps = certificate.declaration.scheme.steps
            graphs = [residual_stack(semi, certificate.tau, n) for n in (steps, 1)]
        known = {s.name: s for s in (*semi.form.problem.symbols, *_free(semi))}
        values = {known[k]: sp.Rational(v) for k, v in claim.witness.get("parameters", {}).items()}
        network, step = (Interpreter(g, values) for g in graphs)
        tau = float(step.number(certificate.tau))
        found, stated = excess(claim.name, claim.witness, network, step, tau), claim.witness["excess"]
        name = claim.name.replace("_", " ")
        if not found > 0:
            yield f"The counterexample to {name} does not violate it."
        elif not _agree(stated, found, 1e-3 if claim.name == "energy_decay" else 1e-6, abs(found)):
            yield f"The counterexample to {name} violates it by {found:.6g}, not by {stated:.6g}."


def _free(semi: Semidiscrete) -> set[sp.Symbol]:
    return {s for h in semi.spacing + semi.origin for s in h.free_symbols}


def _wording(certificate: Certificate) -> Iterator[str]:
    """Text carries figures too: it must be what the first verifier writes for this declaration."""
    from pde2net.compiler import verify

    declared = certificate.declaration
    again = verify(declared.problem, declared.scheme, declared.grid)
    if dict(again.subject) != dict(certificate.subject):
        yield "The subject does not describe the declaration."
    for name, claim in certificate.claims.items():
        other = again.claims[name]
        shown, expected = _texts(claim), _texts(other)
        if claim.status != other.status or shown != expected:
            yield f"What is said of {name.replace('_', ' ')} is not what the declaration gives."


def _texts(claim: Claim) -> tuple[object, ...]:
    return claim.theorem, claim.reason, claim.assumptions, str(claim.condition), str(claim.factor)


def _agree(a: float, b: float, accuracy: float, size: float) -> bool:
    if math.isinf(a) or math.isinf(b):
        return a == b
    return abs(a - b) <= accuracy * max(size, 1e-300)
