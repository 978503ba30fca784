"""Denoisers that come with the package, trained and certified; README.md says on which photographs."""

from pde2net.models.denoise import Denoiser
from pde2net.models.shipped import denoiser, names, network

__all__ = ["Denoiser", "denoiser", "names", "network"]
