"""Pictures of a network: SVG for documents, DOT for Graphviz, a tree for the terminal."""

from pde2net.graph.draw.dot import to_dot
from pde2net.graph.draw.pictures import FORMATS, to_svg, to_text, write_picture
from pde2net.graph.draw.title import title

__all__ = ["FORMATS", "title", "to_dot", "to_svg", "to_text", "write_picture"]
