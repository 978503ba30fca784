"""`pde2net verify`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pde2net.cli.inputs import Given, declaration, in_its_words, refuse_changes
from pde2net.cli.options import DONE, REFUSED, UNPROVED
from pde2net.cli.say import Say
from pde2net.compiler import verify
from pde2net.errors import DeclarationError, suggestion
from pde2net.guidance.trial import deciding
from pde2net.language.expressions import shown
from pde2net.verify.certificate import Certificate, Claim, Status

WEIGHTS = ".safetensors"


@in_its_words
def verify_file(given: Given, require: str | None, proof: bool, plot: Path | None, say: Say) -> int:
    """Print the certificate; the exit status that follows from the claims that decide it."""
    certificate = _certificate(given)
    decisive = [deciding(certificate.claims)] if require is None else _required(require, certificate)
    if plot is not None:
        certificate.plot(plot)
    if say.as_json:
        typer.echo(certificate.to_json())
    elif proof:
        say.answer(str(certificate))
    elif say.remarks:
        show(certificate, Console())
    if require is not None:
        say.remark("\n".join(f"{_spaced(c.name)}: {c.status}" for c in decisive))
    found = {claim.status for claim in decisive}
    if Status.REFUTED in found:
        return REFUSED
    return DONE if found == {Status.PROVED} else UNPROVED


def _certificate(given: Given) -> Certificate:
    """Of a declaration, or of weights that were trained."""
    if given.file.suffix == WEIGHTS:
        from pde2net.learn import certify

        refuse_changes(given, given.file)
        return certify(given.file)
    declared = declaration(given)
    return verify(declared.problem, declared.scheme, declared.grid)


def _required(names: str, certificate: Certificate) -> list[Claim]:
    """The claims of these names, with commas between. Raises DeclarationError for others."""
    found = []
    for name in (part.strip().replace(" ", "_") for part in names.split(",")):
        if name not in certificate.claims:
            hint = suggestion(name, certificate.claims)
            raise DeclarationError(f'--require: there is no claim "{name}".{hint}')
        found.append(certificate.claims[name])
    return found


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def verdict(certificate: Certificate) -> str:
    """One line: stable, unstable, or what is missing."""
    claim, tau = deciding(certificate.claims), shown(certificate.tau)
    name = _spaced(claim.name)
    known = claim.limit is not None and claim.limit.is_finite
    limit = f" (largest stable tau {shown(claim.limit)})" if known else ""
    if claim.status == Status.PROVED:
        return f"Stable: {name} is proved for tau = {tau}{limit}."
    if claim.status == Status.PROVED_IF:
        return f"Not proved: {name} holds if {shown(claim.condition)}; give the symbols values."
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
        console.print(_rows((_spaced(name), text) for name, text in witnesses))
    console.print()
    console.print(verdict(certificate), style="bold", markup=False, highlight=False)


def _rows(pairs: Iterable[tuple[str, str]]) -> Table:
    """Names and texts in two columns, the texts wrapped within theirs."""
    table = Table.grid(padding=(0, 2))
    for name, text in pairs:
        table.add_row(Text(name), Text(text))
    return table
