"""`pde2net compile`."""

from __future__ import annotations

import warnings
from pathlib import Path

import typer

from pde2net import compiler
from pde2net.errors import StabilityWarning
from pde2net.load import Declaration, load
from pde2net.network import Network


def compile_file(file: Path, output: Path, on_unstable: str) -> None:
    """Write the source and say where and how stable it is."""
    network = compiled(load(file), on_unstable)
    network.save(output)
    claim = network.certificate.claims["l2_stability"]
    typer.echo(
        f"{output}: {network.architecture}, {network.scheme.steps} blocks; l2 stability {claim.status}"
    )


def compiled(declared: Declaration, on_unstable: str) -> Network:
    """Compile, with warnings as one line on stderr."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", StabilityWarning)
        network = compiler.compile(declared.problem, declared.scheme, declared.grid, on_unstable=on_unstable)
    for warning in caught:
        typer.echo(f"pde2net: warning: {warning.message}", err=True)
    return network
