"""From a divergence form to operators on a grid: K, its exact adjoint, Fourier symbols."""
