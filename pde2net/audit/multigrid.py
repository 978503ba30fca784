"""Two-grid factors of U-nets, a second time: dense cycles at the numbers of the declaration."""

from __future__ import annotations

from collections.abc import Iterator

from pde2net.audit import two_grid
from pde2net.audit.numbers import Numbers
from pde2net.graph.build.unet import grids
from pde2net.language.schemes import Multigrid
from pde2net.network import Network
from pde2net.scheme.unet import UNet

CLOSE = 0.02  # a small grid does not have the worst frequency
ABOVE = 2e-3  # the factor of the certificate is rounded up


def disagreements(network: Network, n: Numbers) -> Iterator[str]:
    scheme, certificate = network.scheme, network.certificate
    claims = [certificate.claims[name] for name in ("solver_convergence", "frozen_stability")]
    stated = [claim for claim in claims if claim.factor is not None]
    if not isinstance(scheme, Multigrid) or not isinstance(network.update, UNet) or not stated:
        return
    if not n.exact or grids(n.semi, network.update) < 2:
        return
    here = two_grid.factor(scheme, certificate.tau, n)
    for claim in stated:
        factor = float(n.number(claim.factor))
        if not (here - ABOVE <= factor <= here + CLOSE) or factor >= 1:
            yield f"The factor {claim.factor} of {claim.name} should be about {here:.4f}."
