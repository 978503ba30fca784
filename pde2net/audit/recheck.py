"""Checks a certificate from its JSON: the problem is rebuilt, every hypothesis is derived once more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sympy as sp

from pde2net.audit import multigrid, rows, systems, training, wording
from pde2net.audit.clock import at_time, clock_of, hidden_values, timeless
from pde2net.audit.conclusions import Conclusions
from pde2net.audit.consistency import disagreements as consistency_disagreements
from pde2net.audit.exactly import drawn, number, same
from pde2net.audit.lines import alpha_of
from pde2net.audit.numbers import Numbers
from pde2net.audit.rows import Rows, Values
from pde2net.audit.rules import rules
from pde2net.audit.witnesses import disagreements as witness_disagreements
from pde2net.discretise.semidiscretise import Semidiscrete, semidiscretise
from pde2net.discretise.system import SemidiscreteSystem, semidiscretise_system
from pde2net.errors import RecheckError
from pde2net.language.schemes import DuFortFrankel
from pde2net.normalise.recognise import recognise, recognise_system
from pde2net.verify.certificate import Certificate
from pde2net.verify.clock import Clock
from pde2net.verify.ranges.deadline import within

Semi = Semidiscrete | SemidiscreteSystem

DRAWS, THOROUGH = 6, 2
SAMPLED = 24  # draws for figures that are another formula for other parameters
SECONDS = 300.0
EXPRESSIONS = (
    "function",
    "figures",
    "condition",
    "limit",
    "factor",
    "lower",
    "upper",
    "lower_at",
    "upper_at",
)


def recheck(text: str) -> Certificate:
    """The certificate in the JSON `text`, after every figure and every discharged hypothesis was checked.

    The problem is rebuilt from the declaration in the JSON and nothing else. Stated ranges are found
    again by ball arithmetic and sampled; norms, limits, conditions and factors follow from them in 80
    digits, at numbers drawn for symbols; counterexamples are run again; orders of consistency are
    measured; words are written again. No theorem of the first verifier is called (docs/certificate.md).

    Raises FileError for text that is no certificate, and RecheckError, which names every disagreement,
    for one that does not hold or was edited.
    """
    certificate = Certificate.from_json(text)
    try:
        several = len(certificate.declaration.problem.equations) > 1
        find = _system_problems if several else _problems
        problems = within(SECONDS, "checking the certificate", lambda: find(certificate, text))
    except RecheckError as error:
        raise RecheckError(f"The certificate does not hold: {error}") from error
    except Exception as error:  # whatever goes wrong, it is not confirmed
        raise RecheckError(f"The certificate could not be confirmed: {str(error)[:500]}") from error
    if problems:
        raise RecheckError("The certificate does not hold. " + " ".join(problems))
    return certificate


def _problems(certificate: Certificate, text: str) -> list[str]:
    """The disagreements that the first stage with any of them finds: later ones are costly."""
    semi = semidiscretise(recognise(certificate.declaration.problem), certificate.declaration.grid)
    given, clock = certificate, clock_of(certificate, semi.form)
    certificate = timeless(training.conditional(certificate), clock)
    stages: tuple[Callable[[], Iterator[str]], ...] = (
        lambda: _form(given, text),
        lambda: training.declared(given),
        lambda: _declared(certificate, semi),
        lambda: _cases(certificate, semi, clock),
        lambda: _claims(certificate, semi, given, clock),
        lambda: _ranges(certificate, semi, clock),
        lambda: witness_disagreements(certificate, semi),
        lambda: _consistency(certificate, semi),
    )
    return _first(stages)


def _first(stages: Sequence[Callable[[], Iterator[str]]]) -> list[str]:
    for stage in stages:
        found = list(dict.fromkeys(stage()))
        if found:
            return found
    return []


def _system_problems(certificate: Certificate, text: str) -> list[str]:
    """The same for a system, whose claims are those of its equations."""
    systems.require_known(certificate)
    problem, grid = certificate.declaration.problem, certificate.declaration.grid
    semi = semidiscretise_system(recognise_system(problem), grid)
    return _first(
        (
            lambda: _form(certificate, text),
            lambda: _declared(certificate, semi),
            lambda: _cases(certificate, semi, None),
            lambda: _system_claims(certificate, semi),
            lambda: _ranges(certificate, semi, None),
            lambda: systems.counterexamples(certificate, semi),
            lambda: systems.orders(certificate, semi),
        )
    )


def _system_claims(certificate: Certificate, semi: SemidiscreteSystem) -> Iterator[str]:
    parameters = semi.form.problem.parameters
    for draw in range(DRAWS):
        for values, exact in _values(certificate, semi, draw, None):
            declared = all(values[s] == v for s, v in parameters.items())
            system = systems.System(certificate, semi, values, exact, declared)
            found = [*rows.disagreements(certificate.ranges, values, False), *system.disagreements()]
            if found:
                yield from found
                return
    yield from _step(certificate, semi)


def _form(certificate: Certificate, text: str) -> Iterator[str]:
    """The text must be what the certificate is written as: nothing added, nothing in another form."""
    written, given = json.loads(certificate.to_json()), json.loads(text)
    if not _alike(written, given):
        yield "The JSON is not in the form in which certificates are written, or has more in it."


def _alike(a: Any, b: Any, key: str = "") -> bool:
    """Equal but for the spelling of expressions, which SymPy may order otherwise."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        inner = key if key == "figures" else ""
        return a.keys() == b.keys() and all(_alike(v, b[k], inner or k) for k, v in a.items())
    if isinstance(a, list):
        return len(a) == len(b) and all(_alike(v, w) for v, w in zip(a, b, strict=True))
    return bool(a == b) or (isinstance(a, str) and key in EXPRESSIONS)


def _declared(certificate: Certificate, semi: Semi) -> Iterator[str]:
    declared = certificate.declaration
    if declared.scheme.tau is not None and certificate.tau != declared.scheme.tau:
        yield f"tau = {certificate.tau} is not the step {declared.scheme.tau} of the scheme."
    if dict(certificate.subject) != wording.subject(certificate, semi):
        yield "The subject does not describe the declaration."
    norms = training.norms(semi.form.problem)
    known = {s.name: s for s in (*semi.form.problem.symbols, *declared.problem.space, *norms)}
    for expression in (*semi.spacing, *semi.origin, certificate.tau):
        known |= {s.name: s for s in expression.free_symbols}
    for claim in certificate.claims.values():
        for figure in Conclusions.figures(claim):
            for s in figure.free_symbols:
                if claim.name != "consistency" and known.get(s.name, s if s.name == "tau" else None) != s:
                    yield f"The symbol {s} is not one of the declaration."


def _values(
    certificate: Certificate, semi: Semi, draw: int, clock: Clock | None
) -> Iterator[tuple[Values, bool]]:
    """Numbers for all symbols: those declared and others for the rest; then others for the declared ones.

    Symbols that stand for functions of t are drawn each time. The second kind only where the certificate
    does not assume the declared values; with each, whether no symbol but the declared ones had to be drawn.
    """
    parameters = dict(semi.form.problem.parameters)
    symbols = {s for e in (*semi.spacing, *semi.origin, certificate.tau) for s in e.free_symbols}
    symbols |= set(semi.form.problem.symbols) | training.norms(semi.form.problem)
    exact, hidden = symbols <= set(parameters), hidden_values(certificate, clock, draw)
    if draw == 0 or hidden or not exact:
        yield {**drawn(symbols - set(parameters), draw), **parameters, **hidden}, exact
    if draw > 0 and parameters and not _given(certificate):
        yield {**drawn(symbols, draw), **hidden}, exact


def _cases(certificate: Certificate, semi: Semi, clock: Clock | None) -> Iterator[str]:
    """Each argument of a Max or Min must be the one that holds for some numbers: others are never compared.

    Between cases figures are analytic, so that one that is right where it was compared is right in general.
    """
    if _given(certificate):
        return
    stated = [f for c in certificate.claims.values() for f in (c.limit, c.factor, c.condition)]
    stated += [bound for a in certificate.ranges for bound in (a.found.lower, a.found.upper)]
    nodes = {n for f in stated if f is not None for n in f.atoms(sp.Max, sp.Min)}
    idle = {(n, argument) for n in nodes for argument in n.args}
    for draw in range(SAMPLED):
        for values, _ in _values(certificate, semi, draw, clock) if idle else ():
            idle -= {(n, a) for n, a in idle if same(number(a.subs(values)), number(n.subs(values)))}
    for node, argument in sorted(idle, key=str):
        yield f"The case {argument} of {node} holds for none of the numbers that were tried."


def _claims(
    certificate: Certificate, semi: Semidiscrete, trained: Certificate, clock: Clock | None
) -> Iterator[str]:
    """Claims, with the stated ranges taken as they are but for samples; `trained` has those that are kept."""
    given = _given(certificate)
    parameters = semi.form.problem.parameters
    for draw in range(DRAWS):
        for values, exact in _values(certificate, semi, draw, clock):
            found = list(rows.disagreements(certificate.ranges, values, False))
            numbers = Numbers(semi, Rows(certificate.ranges, values), given, exact, clock)
            declared = all(values[s] == v for s, v in parameters.items())
            claimed = rules(certificate, numbers)
            found += Conclusions(certificate, numbers, declared, claimed).disagreements()
            found += training.disagreements(trained, numbers, claimed)
            for other in training.elsewhere(trained, numbers):
                found += training.failures(trained, other, rules(certificate, other))
            for answer in set(certificate.ranges) - numbers.asked() if clock is None else ():
                found.append(f"The range of {answer.function} is no question about the problem.")
            if draw == 0 and not found:
                found += multigrid.factors(certificate, numbers)
            if found:
                yield from found
                return
    yield from _step(certificate, semi)


def _ranges(certificate: Certificate, semi: Semi, clock: Clock | None) -> Iterator[str]:
    """Stated ranges against ball arithmetic; bounds with cases also against samples, at many scales."""
    cases = [a for a in certificate.ranges if rows.has_cases(a)]
    for draw in range(SAMPLED if cases else THOROUGH):
        for values, _ in _values(certificate, semi, draw, clock):
            thorough = draw < THOROUGH
            yield from rows.disagreements(certificate.ranges if thorough else cases, values, thorough)


def _consistency(certificate: Certificate, semi: Semidiscrete) -> Iterator[str]:
    """The order, where coefficients contain t with those of one time: the error in h is one at each."""
    problem, still = certificate.declaration.problem, semi
    now = {problem.time: sp.Rational(1, 3)} if problem.depends_on_time else {}
    if now:
        still = semidiscretise(recognise(at_time(problem, now[problem.time])), certificate.declaration.grid)
    yield from consistency_disagreements(certificate, semi, now, still)


def _given(certificate: Certificate) -> dict[sp.Symbol, sp.Expr]:
    """The parameters, if the certificate assumes their values."""
    claims = certificate.claims.values()
    assumed = any(h.how == "given" for claim in claims for h in claim.hypotheses)
    return dict(certificate.declaration.problem.parameters) if assumed else {}


def _step(certificate: Certificate, semi: Semi) -> Iterator[str]:
    """tau = None asked for the limit of l2 stability, or else of frozen stability."""
    scheme = certificate.declaration.scheme
    if isinstance(scheme, DuFortFrankel):
        product = 2 * certificate.tau * alpha_of(certificate)
        if scheme.tau is None and sp.simplify(product.subs(semi.form.problem.parameters)) != 1:
            yield f"tau = {certificate.tau} is not 1/(2 alpha)."
    elif scheme.tau is None:
        limits = [certificate.claims[n].limit for n in ("l2_stability", "frozen_stability")]
        limit = next((e for e in limits if e is not None), None)
        tau = certificate.tau
        if limit is None or (tau != limit and not same(number(tau), number(limit))):
            yield f"tau = {tau} is not the largest step, {limit}."
