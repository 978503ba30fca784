"""Pictures of a network: SVG for documents, a tree for the terminal."""

from pde2net.graph.draw.pictures import to_svg, to_text

__all__ = ["to_svg", "to_text"]
