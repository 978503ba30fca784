"""What there is for training: values of a module, and starts."""

from pde2net.learn.noise import noise
from pde2net.learn.values import values

__all__ = ["noise", "values"]
