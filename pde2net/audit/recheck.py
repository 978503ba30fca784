"""Checks a certificate from its JSON: it is derived again and must be the same, then looked at otherwise."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from pde2net.audit import second, witnesses
from pde2net.audit.equality import differences
from pde2net.audit.rederive import derivations
from pde2net.errors import EmissionError, FileError, RecheckError
from pde2net.files import require_no_name
from pde2net.network import Network
from pde2net.verify.certificate import Certificate
from pde2net.verify.ranges import within

SECONDS = 600.0
SHOWN = 5  # disagreements


def recheck(text: str, source: str | None = None) -> Certificate:
    """The certificate in the JSON `text`, after it was confirmed; with `source`, that it is about this text.

    The certificate is derived once more from declaration, options and counterexamples in the JSON and
    nothing else, and must be the one that is stated, figure by figure (docs/certificate.md). Counterexamples
    are run. What was derived is compared with a second derivation of its numbers. If the certificate carries
    the digest of a source, or one is given, that is emitted again and must be the same text.

    Raises FileError for text that is no certificate of this version, and RecheckError, which says what is
    wrong, for one that does not hold, was edited, could not be derived again, or is not about `source`.
    """
    stated = Certificate.from_json(text)
    if stated.training is not None and stated.training.weights is not None:
        raise RecheckError(
            "These claims are about trained weights, which no certificate holds: pde2net.learn.certify, and "
            "pde2net verify on their file, derive them again."
        )
    require_no_name(source, "The text of a module")
    if not isinstance(source, str | None):
        raise FileError(f"source is the text of a module, not {source!r:.80}.")
    try:
        problems = within(SECONDS, "checking the certificate", lambda: _problems(stated, text, source))
    except RecheckError as error:
        raise RecheckError(f"The certificate does not hold: {error}") from error
    except Exception as error:  # whatever goes wrong, it is not confirmed
        raise RecheckError(f"The certificate could not be confirmed: {str(error)[:500]}") from error
    if problems:
        more = f" And {len(problems) - SHOWN} more." if len(problems) > SHOWN else ""
        raise RecheckError(f"The certificate does not hold. {' '.join(problems[:SHOWN])}{more}")
    return stated


def _problems(stated: Certificate, text: str, source: str | None) -> list[str]:
    """The disagreements of the first stage that has any: later ones rest on those before."""
    witnesses.require_runnable(stated)
    first: list[str] = []
    for found in derivations(stated):
        same = replace(found.certificate, source=stated.source)  # digests are compared later
        otherwise = list(differences(json.loads(text), json.loads(same.to_json())))
        if not otherwise:
            return _beyond(stated, found, source)
        first = first or otherwise
    return first


def _beyond(stated: Certificate, found: Network, source: str | None) -> list[str]:
    """What is wrong with a certificate that was derived again: counterexamples, source, numbers."""
    stages: Sequence[Callable[[], Iterator[str]]] = (
        lambda: witnesses.disagreements(found),
        lambda: _sources(stated, found, source),
        lambda: second.disagreements(found),
    )
    return next((list(dict.fromkeys(problems)) for stage in stages if (problems := list(stage()))), [])


def _sources(stated: Certificate, found: Network, source: str | None) -> Iterator[str]:
    if stated.source is None and source is None:
        return
    try:
        emitted = found.source()
    except EmissionError as error:
        yield f"The network has no source: {error}"
        return
    digest = hashlib.sha256(emitted.encode()).hexdigest()
    if stated.source not in (None, digest):
        yield f"The network has another source, with the SHA-256 {digest}."
    if source not in (None, emitted):
        yield "The source is not the one that is emitted for this certificate."
