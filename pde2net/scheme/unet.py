"""Multigrid: implicit steps v = u + tau F(v), solved by full approximation cycles, one U-net per cycle.

Each cycle smooths, restricts solution and residual, solves with the right-hand side N_H(R u) + R r on the
next coarser grid, prolongates the correction and smooths again (Brandt, Math. Comp. 31, 1977; Alt et al.
2023, section 3.4). N(v) = v - tau F(v), or -F(v) for the steady state.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

import sympy as sp

from pde2net.language.schemes import Multigrid
from pde2net.scheme.cell import ImplicitSteps


@dataclass(frozen=True)
class UNet(ImplicitSteps):
    """A network of `steps` implicit steps.

    levels      grids at most; None: as many as the image allows
    pre, post   smoothing sweeps of the encoder and of the decoder
    cycle       "V", "W" (two coarse corrections per level) or "FMG" (V, started by V-cycles on coarse grids)
    cycles      per step; with `tol` the most that are made
    smoother    "jacobi", "red-black" or "chebyshev"
    damping     of Jacobi; None: the optimal one of the operator
    tol         of the residual, relative to the one of u; None: a fixed number of cycles
    gradients   "unrolled" or "implicit"
    on_failure  "warn", "error" or "best" if tol is not reached
    order       in time
    """

    architecture: ClassVar[str] = "u-net"
    theta = sp.S.One
    steps: int
    levels: int | None
    pre: int
    post: int
    cycle: str
    cycles: int
    smoother: str
    damping: sp.Expr | None
    tol: sp.Expr | None
    steady: bool
    gradients: str = "unrolled"
    on_failure: str = "warn"
    order: int = 1

    @property
    def repeat(self) -> int:
        """How many cycles make the correction of a coarser grid."""
        return 2 if self.cycle == "W" else 1


def unet(scheme: Multigrid) -> UNet:
    """The U-net of a multigrid scheme."""
    steady = scheme.tau == sp.oo
    own = {f.name: getattr(scheme, f.name) for f in fields(UNet) if hasattr(scheme, f.name)}
    return UNet(**own, steady=steady)
