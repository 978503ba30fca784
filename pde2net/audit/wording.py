"""The words of a certificate carry figures too: each is written again, or found among what was checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import sympy as sp

from pde2net.audit import cell_lines, training
from pde2net.audit.claims import BELOW, BOUNDED, FLUX, NONNEGATIVE, REACTION, SYMMETRIC
from pde2net.audit.exactly import Number, same
from pde2net.audit.lines import scheme_line
from pde2net.audit.numbers import Numbers, peaks_at_the_highest_frequency
from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.discretise.system import SemidiscreteSystem
from pde2net.language.expressions import from_text, symbol_table
from pde2net.normalise.form import FirstOrder, Hessian, Learned, SecondOrder, Tensor
from pde2net.verify.bounds import DIFFUSIVITY, FLUX_SLOPE, Answer
from pde2net.verify.certificate import Certificate, Discharged


def subject(certificate: Certificate, semi: Semidiscrete | SemidiscreteSystem) -> dict[str, str]:
    """The lines that name problem, scheme and grid."""
    form, problem = semi.form, semi.form.problem
    kinds = {a.name: kind for a, kind in problem.boundary.items()}
    steps = dict(zip((a.name for a in form.space), semi.spacing, strict=True))
    return {
        "equation": str(form),
        "boundary": _each(kinds, "{1}", "{0}: {1}"),
        "parameters": ", ".join(f"{s} = {v}" for s, v in problem.parameters.items()),
        "scheme": cell_lines.line(certificate, semi) or scheme_line(certificate, form.reaction != 0),
        "grid": f"{_each(steps, 'h = {1}', 'h_{0} = {1}')}, "
        f"{semi.grid.gradient} differences of order {semi.grid.order}",
        **training.line(certificate),
    }


def _each(entries: Mapping[str, object], one: str, many: str) -> str:
    if len(set(entries.values())) == 1:
        return one.format(*next(iter(entries.items())))
    return ", ".join(many.format(*entry) for entry in entries.items())


def assumed(semi: Semidiscrete, given: Mapping[sp.Symbol, sp.Expr]) -> list[Discharged]:
    """What follows the hypotheses: values of parameters, signs of fields, and a note."""
    found = [Discharged("parameter", f"{s} = {v}", "given", {str(s): v}) for s, v in given.items()]
    for f in semi.form.fields:
        for kind in ("positive", "nonnegative", "negative", "nonpositive"):
            if getattr(f, f"is_{kind}"):
                found.append(Discharged("sign of a field", f"{f} is {kind} everywhere", "declared"))
    if semi.grid.gradient == "central" and any(isinstance(t, FirstOrder | Tensor) for t in semi.form.terms):
        note = "central differences do not see the checkerboard"
        found.append(Discharged("note", note, "it is kept, never damped"))
    return found


def how(hypothesis: Discharged, n: Numbers, answers: Sequence[Answer]) -> bool:
    """Whether the text says how the hypothesis holds, with figures that do."""
    form, name, text = n.semi.form, hypothesis.name, hypothesis.how
    reaction = form.reaction
    if name == SYMMETRIC:
        return text == "no divergence is multiplied by a factor; K and K^T come from one stencil"
    if name in (NONNEGATIVE, BELOW):
        return text == "every weight of the flux is nonnegative"
    if name == BOUNDED:
        return _bounded(text, n, answers)
    if name == FLUX:
        several = len(form.slopes) > 1 and answers
        more = "; the eigenvalues of Phi' are g and g + 2 s2 g'" if several else ""
        return explained(text, _shown(answers, n), FLUX_SLOPE, _otherwise(n, "Phi is linear")) == more
    if name == "no source":
        return text == ("there is no reaction term" if reaction == 0 else f"{reaction} vanishes at u = 0")
    if name == "damping reaction":
        return (
            text == "r = 0"
            if reaction == 0
            else slots(r"-r\(u\)/u lies in \[(.*), (.*)\]", text, n.damping, n)
        )
    if name == REACTION:
        return text == "r = 0" if reaction == 0 else slots(r"-r' lies in \[(.*), (.*)\]", text, n.rate, n)
    if name == "monotone step":
        figure = [n.number(v) for v in hypothesis.figures.values()]
        return text == "every eigenvalue of Phi' is nonnegative" or slots("F' >= (.*)", text, figure, n)
    if name == "pull":
        return text == _included(n)
    return text in (
        "two-point stencils: A(u) is the Laplacian of a weighted graph",
        "the right-hand side is a divergence",
        "the weights of every stencil sum to 0, and no flux crosses the border",
    )


def _shown(answers: Sequence[Answer], n: Numbers) -> Sequence[Answer]:
    """The ranges that are written out: none where they are over times, too."""
    return answers if n.clock is None else ()


def _otherwise(n: Numbers, words: str) -> str:
    if n.clock is None:
        return words
    until = n.clock.until
    return f"bounds over {f'0 <= t <= {until}' if until.is_finite else 't >= 0'}"


def explained(text: str, answers: Sequence[Answer], quantity: str, otherwise: str) -> str | None:
    """What follows in `text` after the ranges of one kind, or after `otherwise` if there are none.

    None if these are not the ranges that are stated. Expressions are compared as they are read: SymPy may
    group one that was read in another way than it was written.
    """
    entries = dict.fromkeys((a.function, a.variable, a.found) for a in answers if a.quantity == quantity)
    if not entries:
        return text[len(otherwise) :] if text.startswith(otherwise) else None
    name = "g = " if quantity == DIFFUSIVITY else "Phi' for g = "
    patterns, wanted = [], []
    for function, v, found in entries:
        at, method = re.escape(f" at {v} = "), re.escape(str(found.method))
        patterns.append(rf"{name}(.*?): inf (.*?){at}(.*?), sup (.*?){at}(.*?); {method}")
        wanted += [function, found.lower, found.lower_at, found.upper, found.upper_at]
    match = re.fullmatch("; ".join(patterns) + r"(|; .*)", text)
    if match is None:
        return None
    names = symbol_table([*wanted, *(v for _, v, _ in entries)])
    try:
        read = [from_text(group, names) for group in match.groups()[:-1]]
    except ValueError:
        return None
    return match.groups()[-1] if read == wanted else None


def _bounded(text: str, n: Numbers, answers: Sequence[Answer]) -> bool:
    rest = explained(text, _shown(answers, n), DIFFUSIVITY, _otherwise(n, "g is constant")) or ""
    every = [d for bank in n.semi.banks for d in bank.differences]
    slanted = any(isinstance(t, SecondOrder) and t.slope != 0 for t in n.semi.form.terms)
    together = not n.semi.form.learned and all(peaks_at_the_highest_frequency(d.stencil) for d in every)
    sharp = not slanted and (len(n.semi.form.terms) == 1 or together)
    end = " by the Fourier symbol, " + ("attained in the limit of large grids" if sharp else "an upper bound")
    if not (rest.startswith("; ") and rest.endswith(end)):
        return False
    stated = rest[2 : len(rest) - len(end)]
    norms = [k for _, k in n.weights]
    labels = []
    for term in n.semi.form.terms:
        if isinstance(term, FirstOrder | Tensor):
            labels += [f"K_{a}" for a in n.semi.form.space]
        elif isinstance(term, Learned):
            labels.append(term.operator.name)
        else:
            labels.append("H" if isinstance(term, Hessian) else "D")
    pattern = ", ".join(rf"‖{re.escape(label)}‖² = (.*)" for label in labels)
    return slots(pattern, stated, norms, n)


def slots(pattern: str, text: str, figures: Sequence[Number], n: Numbers) -> bool:
    """Whether `text` has the pattern, with expressions in its groups that have these values."""
    match = re.fullmatch(pattern, text)
    if match is None:
        return False
    values = [value_of(group, n) for group in match.groups()]
    one = n.number(sp.S.One)
    return all(a is not None and same(a, b, one) for a, b in zip(values, figures, strict=True))


def value_of(text: str, n: Numbers) -> Number | None:
    """The value of an expression in the symbols of the problem, if it is one."""
    problem = n.semi.form.problem
    names = symbol_table([problem.rhs, *n.semi.spacing, *problem.symbols, *n.rows.values])
    try:
        return n.number(from_text(text, names))
    except ValueError:
        return None


def _included(n: Numbers) -> str:
    form = n.semi.form
    u, reaction = form.state, form.reaction
    included = []
    if reaction.subs(u, 0) != 0:
        beta = sp.simplify(-sp.diff(reaction, u))
        included.append(f"the values of {sp.simplify(reaction / beta + u)}")
    damped = reaction != 0 and not included and n.damping[1] != 0
    if "dirichlet" in n.semi.boundary or damped:
        included.append("0")
    return f"the range includes {' and '.join(included)}" if included else "the range is that of u"


def beyond(certificate: Certificate, limit: sp.Expr) -> str:
    tau = sp.simplify(certificate.tau.subs(certificate.declaration.problem.parameters))
    return f"tau = {tau} exceeds the limit {limit}"


_PHRASES = r"u = 0|[Ss]tencils of order 4|g\(q\^2\) q|g\(\|grad u\|\^2\)|Phi\(q\)|s2|l2_stability"
_SEARCH = (
    "could not|longer than|no time was left|contradicts|too large|not known to be continuous"
    "|the range of .* over .* is not known|is not defined|jumps at|no short formula|is not algebraic"
)


def explains(reason: str, n: Numbers, certificate: Certificate) -> bool:
    """Whether the figures in the reason of a claim that is not proved are those of the problem.

    Only accounts of a search that failed may hold others, such as a place where it gave up.
    """
    for pattern in (r".* values, down to (.*): backward .*", r".* diffusivity, at least (.*), is not .*"):
        if re.fullmatch(pattern, reason):
            return any(slots(pattern, reason, [low], n) for (low, _), _ in n.weights)
    if re.search(_SEARCH, reason):
        return True
    for known in sorted(_known(n.semi, certificate), key=len, reverse=True):
        reason = re.sub(rf"(?<![\w.*/^+-]){re.escape(known)}(?![\w*/^])", "", reason)
        reason = reason.replace(known[:1].upper() + known[1:], "") if len(known) > 3 else reason
    return not re.search(r"\d", re.sub(_PHRASES, "", reason))


def _known(semi: Semidiscrete, certificate: Certificate) -> Iterator[str]:
    form = semi.form
    u, reaction = form.state, form.reaction
    for r in (reaction, reaction.subs(form.problem.parameters)):
        rates = (-sp.diff(r, u), sp.cancel(-r / u))
        for rate in (*rates, *(a for e in rates for a in e.args)):
            yield from (str(rate), str(-rate))
    for expression in (reaction, *form.problem.symbols, *form.fields, *form.space):
        yield str(expression)
    for term in form.terms:
        yield str(term.prefactor)
        if isinstance(term, SecondOrder | Learned):
            yield from (str(term.flux), str(term.diffusivity))
            continue
        if isinstance(term, Tensor):
            yield from (str(e) for row in term.matrix for e in row)
            continue
        for component in term.components:
            yield from (str(component.coefficient), str(component.responses))
            for group in component.groups or ():
                yield from (str(group.diffusivity), str(group.diffusivity.subs(form.problem.parameters)))
    for answer in certificate.ranges:
        yield str(answer.function)
        yield str(answer.function.subs(answer.variable, u))


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."
