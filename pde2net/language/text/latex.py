"""Equations in LaTeX, in the notation of the field."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.printing.latex import LatexPrinter

from pde2net.language.problem import Problem
from pde2net.language.smoothing import smooth
from pde2net.language.text.notation import Notation


def equations_latex(problem: Problem) -> str:
    """The equations and the definitions that they need, one per line."""
    printer = _Latex(problem.space, {})
    left = rf"\frac{{\partial}}{{\partial {problem.time}}}"
    lines = [f"{left} {name} = {text}" for name, text in printer.sides(problem)]
    lines += [rf"\text{{where }} {name} = {text}" for name, text in printer.definitions]
    if len(lines) == 1:
        return f"$\\displaystyle {lines[0]}$"
    return "$\\displaystyle \\begin{gathered}" + r" \\ ".join(lines) + "\\end{gathered}$"


class _Latex(Notation, LatexPrinter):  # type: ignore[misc]  # SymPy has no types
    # Braces keep SymPy from reading what is shown as the name of a symbol with indices.
    bare = ""
    shapes = MappingProxyType(
        {
            "laplacian": r"\Delta {{{1}}}",
            "grad": r"\nabla {{{1}}}",
            "hessian": r"\nabla^{{2}} {{{1}}}",
            "|grad|^2": r"|\nabla {{{1}}}|^{{2}}",
            "|hessian|^2": r"|\nabla^{{2}} {{{1}}}|^{{2}}",
            "div": r"\operatorname{{div}}\left({}\right)",
            "divdiv": r"\operatorname{{div}} \operatorname{{div}}\left({}\right)",
            "times": r"{} \, {}",
            "vector": r"\left({}\right)^{{\top}}",
            "call": r"\operatorname{{{}}}\left({}\right)",
        }
    )

    def _shape(self, key: str, *parts: str) -> str:
        return super()._shape(key, *(p.replace("_", r"\_") if p.isidentifier() else p for p in parts))

    def _print_Function(self, expr: sp.Function, exp: str | None = None) -> str:
        if not isinstance(expr, AppliedUndef):
            return str(super()._print_Function(expr, exp))
        name = self._print(sp.Symbol(expr.func.__name__))
        return name if exp is None else f"{name}^{{{exp}}}"

    def _print_smooth(self, expr: smooth, exp: str | None = None) -> str:
        inner, sigma = expr.args
        name = rf"\left(G_{{{self._print(sigma)}}} \ast {self._print(inner)}\right)"
        return name if exp is None else f"{name}^{{{exp}}}"

    def _print_Derivative(self, expr: sp.Derivative) -> str:
        ((_, grouped),) = self.grouped([expr])
        if isinstance(grouped, sp.Symbol):
            return str(grouped.name)
        axes = "".join(self._print(a) for a, n in expr.variable_count for _ in range(n))
        if isinstance(expr.expr, AppliedUndef):
            return f"{{{self._print(expr.expr)}}}_{{{axes}}}"
        return rf"\partial_{{{axes}}} {self.parenthesize(expr.expr, 1000)}"

    def _print_Add(self, expr: sp.Add, order: Any = None) -> str:
        parts = [self._print(c * e) for c, e in self.grouped(list(self._as_ordered_terms(expr)))]
        return " + ".join(parts).replace("+ -", "-")

    def _print_Piecewise(self, expr: sp.Piecewise) -> str:
        return self.diffusivity(expr) or str(super()._print_Piecewise(expr))
