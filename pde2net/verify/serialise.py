"""Certificates as JSON and back; the format is described in docs/certificate.md."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import sympy as sp

from pde2net.errors import FileError
from pde2net.files import require_no_name
from pde2net.language.declaration import Declaration
from pde2net.language.expressions import from_text, symbol_table, to_text
from pde2net.verify.bounds import Answer
from pde2net.verify.certificate import CLAIMS, Because, Certificate, Claim, Discharged, Status, Training
from pde2net.verify.ranges import Method, Range, within

FAMILY = "pde2net-certificate-"
FORMAT = f"{FAMILY}7"
LONGEST = 50_000_000  # characters
SECONDS = 60.0  # to read one
_ENDS = ("lower", "upper", "lower_at", "upper_at")
_EXPRESSIONS = ("condition", "limit", "factor")
_FOUND = {"owner": "network", "kept": []}  # of training, what is derived from the options
_UNDECLARED = {*_FOUND, "weights"}


def certificate_to_json(certificate: Certificate) -> str:
    """The certificate as JSON, the same text for equal certificates."""
    document = {
        "format": FORMAT,
        "subject": dict(certificate.subject),
        "declaration": certificate.declaration.to_data(),
        "symbols": symbol_table(_expressions(certificate)),
        "tau": to_text(certificate.tau),
        "ranges": [_range_row(a) for a in certificate.ranges],
        "claims": [_claim_row(c) for c in certificate.claims.values()],
        "training": None if certificate.training is None else _training_row(certificate.training),
        "source": None if certificate.source is None else {"sha256": certificate.source},
        "ran_out": list(certificate.ran_out),
    }
    return json.dumps(document, indent=2, allow_nan=False)


def declared_to_json(certificate: Certificate) -> str:
    """What the network is compiled from, declaration and options of training, as JSON on one line."""
    training = certificate.training
    row = (
        None
        if training is None
        else {k: v for k, v in _training_row(training).items() if k not in _UNDECLARED}
    )
    document = {"declaration": certificate.declaration.to_data(), "training": row}
    return json.dumps(document, allow_nan=False)


def declared_from_json(text: str) -> tuple[Declaration, Training | None]:
    """What `declared_to_json` wrote. Raises FileError for anything else."""

    def parsed() -> tuple[Declaration, Training | None]:
        document = json.loads(text, parse_constant=_refused, object_pairs_hook=_once)
        row = document["training"]
        training = None if row is None else _training({**row, **_FOUND})
        return Declaration.from_data(document["declaration"]), training

    if len(text) > LONGEST:
        raise FileError("This is not a declaration: it is too long.")
    try:
        return within(SECONDS, "reading it", parsed)
    except Exception as error:  # SymPy fails in many ways at what nobody would write
        raise FileError(f"This is not a declaration: {str(error)[:200]}") from error


def _expressions(certificate: Certificate) -> Iterator[sp.Basic]:
    yield certificate.tau
    for answer in certificate.ranges:
        yield from (answer.function, answer.variable)
        yield from (getattr(answer.found, end) for end in _ENDS)
    for claim in certificate.claims.values():
        yield from (v for key in _EXPRESSIONS for v in [getattr(claim, key)] if v is not None)
        yield from (v for h in claim.hypotheses for v in h.figures.values())


def _range_row(answer: Answer) -> dict[str, Any]:
    found = answer.found
    return {
        "quantity": answer.quantity,
        "function": to_text(answer.function),
        "variable": answer.variable.name,
        **{end: to_text(getattr(found, end)) for end in _ENDS},
        "method": str(found.method),
        "lower_tight": found.lower_tight,
        "upper_tight": found.upper_tight,
    }


def _claim_row(claim: Claim) -> dict[str, Any]:
    values = {key: getattr(claim, key) for key in _EXPRESSIONS}
    return {
        "name": claim.name,
        "status": str(claim.status),
        **{key: None if value is None else to_text(value) for key, value in values.items()},
        "theorem": claim.theorem,
        "hypotheses": [
            {**vars(h), "figures": {key: to_text(value) for key, value in h.figures.items()}}
            for h in claim.hypotheses
        ],
        "because": [{"rule": part.rule, **part.figures} for part in claim.because],
        "reason": claim.reason,
        "witness": _finite(claim.witness),
    }


_NAMED = {"oo": math.inf, "-oo": -math.inf, "nan": math.nan}  # JSON has no such numbers


def _finite(value: Any) -> Any:
    """A witness in JSON: what overflowed becomes text."""
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "oo" if value > 0 else "-oo"
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    return [_finite(entry) for entry in value] if isinstance(value, list) else value


def _overflowed(value: Any) -> Any:
    """The inverse of `_finite`."""
    if isinstance(value, str):
        return _NAMED.get(value, value)
    if isinstance(value, dict):
        return {key: _overflowed(entry) for key, entry in value.items()}
    return [_overflowed(entry) for entry in value] if isinstance(value, list) else value


def certificate_from_json(text: str) -> Certificate:
    """The certificate that `to_json` wrote. Raises FileError for anything else."""
    require_no_name(text, "The text of a certificate")
    if not isinstance(text, str) or not text.lstrip().startswith("{") or len(text) > LONGEST:
        raise FileError(
            "This is not a certificate: that is the JSON which compile --certificate and verify --json write."
        )
    try:
        return within(SECONDS, "reading it", lambda: _certificate(text))
    except FileError:
        raise
    except Exception as error:  # SymPy fails in many ways at what nobody would write
        raise FileError(f"This is not a certificate: {str(error)[:200]}") from error


def _certificate(text: str) -> Certificate:
    document = json.loads(text, parse_constant=_refused, object_pairs_hook=_once)
    _require_format(document["format"])
    symbols = document["symbols"]

    def read(value: Any) -> Any:
        return from_text(value, symbols)

    if tuple(row["name"] for row in document["claims"]) != CLAIMS:
        raise ValueError(f"the claims must be {', '.join(CLAIMS)}, once each and in this order")
    subject = document["subject"]
    _require_text([*subject.values(), *document["ran_out"]])
    return Certificate(
        subject=subject,
        tau=read(document["tau"]),
        claims={row["name"]: _claim(row, read) for row in document["claims"]},
        declaration=Declaration.from_data(document["declaration"]),
        ranges=tuple(_answer(row, read) for row in document["ranges"]),
        training=_training(document["training"]),
        source=_digest(document["source"]),
        ran_out=tuple(document["ran_out"]),
    )


def _require_format(stated: Any) -> None:
    if stated == FORMAT:
        return
    if isinstance(stated, str) and stated.startswith(FAMILY):
        raise FileError(f"This is a {stated[:40]}; this version reads {FORMAT}: verify again.")
    raise FileError(f"This is not a certificate: its format is {str(stated)[:40]!r}, not {FORMAT!r}.")


def _training_row(training: Training) -> dict[str, Any]:
    """The constants that are kept as text, if there are any, and the digest of weights."""
    row = {k: v for k, v in asdict(training).items() if k != "weights" or v is not None}
    for key in ("lipschitz", "averaged"):
        constant = row.pop(key)
        row |= {} if constant is None else {key: to_text(constant)}
    return row


def _training(row: Mapping[str, Any] | None) -> Training | None:
    if row is None:
        return None
    _require_text([*row["trainable"], row["owner"], *row["kept"]])
    if not all(isinstance(row[key], bool) for key in ("shared", "keep_stable")):
        raise TypeError("a flag must be true or false")
    names, kept = tuple(row["trainable"]), tuple(row["kept"])
    lipschitz, averaged = (
        from_text(row[key], {}) if key in row else None for key in ("lipschitz", "averaged")
    )
    weights = _digest({"sha256": row["weights"]}) if "weights" in row else None
    shared, keep = row["shared"], row["keep_stable"]
    return Training(names, shared, keep, row["owner"], kept, lipschitz, averaged, weights)


def _digest(row: Mapping[str, Any] | None) -> str | None:
    if row is None:
        return None
    digest = row["sha256"]
    if not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
        raise ValueError("a digest has 64 hexadecimal digits")
    return digest


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no number in JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of two values for one key, another reader might see the other."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _claim(row: Mapping[str, Any], read: Callable[[Any], Any]) -> Claim:
    witness = _overflowed(row["witness"])
    _require_text([row["theorem"], row["reason"]])
    if witness is not None and not (isinstance(witness, dict) and "u0" in witness):
        raise TypeError("a witness must be an object with u0")
    found = Claim(
        name=row["name"],
        status=Status(row["status"]),
        theorem=row["theorem"],
        hypotheses=tuple(_discharged(h, read) for h in row["hypotheses"]),
        because=tuple(map(_because, row["because"])),
        witness=witness,
        **{key: None if row[key] is None else read(row[key]) for key in _EXPRESSIONS},
    )
    _require_text([found.reason])  # raises for rules and figures that no sentence is made of
    return found


def _because(row: Mapping[str, Any]) -> Because:
    _require_text(row.values())
    return Because(row["rule"], {key: value for key, value in row.items() if key != "rule"})


def _discharged(row: Mapping[str, Any], read: Callable[[Any], Any]) -> Discharged:
    _require_text([row["name"], row["statement"], row["how"]])
    figures = {key: read(value) for key, value in row["figures"].items()}
    return Discharged(row["name"], row["statement"], row["how"], figures)


def _answer(row: Mapping[str, Any], read: Callable[[Any], Any]) -> Answer:
    ends = {end: read(row[end]) for end in _ENDS}
    tight = {key: row[key] for key in ("lower_tight", "upper_tight")}
    if not all(isinstance(flag, bool) for flag in tight.values()):
        raise TypeError("a flag must be true or false")
    _require_text([row["quantity"], row["variable"]])
    found = Range(**ends, method=Method(row["method"]), **tight)
    return Answer(row["quantity"], read(row["function"]), read(row["variable"]), found)


def _require_text(values: Any) -> None:
    if not all(isinstance(value, str) for value in values):
        raise TypeError("text was expected")
