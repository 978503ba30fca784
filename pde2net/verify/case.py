"""The case that claims are derived from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.graph.build.linear import LinearSystems
from pde2net.language.bounds import written
from pde2net.language.schemes import Scheme
from pde2net.normalise.affine import affine
from pde2net.scheme.method import Update
from pde2net.verify.bounds import Bounds
from pde2net.verify.certificate import Claim, Discharged
from pde2net.verify.facts import Facts
from pde2net.verify.refute.search import Search


@dataclass(frozen=True)
class Case:
    """What the claims are derived from: operators, facts, scheme, step, and a search for witnesses.

    systems  how linear systems are solved, where that is not up to this equation alone
    known    claims that were derived before, from which others follow
    free     parameters whose values are not to be put in, since they are trained
    kept     of an equation of a system, that all unknowns keep their declared ranges
    """

    semi: Semidiscrete
    facts: Facts
    scheme: Scheme
    update: Update
    tau: sp.Expr
    search: Search | None
    systems: LinearSystems | None = None
    known: Mapping[str, Claim] = field(default_factory=dict)
    free: frozenset[sp.Symbol] = frozenset()
    kept: Claim | None = None

    def about(self, claim: str) -> Case:
        """The case whose search is for a counterexample to one claim."""
        return self if self.search is None else replace(self, search=self.search.about(claim))

    @property
    def within(self) -> Case | None:
        """The case of u within its declared bounds; None if it has none.

        Steady states have none either: where u0 lies says nothing of where iterations end.
        """
        semi, facts = self.semi.within, self.facts.within
        if semi is None or facts is None or self.semi.form.within or self.tau == sp.oo:
            return None
        return replace(self, semi=semi, facts=facts)

    @property
    def plain(self) -> bool:
        """Whether every prefactor is 1, so that A(u) is symmetric."""
        return all(t.prefactor == 1 for t in self.semi.form.terms)

    @property
    def linear(self) -> bool:
        """Whether the equation is linear in u; its coefficients may vary in space."""
        form = self.semi.form
        return form.linear_flux and affine(form.reaction, form.state) is not None

    @property
    def given(self) -> tuple[Discharged, ...]:
        """What was assumed rather than proved: values of parameters, signs of fields; and notes."""
        values = self.semi.form.problem.parameters
        assumed = [
            Discharged("parameter", f"{s} = {values[s]}", "given", {str(s): values[s]})
            for s in self.facts.given
        ]
        assumed += self.facts.given_norms
        bounded = self.semi.form.intervals
        for f in (f for f in self.semi.form.fields if f not in bounded):
            for kind in ("positive", "nonnegative", "negative", "nonpositive"):
                if getattr(f, f"is_{kind}"):
                    assumed.append(Discharged("sign of a field", f"{f} is {kind} everywhere", "declared"))
        assumed += (
            Discharged("bounds of a field", f"{f} lies in {written(pair)} everywhere", "declared")
            for f, pair in bounded.items()
            if f in self.semi.form.fields
        )
        domain = self.semi.form.problem.domain
        if domain is not None:
            assumed.append(
                Discharged(
                    "domain",
                    f"{domain.func} is 0 or 1 in each cell; claims are about the cells where it is 1",
                    "K is that of the edges between these; the others keep their values",
                )
            )
        if self.semi.grid.gradient == "central" and self.semi.first_order:
            assumed.append(
                Discharged(
                    "note",
                    "central differences do not see the checkerboard",
                    "it is kept, never damped",
                )
            )
        return tuple(assumed)

    def valued(self, expression: sp.Expr) -> sp.Expr:
        """The expression at the given values of the parameters."""
        given = self.semi.form.problem.parameters
        return sp.simplify(expression.subs({s: v for s, v in given.items() if s not in self.free}))


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def nonnegative(rows: tuple[tuple[Bounds, ...], ...]) -> bool:
    return all(b.nonnegative for row in rows for b in row)
