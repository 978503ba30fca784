"""`pde2net train`."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from pde2net.cli.say import Say
from pde2net.cli.verify import show
from pde2net.errors import CertificateError


def train_file(file: Path, resume: bool, say: Say) -> None:
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
        progress=say.remarks,
        **found.options,
    )
    if not Processes().first:
        return
    parameters = sum(p.numel() for p in module.parameters())
    losses = f"loss {history.loss[-1]:.6g}"
    if history.best is not None:
        losses += f", best validation {history.validation[history.best - 1]:.6g} in epoch {history.best}"
    say.remark(f"{found.folder / BEST}: {parameters} parameters, {len(history.loss)} epochs, {losses}.")
    certificate = None
    if not say.quiet:
        try:
            certificate = certify(module)
        except CertificateError as error:
            say.warn(f"Not certified: {error}")
    if certificate is not None and say.remarks:
        show(certificate, Console())
    say.data(
        weights=str(found.folder / BEST),
        parameters=parameters,
        epochs=len(history.loss),
        loss=history.loss[-1],
        best=history.best,
        validation=None if history.best is None else history.validation[history.best - 1],
        certificate=None if certificate is None else json.loads(certificate.to_json()),
    )
