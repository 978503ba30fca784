"""Claims and certificates: what is proved, under which condition, and what is not."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sympy as sp

from pde2net.language.declaration import Declaration
from pde2net.language.expressions import to_text
from pde2net.later import later
from pde2net.verify.bounds import Answer

CLAIMS = (
    "l2_stability",
    "nonexpansive",
    "maximum_principle",
    "energy_decay",
    "mean_preservation",
    "well_posed",
    "frozen_stability",
    "solver_convergence",
    "consistency",
    "bounded_by_data",
    "lipschitz_in_data",
    "averaged",
)


class Status(enum.StrEnum):
    """What a claim amounts to; see docs/theory.md for the meaning of each."""

    PROVED = "proved"
    PROVED_IF = "proved if"
    LINEARISED = "linearised"
    REFUTED = "refuted"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Discharged:
    """A hypothesis of a theorem and how it was discharged.

    name       of the hypothesis, such as "bounded diffusivity"
    statement  what it says
    how        why it holds here, or "given" and "declared" for what was assumed
    figures    the exact figures that the conclusion uses
    """

    name: str
    statement: str
    how: str
    figures: Mapping[str, sp.Expr] = field(default_factory=dict)

    def __str__(self) -> str:
        figures = "".join(f"; {k} = {to_text(v)}" for k, v in self.figures.items() if self.how != "given")
        return f"{self.name}: {self.statement} [{self.how}{figures}]"


@dataclass(frozen=True)
class Because:
    """A part of the reason for a status, as data; `verify.wording` makes a sentence of it.

    rule     a key of verify.wording.RULES
    figures  what the sentence says of this network: expressions as text, names, and what a theorem concludes
    """

    rule: str
    figures: Mapping[str, str] = field(default_factory=dict)


def because(rule: str, **figures: sp.Basic | str) -> tuple[Because, ...]:
    """A reason of one part; reasons are added."""
    return (Because(rule, {k: v if isinstance(v, str) else to_text(v) for k, v in figures.items()}),)


@dataclass(frozen=True)
class Claim:
    """One property of the emitted network.

    condition    a SymPy relation in tau, spacing and parameters, or None
    limit        the largest admissible tau: an expression, oo, or None
    factor       a factor that goes with the claim, such as the Lipschitz bound per block
    theorem      name and reference of what was applied
    hypotheses   those of the theorem and how each was discharged, then what was given
    because      why, as data; `reason` has it in words
    witness      a counterexample {"u0": nested list, ...} that was run, for refuted claims
    """

    name: str
    status: Status
    condition: sp.Basic | None = None
    limit: sp.Expr | None = None
    factor: sp.Expr | None = None
    theorem: str = ""
    hypotheses: tuple[Discharged, ...] = ()
    because: tuple[Because, ...] = ()
    witness: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.status == Status.REFUTED and self.witness is None:
            raise ValueError(f"{self.name} cannot be refuted without a witness")

    @property
    def relation(self) -> str:
        """That of tau and the limit: "<=", or "<" where the limit itself is excluded."""
        return "<=" if self.said("strict") is None else "<"

    @property
    def reason(self) -> str:
        """Why, in words."""
        return str(later("reason_text")(self))

    def said(self, rule: str) -> Mapping[str, str] | None:
        """The figures of the first part of the reason that has this rule; None if there is none."""
        return next((part.figures for part in self.because if part.rule == rule), None)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """The hypotheses, each as a line of text."""
        return tuple(str(h) for h in self.hypotheses)

    def __str__(self) -> str:
        return str(later("claim_text")(self))

    def __repr__(self) -> str:
        limit = "" if self.limit is None else f", tau {self.relation} {self.limit}"
        return f"Claim({self.name.replace('_', ' ')}: {self.status}{limit})"

    def _repr_html_(self) -> str:
        """The proof, in notebooks."""
        return str(later("claim_html")(self))


@dataclass(frozen=True)
class Training:
    """What is trained of the network: the options that it was compiled with, and what they amount to.

    trainable    names of parameters and learned operators, sorted
    shared       whether all blocks were to share them
    keep_stable  whether a condition is kept in training
    owner        what has parameters of its own: the "network", each "block" or each "cycle"
    kept         the claims that hold for all values of what is trained; () if no condition is kept
    lipschitz, averaged  constants that are kept, None if none was asked for
    weights      SHA-256 of the trained weights that the claims are about, if no declaration holds these
    """

    trainable: tuple[str, ...]
    shared: bool
    keep_stable: bool
    owner: str
    kept: tuple[str, ...]
    lipschitz: sp.Rational | None = None
    averaged: sp.Rational | None = None
    weights: str | None = None

    def __str__(self) -> str:
        whose = "" if self.owner == "network" else f", each {self.owner} its own"
        text = f"{', '.join(self.trainable) or 'nothing'}{whose}"
        if self.kept:
            text += f"; for all their values: {', '.join(self.kept).replace('_', ' ')}"
        if self.weights is not None:
            text += f"; the claims are about weights with the SHA-256 {self.weights}"
        return text


@dataclass(frozen=True)
class Certificate:
    """The claims about one network, with the declaration they are about.

    subject      lines that name the problem, the scheme and the grid
    tau          the step of the network: a number, or an expression that is still symbolic
    declaration  problem, scheme and grid, from which `recheck` starts again
    ranges       the ranges of functions that the hypotheses rest on
    training     what is trained, if compile was asked for anything but its defaults
    source       SHA-256 of the source that compile emitted, in hexadecimal; None where there is none
    ran_out      what the derivation had no time for, sorted
    """

    subject: Mapping[str, str]
    tau: sp.Expr
    claims: Mapping[str, Claim]
    declaration: Declaration
    ranges: tuple[Answer, ...] = ()
    training: Training | None = None
    source: str | None = None
    ran_out: tuple[str, ...] = ()

    @property
    def stable(self) -> bool:
        """True only if l2_stability is proved."""
        return self.claims["l2_stability"].status == Status.PROVED

    def to_json(self) -> str:
        """JSON with SymPy expressions as their str (docs/certificate.md); `from_json` reads it."""
        return str(later("certificate_to_json")(self))

    @classmethod
    def from_json(cls, text: str) -> Certificate:
        """Read what `to_json` wrote, without checking what it claims; see pde2net.recheck.

        Raises FileError for anything else.
        """
        certificate: Certificate = later("certificate_from_json")(text)
        return certificate

    def plot(self, path: str | Path | None = None) -> Any:
        """A matplotlib Figure, written to `path` (.png, .svg, .pdf) if that is given.

        It shows the amplification factor over frequency with the admissible band, the stability
        region in (tau, parameter), and the diffusivity and flux with the bounds that were derived.
        Raises DeclarationError if matplotlib is not installed (pip install "pde2net[plot]").
        """
        return later("certificate_figure")(self, path)

    def __str__(self) -> str:
        return str(later("certificate_text")(self))

    def __repr__(self) -> str:
        found = [f"{name.replace('_', ' ')}: {claim.status}" for name, claim in self.claims.items()]
        return f"Certificate({self.subject['equation']}; {', '.join(found)})"

    def _repr_html_(self) -> str:
        """A table whose rows open to proofs, in notebooks."""
        return str(later("certificate_html")(self))

    def _repr_latex_(self) -> str:
        return str(later("certificate_latex")(self))

    def __rich__(self) -> Any:
        """A table for the terminal."""
        return later("certificate_table")(self)
