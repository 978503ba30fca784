"""The figure of a certificate. Importing this does not import matplotlib; `figure` does."""

from pde2net.figures.save import certificate_figure
from pde2net.figures.sheet import figure

__all__ = ["certificate_figure", "figure"]
