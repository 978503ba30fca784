"""The equation above a picture, in the notation of the field."""

from __future__ import annotations

import re
from types import MappingProxyType

import sympy as sp

from pde2net.graph.draw.formulas import greek, typeset
from pde2net.language.problem import Problem
from pde2net.language.text.printer import TextPrinter


def title(problem: Problem) -> str:
    """The equations, one per line, and what they need: u_t = div(g·∇u)."""
    printer = _Printer(problem.space)
    lines = [f"{name}_{problem.time} = {text}" for name, text in printer.sides(problem)]
    lines += [f"where {name} = {text}" for name, text in printer.definitions]
    return "\n".join(map(_typeset, lines))


class _Printer(TextPrinter):
    """The text language with the signs of vector calculus."""

    bare = ("|", "\N{NABLA}", "\N{GREEK CAPITAL LETTER DELTA}")
    shapes = MappingProxyType(
        {
            "laplacian": "\N{GREEK CAPITAL LETTER DELTA}{1}",
            "grad": "\N{NABLA}{1}",
            "hessian": "\N{NABLA}²{1}",
            "|grad|^2": "|\N{NABLA}{1}|^2",
            "|hessian|^2": "|\N{NABLA}²{1}|^2",
            "div": "div({})",
            "divdiv": "div(div({}))",
            "times": "{}·{}",
            "vector": "({})",
            "call": "{}({})",
        }
    )

    def _print_Symbol(self, symbol: sp.Symbol) -> str:
        return greek(symbol.name)


_WORDS = MappingProxyType({"sqrt(": "√(", " == ": " = ", " != ": " ≠ ", " <= ": " ≤ ", " >= ": " ≥ "})


def _typeset(line: str) -> str:
    for word, sign in _WORDS.items():
        line = line.replace(word, sign)
    line = re.sub(r"Δ\(Δ(\w+)\)", r"Δ²\1", line)
    line = re.sub(r"\badjoint (\w+)", r"\1ᵀ", line)
    # Names of functions are words, not letters with an index.
    line = re.sub(r"\b([a-z]{2,}(?:_[a-z]+)+)(?=\()", lambda m: m[1].replace("_", " "), line)
    return typeset(line)
