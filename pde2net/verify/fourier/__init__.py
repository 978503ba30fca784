"""Local Fourier analysis of multigrid: smoothing and two-grid factors with frozen coefficients."""

from pde2net.verify.fourier.model import Model
from pde2net.verify.fourier.smoothing import (
    HighFrequencies,
    damped_factor,
    high_frequencies,
    optimal_damping,
    smoothing_factor,
)
from pde2net.verify.fourier.symbolic import two_grid_factor_1d, two_grid_invariants_1d
from pde2net.verify.fourier.two_grid import (
    Smoother,
    Transfers,
    cycle_factors,
    two_grid_factor,
    two_grid_matrix,
)

__all__ = [
    "HighFrequencies",
    "Model",
    "Smoother",
    "Transfers",
    "cycle_factors",
    "damped_factor",
    "high_frequencies",
    "optimal_damping",
    "smoothing_factor",
    "two_grid_factor",
    "two_grid_factor_1d",
    "two_grid_invariants_1d",
    "two_grid_matrix",
]
