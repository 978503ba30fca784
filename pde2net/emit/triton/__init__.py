"""Modules with kernels of Triton, for GPUs."""
