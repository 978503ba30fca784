"""Expressions and equations in the text language."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from pde2net.language.problem import Problem
from pde2net.language.text.notation import Notation


def written(problem: Problem) -> tuple[list[str], list[tuple[str, str]]]:
    """The equations as they were written, and the definitions that they need, each as (name, text)."""
    printer = TextPrinter(problem.space)
    return [f"{name}_{problem.time} = {text}" for name, text in printer.sides(problem)], printer.definitions


def equation_line(problem: Problem) -> str:
    """The equations in one line, as they were written: u_t = div(D * grad u), where D = tensor(...)."""
    equations, definitions = written(problem)
    of = f", {problem.channels} channels" if problem.channels > 1 and len(equations) == 1 else ""
    where = ", ".join(f"{name} = {text}" for name, text in definitions)
    return "; ".join(equations) + of + (f", where {where}" if where else "")


def expression_text(expression: sp.Expr, space: tuple[sp.Symbol, ...]) -> str:
    """An expression in the text language."""
    return str(TextPrinter(space).doprint(expression))


class TextPrinter(Notation, StrPrinter):  # type: ignore[misc]  # SymPy has no types
    """Expressions in the text language: derivatives as u_x, operators under their names."""

    printmethod = "_as_pde_text"  # of learned operators, whose notation is another one than in Python

    bare: str | tuple[str, ...] = "|"
    shapes = MappingProxyType(
        {
            "laplacian": "laplacian({})",
            "grad": "grad {1}",
            "hessian": "hessian({})",
            "|grad|^2": "|grad {1}|^2",
            "|hessian|^2": "|hessian {1}|^2",
            "div": "div({})",
            "divdiv": "div(div({}))",
            "times": "{} * {}",
            "vector": "[{}]",
            "call": "{}({})",
        }
    )

    def __init__(self, space: tuple[sp.Symbol, ...]) -> None:
        super().__init__(space, {"order": None})

    def _print_Function(self, expr: sp.Function) -> str:
        name = {sp.Abs: "abs", sp.Min: "min", sp.Max: "max"}.get(expr.func, expr.func.__name__)
        return name if isinstance(expr, AppliedUndef) else f"{name}({self.stringify(expr.args, ', ')})"

    _print_Min = _print_Max = _print_Abs = _print_Function  # noqa: N815  SymPy's names

    def _print_Exp1(self, expr: sp.Expr) -> str:
        return "exp(1)"

    def _print_Derivative(self, expr: sp.Derivative) -> str:
        ((_, grouped),) = self.grouped([expr])
        if isinstance(grouped, sp.Symbol):
            return str(grouped)
        axes = [a.name for a, n in expr.variable_count for _ in range(n)]
        if isinstance(expr.expr, AppliedUndef):
            return f"{expr.expr.func.__name__}_{''.join(axes)}"
        return f"diff({', '.join([self._print(expr.expr), *axes])})"

    def _print_Mul(self, expr: sp.Mul) -> str:
        """Numbers in front of 1/(a + b), since 5*(a + b) is read as 5*a + 5*b."""
        number, rest = expr.as_coeff_Mul()
        if number.is_Integer or not sp.fraction(rest)[1].is_Add:
            return str(super()._print_Mul(expr))
        shown = self._print(rest)
        return f"{number}{shown[1:]}" if shown.startswith("1/") else f"{number}*{shown}"

    def _print_Pow(self, expr: sp.Pow, rational: bool = False) -> str:
        base, exponent = expr.args
        if exponent == sp.Rational(1, 2):
            return f"sqrt({self._print(base)})"
        if exponent.is_Rational and exponent.is_negative:
            inverse = self.parenthesize(base**-exponent, PRECEDENCE["Mul"], strict=False)
            return f"1/{inverse}"
        level = PRECEDENCE["Pow"]
        return f"{self.parenthesize(base, level)}^{self.parenthesize(exponent, level)}"

    def _print_Add(self, expr: sp.Add, order: Any = None) -> str:
        text = ""
        for coefficient, term in self.grouped(list(self._as_ordered_terms(expr))):
            shown = self._print(coefficient * term)
            text += f" - {shown[1:]}" if shown.startswith("-") else f" + {shown}"
        return text.removeprefix(" + ") if text.startswith(" +") else "-" + text.removeprefix(" - ")

    def _print_Piecewise(self, expr: sp.Piecewise) -> str:
        if known := self.diffusivity(expr):
            return known
        *pieces, (last, _) = expr.args
        level, parts = PRECEDENCE["Add"], []
        for value, condition in pieces:
            # Conditions have no parentheses: "or" of "and" says the same.
            parts.append(f"{self.parenthesize(value, level)} if {self._print(sp.to_dnf(condition))} else ")
        return f"({''.join(parts)}{self.parenthesize(last, level)})"

    def _print_Relational(self, expr: sp.Rel) -> str:
        level = PRECEDENCE["Relational"]
        sides = (self.parenthesize(side, level) for side in (expr.lhs, expr.rhs))
        return f" {expr.rel_op} ".join(sides)

    def _print_And(self, expr: sp.And) -> str:
        return " and ".join(map(self._print, sorted(expr.args, key=sp.default_sort_key)))

    def _print_Or(self, expr: sp.Or) -> str:
        return " or ".join(map(self._print, sorted(expr.args, key=sp.default_sort_key)))
