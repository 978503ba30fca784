"""Local Fourier analysis of multigrid: smoothing and two-grid factors with frozen coefficients."""
