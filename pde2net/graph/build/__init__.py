"""From operators and an update to the graph of a network."""

from pde2net.graph.build.architectures import build, explicit_steps

__all__ = ["build", "explicit_steps"]
