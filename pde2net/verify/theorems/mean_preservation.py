"""Preservation of the mean (docs/theory.md, section 4.6)."""

from __future__ import annotations

from pde2net.verify.case import Case
from pde2net.verify.certificate import Status
from pde2net.verify.refute import witness as wit
from pde2net.verify.refute.measures import mean_change
from pde2net.verify.theorem import Held, Hypothesis, Missing, Theorem
from pde2net.verify.theorems.hypotheses import SYMMETRIC


def _no_reaction(case: Case) -> Held | Missing:
    reaction = case.semi.form.reaction
    if reaction == 0:
        return Held("the right-hand side is a divergence")
    return Missing(f"the reaction term {reaction} changes the mean by design", Status.NOT_APPLICABLE)


def _closed(case: Case) -> Held | Missing:
    if case.semi.form.learned:
        return Missing("learned filters may respond to constants: K 1 = 0 holds for some weights only")
    for border in (b for b in case.semi.borders if not b.keeps_constants):
        kind = "zero-Dirichlet" if border.zero else f'"{border.name}"'
        return Missing(f"values flow out across a {kind} border", violated=True)
    return Held("the weights of every stencil sum to 0, and no flux crosses the border")


NO_REACTION = Hypothesis("no reaction", "r = 0", _no_reaction)
CLOSED = Hypothesis("closed border", "K 1 = 0", _closed)

MEAN_PRESERVATION = Theorem(
    claim="mean_preservation",
    title="Constants in the kernel of K",
    reference="Weickert 1998, Theorem 8",
    section="4.6",
    hypotheses=(NO_REACTION, SYMMETRIC, CLOSED),
    conclusion="the mean of u is kept: 1^T K^T = 0",
    refute=lambda case: wit.seek(case.search, mean_change, "mean changes by"),
)
