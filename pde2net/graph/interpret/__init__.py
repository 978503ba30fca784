"""The reference interpreter: a graph evaluated in NumPy float64 and in exact rationals."""

from pde2net.graph.interpret.evaluate import EXACT, FLOAT, WIDE
from pde2net.graph.interpret.interpreter import Interpreter

__all__ = ["EXACT", "FLOAT", "WIDE", "Interpreter"]
