"""The second derivation: numbers found otherwise than by the first verifier, and where the two disagree.

It states nothing by itself, and has no opinion about what it does not know.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import sympy as sp

from pde2net.audit import given, invariance, rows, systems, two_grid
from pde2net.audit.claims import Rule
from pde2net.audit.clock import clock_of, hidden_values
from pde2net.audit.consistency import disagreements as consistency_disagreements
from pde2net.audit.exactly import INFINITY, Number, as_far_as_known, at_most, drawn, same
from pde2net.audit.numbers import Numbers
from pde2net.audit.rows import Rows, Values
from pde2net.audit.rules import rules
from pde2net.discretise.semidiscretise import Semidiscrete, SemidiscreteSystem
from pde2net.errors import RecheckError
from pde2net.language.linear_operator import Chain, norm_symbol
from pde2net.network import Network
from pde2net.normalise.form import SystemForm
from pde2net.normalise.terms import Learned
from pde2net.verify.certificate import Claim, Status
from pde2net.verify.clock import Clock

DRAWS, THOROUGH = 3, 2
SAMPLED = 8  # draws for bounds that are another formula for other parameters
POSITIVE = (Status.PROVED, Status.PROVED_IF, Status.LINEARISED)

Parts = Sequence[tuple[Rule, Numbers]]


def disagreements(network: Network) -> Iterator[str]:
    """What the two derivations say otherwise, of the first kind of figure with any."""
    of = _Second(network)
    norms = partial(given.disagreements, network)
    stages: tuple[Callable[[], Iterator[str]], ...] = (norms, of.ranges, of.claims, of.factors, of.orders)
    yield from next((found for stage in stages if (found := list(stage()))), [])


class _Second:
    def __init__(self, network: Network) -> None:
        self.network, self.semi, self.certificate = network, network.semidiscrete, network.certificate
        form = self.semi.form
        self.norms = given.stated(network)
        self.clock: Clock | None = None if isinstance(form, SystemForm) else clock_of(self.certificate, form)

    def values(self, draw: int) -> Iterator[tuple[Values, bool, bool]]:
        """Numbers for all symbols: those declared and others for the rest; then others for the declared ones.

        With each, whether no symbol but the declared ones had to be drawn, and whether those have the values
        of the declaration. Others are drawn only where the certificate does not assume the declared ones.
        Symbols that stand for functions of t are drawn each time.
        """
        problem = self.semi.form.problem
        parameters = dict(problem.parameters)
        sizes = (*self.semi.spacing, *self.semi.origin, self.certificate.tau)
        symbols = {s for e in sizes for s in e.free_symbols} | set(problem.symbols)
        chains = [t.chain.operators for t in self.semi.form.terms if isinstance(t, Learned)]
        symbols |= {norm_symbol(Chain(ks)) for chain in chains for ks in (chain, *((k,) for k in chain))}
        parameters |= self.norms
        exact, hidden = symbols <= set(parameters), hidden_values(self.certificate, self.clock, draw)
        if draw == 0 or hidden or not exact:
            yield {**drawn(symbols - set(parameters), draw), **parameters, **hidden}, exact, True
        if draw > 0 and parameters and not self.given and not self.norms:
            yield {**drawn(symbols, draw), **hidden}, exact, False

    @property
    def given(self) -> Mapping[sp.Symbol, sp.Expr]:
        """The parameters, if the certificate assumes their values."""
        claims = self.certificate.claims.values()
        assumed = any(h.how == "given" for claim in claims for h in claim.hypotheses)
        return dict(self.semi.form.problem.parameters) if assumed else {}

    # -- stages ---------------------------------------------------------------------------------------

    def ranges(self) -> Iterator[str]:
        """Ranges against ball arithmetic and samples; bounds with cases at more numbers."""
        answers = self.certificate.ranges
        # Bounds that are another formula for other parameters: few numbers may not tell.
        cases = [a for a in answers if sp.Tuple(a.found.lower, a.found.upper).has(sp.Max, sp.Min, sp.Abs)]
        for draw in range(SAMPLED if cases else THOROUGH):
            for values, _, _ in self.values(draw):
                thorough = draw < THOROUGH
                yield from rows.disagreements(answers if thorough else cases, values, thorough)

    def claims(self) -> Iterator[str]:
        for draw in range(DRAWS):
            for values, exact, declared in self.values(draw):
                for claim in self.certificate.claims.values():
                    if claim.status in POSITIVE or claim.limit is not None:
                        with as_far_as_known():
                            yield from self.compared(claim, self.parts(claim, values, exact), declared)

    def parts(self, claim: Claim, values: Values, exact: bool) -> Parts:
        """The rule of a claim with its numbers, for each equation."""
        if isinstance(self.semi, SemidiscreteSystem):
            return list(systems.of_equations(self.network, self.semi, claim, values, exact))
        table, semi = rules(self.network, self.semi), self.semi
        if claim.name not in table:
            return []
        inner = semi.within
        if invariance.assumes(claim):
            if inner is None:
                raise RecheckError(f"{claim.name} assumes a range of {semi.form.state} that is not declared")
            table, semi = {claim.name: invariance.within(self.network, table, claim)}, inner
        n = Numbers(semi, Rows(self.certificate.ranges, values), self.given, exact, self.clock)
        return [(table[claim.name], n)]

    def factors(self) -> Iterator[str]:
        """Of multigrid, at the numbers of the declaration."""
        if isinstance(self.semi, Semidiscrete):
            values, exact, _ = next(self.values(0))
            n = Numbers(self.semi, Rows(self.certificate.ranges, values), self.given, exact, self.clock)
            with as_far_as_known():
                yield from two_grid.disagreements(self.network, n)

    def orders(self) -> Iterator[str]:
        with as_far_as_known():
            if isinstance(self.semi, SemidiscreteSystem):
                yield from systems.orders(self.network, self.semi)
            else:
                claim = self.certificate.claims["consistency"]
                yield from consistency_disagreements(self.network, self.semi, claim)

    # -- one claim ------------------------------------------------------------------------------------

    def compared(self, claim: Claim, parts: Parts, declared: bool) -> Iterator[str]:
        """What the numbers of a claim are otherwise, or why it is false."""
        if not parts:
            return
        if declared and claim.status in (Status.PROVED, Status.PROVED_IF):
            for rule, n in parts:
                with as_far_as_known():
                    if against := rule.against(n):
                        yield f"{claim.name} is {claim.status}, but {against}."
        if not all(rule.applies(n) for rule, n in parts):
            return
        yield from self.limit(claim, parts, declared)
        if declared and claim.status in POSITIVE and claim.factor is not None:
            yield from self.factor(claim, parts)

    def limit(self, claim: Claim, parts: Parts, declared: bool) -> Iterator[str]:
        limit = min(INFINITY if rule.limit is None else rule.limit(n) for rule, n in parts)
        n = parts[0][1]
        if declared and claim.limit is not None and not same(n.number(claim.limit), limit):
            yield f"The limit {claim.limit} of {claim.name} should be {float(limit):.12g}."
        elif isinstance(claim.condition, sp.Le | sp.Lt) and not same(n.number(claim.condition.gts), limit):
            yield f"The condition {claim.condition} of {claim.name} should be one on {float(limit):.12g}."
        elif declared and self.beyond(claim, n, limit):
            yield f"{claim.name} is proved for tau = {self.certificate.tau}, beyond {float(limit):.12g}."

    def beyond(self, claim: Claim, n: Numbers, limit: Number) -> bool:
        """Whether the step exceeds the limit of what is proved, unless the network sees to that itself."""
        training = self.certificate.training
        kept = training is not None and claim.name in training.kept
        large = not at_most(n.number(self.certificate.tau), limit)
        return claim.status == Status.PROVED and not kept and large

    def factor(self, claim: Claim, parts: Parts) -> Iterator[str]:
        largest: list[tuple[Number, ...]] = []
        for rule, n in parts:
            if rule.factors is None:
                return
            largest.append(rule.factors(n, n.number(self.certificate.tau)))
        n = parts[0][1]
        known = {max(one_of_each) for one_of_each in itertools.product(*largest)}
        stated = n.number(claim.factor)
        if not any(same(stated, f, n.number(sp.S.One)) for f in known):
            should = " or ".join(f"{float(f):.12g}" for f in sorted(known))
            yield f"The factor {claim.factor} of {claim.name} should be {should}."
