"""`pde2net verify`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pde2net.cli.inputs import declaration, in_its_words
from pde2net.compiler import verify
from pde2net.guidance.trial import deciding
from pde2net.language.expressions import to_text
from pde2net.verify.certificate import Certificate, Status

WEIGHTS = ".safetensors"


@in_its_words
def verify_file(file: Path, as_json: bool, proof: bool = False, plot: Path | None = None) -> bool:
    """Print the certificate; whether the network is proved to be stable."""
    certificate = _certificate(file)
    if plot is not None:
        certificate.plot(plot)
    if as_json:
        typer.echo(certificate.to_json())
    elif proof:
        typer.echo(str(certificate))
    else:
        show(certificate, Console())
    return deciding(certificate.claims).status == Status.PROVED


def _certificate(file: Path) -> Certificate:
    """Of a declaration, or of weights that were trained."""
    if file.suffix == WEIGHTS:
        from pde2net.learn import certify

        return certify(file)
    declared = declaration(file)
    return verify(declared.problem, declared.scheme, declared.grid)


def verdict(certificate: Certificate) -> str:
    """One line: stable, unstable, or what is missing."""
    claim, tau = deciding(certificate.claims), to_text(certificate.tau)
    name = claim.name.replace("_", " ")
    known = claim.limit is not None and claim.limit.is_finite
    limit = f" (largest stable tau {to_text(claim.limit)})" if known else ""
    if claim.status == Status.PROVED:
        return f"Stable: {name} is proved for tau = {tau}{limit}."
    if claim.status == Status.PROVED_IF:
        return f"Not proved: {name} holds if {to_text(claim.condition)}; give the symbols values."
    if claim.status == Status.REFUTED:
        return f"Unstable: {name} is refuted for tau = {tau}{limit}."
    return f"Not proved: {name} is {claim.status} for tau = {tau}."


def show(certificate: Certificate, console: Console) -> None:
    """The declaration, the table of claims, the counterexamples and the verdict."""
    console.print(_rows((key, value) for key, value in certificate.subject.items() if value))
    console.print()
    console.print(certificate)
    witnesses = [(c.name, c.witness["description"]) for c in certificate.claims.values() if c.witness]
    if witnesses:
        console.print("\nCounterexamples, run through the network in float64 (inputs: --json)")
        console.print(_rows((name.replace("_", " "), text) for name, text in witnesses))
    console.print()
    console.print(verdict(certificate), style="bold", markup=False, highlight=False)


def _rows(pairs: Iterable[tuple[str, str]]) -> Table:
    """Names and texts in two columns, the texts wrapped within theirs."""
    table = Table.grid(padding=(0, 2))
    for name, text in pairs:
        table.add_row(Text(name), Text(text))
    return table
