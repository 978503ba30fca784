"""What is there for training: values of a module."""

from pde2net.learn.values import values

__all__ = ["values"]
