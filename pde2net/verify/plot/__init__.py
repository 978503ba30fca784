"""The figure of a certificate. Importing this does not import matplotlib; `figure` does."""

from pde2net.verify.plot.layout import figure
from pde2net.verify.plot.save import save

__all__ = ["figure", "save"]
