"""`pde2net verify`."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from pde2net.compiler import verify
from pde2net.load import load
from pde2net.verify.certificate import Certificate, Status


def verify_file(file: Path, as_json: bool) -> bool:
    """Print the certificate; whether the network is proved to be stable."""
    declared = load(file)
    certificate = verify(declared.problem, declared.scheme, declared.grid)
    if as_json:
        print(certificate.to_json())
    else:
        show(certificate, Console())
    return stable(certificate)


def stable(certificate: Certificate) -> bool:
    """l2 stability, or with a source term, for which that is no question, frozen stability."""
    claims = certificate.claims
    if claims["l2_stability"].status == Status.NOT_APPLICABLE:
        return claims["frozen_stability"].status == Status.PROVED
    return certificate.stable


def show(certificate: Certificate, console: Console) -> None:
    """The declaration, the table of claims, and the counterexamples."""
    for key, value in certificate.subject.items():
        if value:
            console.print(f"{key:<11}{value}", markup=False, highlight=False)
    console.print()
    console.print(certificate)
    witnesses = [c for c in certificate.claims.values() if c.witness is not None]
    if witnesses:
        console.print("\nCounterexamples, run through the network in float64 (inputs: --json):")
    for claim in witnesses:
        text = f"  {claim.name.replace('_', ' ')}: {claim.witness['description']}"  # type: ignore[index]
        console.print(text, markup=False, highlight=False)
