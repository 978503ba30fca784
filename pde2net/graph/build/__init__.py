"""From operators and an update to the graph of a network."""

from pde2net.graph.build.architectures import build

__all__ = ["build"]
