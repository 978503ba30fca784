"""Claims and certificates: what is proved, under which condition, and what is not."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

from pde2net.errors import FileError
from pde2net.language.expressions import from_text, symbol_table, to_text

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
)
FORMAT = "pde2net-certificate-1"


class Status(enum.StrEnum):
    """What a claim amounts to; see docs/theory.md for the meaning of each."""

    PROVED = "proved"
    PROVED_IF = "proved if"
    LINEARISED = "linearised"
    REFUTED = "refuted"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Claim:
    """One property of the emitted network.

    condition    a SymPy relation in tau, spacing and parameters, or None
    limit        the largest admissible tau: an expression, oo, or None
    factor       a factor that goes with the claim, such as the Lipschitz bound per block
    theorem      name and reference of what was applied
    assumptions  the hypotheses and how each was discharged
    reason       why, in words
    witness      a counterexample {"u0": nested list, ...} that was run, for refuted claims
    """

    name: str
    status: Status
    condition: sp.Basic | None = None
    limit: sp.Expr | None = None
    factor: sp.Expr | None = None
    theorem: str = ""
    assumptions: tuple[str, ...] = ()
    reason: str = ""
    witness: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        parts = [f"{self.name.replace('_', ' ')}: {self.status}"]
        if self.condition is not None and self.condition not in (sp.true, sp.false):
            parts.append(f"  condition  {to_text(self.condition)}")
        if self.limit is not None:
            parts.append(f"  largest tau  {to_text(self.limit)}")
        if self.factor is not None:
            parts.append(f"  factor  {to_text(self.factor)}")
        if self.theorem:
            parts.append(f"  by  {self.theorem}")
        parts.extend(f"  - {a}" for a in self.assumptions)
        if self.reason:
            parts.append(f"  {self.reason}")
        if self.witness is not None:
            parts.append(f"  witness  {self.witness.get('description', 'see JSON')}")
        return "\n".join(parts)


def _read_claim(row: dict[str, Any], symbols: dict[str, list[str]]) -> Claim:
    """A claim from its JSON object; ValueError or TypeError for anything else."""
    texts = [row["theorem"], row["reason"], *row["assumptions"]]
    witness = row["witness"]
    if not all(isinstance(t, str) for t in texts) or not isinstance(row["assumptions"], list):
        raise TypeError("theorem, reason and assumptions must be text")
    if witness is not None and not (isinstance(witness, dict) and "u0" in witness):
        raise TypeError("a witness must be an object with u0")
    values = {
        key: None if row[key] is None else from_text(row[key], symbols)
        for key in ("condition", "limit", "factor")
    }
    return Claim(
        name=row["name"],
        status=Status(row["status"]),
        theorem=row["theorem"],
        assumptions=tuple(row["assumptions"]),
        reason=row["reason"],
        witness=witness,
        **values,
    )


@dataclass(frozen=True)
class Certificate:
    """The claims about one network, with the declaration they are about.

    subject  lines that name the problem, the scheme and the grid
    tau      the step of the network: a number, or an expression that is still symbolic
    """

    subject: Mapping[str, str]
    tau: sp.Expr
    claims: Mapping[str, Claim] = field(default_factory=dict)

    @property
    def stable(self) -> bool:
        """True only if l2_stability is proved."""
        return self.claims["l2_stability"].status == Status.PROVED

    def to_json(self) -> str:
        """JSON with SymPy expressions as their str; `from_json` gives an equal certificate back."""
        expressions = [self.tau]
        rows = []
        for claim in self.claims.values():
            row: dict[str, Any] = {"name": claim.name, "status": str(claim.status)}
            for key in ("condition", "limit", "factor"):
                value = getattr(claim, key)
                row[key] = None if value is None else to_text(value)
                expressions += [] if value is None else [value]
            row |= {"theorem": claim.theorem, "assumptions": list(claim.assumptions)}
            row |= {"reason": claim.reason, "witness": claim.witness}
            rows.append(row)
        document = {
            "format": FORMAT,
            "subject": dict(self.subject),
            "tau": to_text(self.tau),
            "symbols": symbol_table(expressions),
            "claims": rows,
        }
        return json.dumps(document, indent=2)

    @classmethod
    def from_json(cls, text: str) -> Certificate:
        """Read what `to_json` wrote. Raises FileError for anything else."""
        try:
            document = json.loads(text)
            if document["format"] != FORMAT:
                raise FileError(f"{document['format']!r} is not the certificate format {FORMAT!r}.")
            symbols = document["symbols"]
            claims = {row["name"]: _read_claim(row, symbols) for row in document["claims"]}
            if tuple(row["name"] for row in document["claims"]) != CLAIMS:
                raise ValueError(f"the claims must be {', '.join(CLAIMS)}, once each and in this order")
            subject = document["subject"]
            if not all(isinstance(v, str) for v in subject.values()):
                raise TypeError("the subject must be made of lines of text")
            return cls(subject, from_text(document["tau"], symbols), claims)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise FileError(f"This is not a certificate: {str(error)[:200]}") from error

    def __str__(self) -> str:
        head = [f"{key}: {value}" for key, value in self.subject.items() if value]
        return "\n".join([*head, "", *(str(c) for c in self.claims.values())])

    def _repr_latex_(self) -> str:
        rows = [
            rf"\text{{{c.name.replace('_', ' ')}}} & \text{{{c.status}}} & "
            + (sp.latex(c.condition) if c.condition is not None else "")
            for c in self.claims.values()
        ]
        return "$\\begin{array}{lll}" + r" \\ ".join(rows) + "\\end{array}$"

    def __rich__(self) -> Any:
        """A table for the terminal (rich is imported here only)."""
        from rich.table import Table
        from rich.text import Text

        styles = {
            "proved": "green",
            "proved if": "green",
            "refuted": "bold red",
            "unknown": "yellow",
        }
        table = Table(title="Certificate", title_justify="left", show_edge=False)
        for column in ("claim", "status", "largest tau", "why"):
            table.add_column(column, overflow="fold")
        for claim in self.claims.values():
            limit = "" if claim.limit is None else to_text(claim.limit)
            why = claim.reason or claim.theorem
            if claim.status == Status.PROVED_IF and claim.condition is not None:
                why = f"if {to_text(claim.condition)}. {why}"
            table.add_row(
                claim.name.replace("_", " "),
                Text(str(claim.status), styles.get(str(claim.status), "dim")),
                Text(limit),
                Text(why),
            )
        return table
