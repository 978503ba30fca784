"""`pde2net train`."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Console

from pde2net.cli.verify import show
from pde2net.errors import CertificateError


def train_file(file: Path, resume: bool, quiet: bool) -> None:
    """Train what a configuration describes; then say what holds for the weights."""
    import torch

    from pde2net.learn import certify, configuration, fit
    from pde2net.learn.folder import BEST
    from pde2net.learn.processes import Processes, initialise

    initialise()
    found = configuration.read(file)
    seed = found.options.get("seed", 0)
    torch.manual_seed(seed)
    module = found.network.module()
    history = fit(
        module,
        *found.data,
        validation=found.validation,
        checkpoint=found.folder,
        resume=resume,
        log=found.log,
        progress=not quiet,
        **found.options,
    )
    if not Processes().first:
        return
    parameters = sum(p.numel() for p in module.parameters())
    losses = f"loss {history.loss[-1]:.6g}"
    if history.best is not None:
        losses += f", best validation {history.validation[history.best - 1]:.6g} in epoch {history.best}"
    typer.echo(f"{found.folder / BEST}: {parameters} parameters, {len(history.loss)} epochs, {losses}.")
    if not quiet:
        try:
            show(certify(module), Console())
        except CertificateError as error:
            typer.echo(f"Not certified: {error}", err=True)
