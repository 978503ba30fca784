"""Training: data, the loop, checkpoints, what holds for the weights, and networks to compare with."""

from pde2net.learn import baselines
from pde2net.learn.certify import certify
from pde2net.learn.checkpoint import load, module, save
from pde2net.learn.fit import fit
from pde2net.learn.history import History
from pde2net.learn.noise import noise
from pde2net.learn.photographs import images, photographs
from pde2net.learn.samples import Noise
from pde2net.learn.signals import signals
from pde2net.learn.values import values

__all__ = [
    "History",
    "Noise",
    "baselines",
    "certify",
    "fit",
    "images",
    "load",
    "module",
    "noise",
    "photographs",
    "save",
    "signals",
    "values",
]
