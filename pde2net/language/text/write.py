"""Expressions and equations in the .pde language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

SIGNS = {"positive": ">", "negative": "<", "nonnegative": ">=", "nonpositive": "<=", "nonzero": "!="}


def equation_texts(equations: Sequence[sp.Eq], space: tuple[sp.Symbol, ...]) -> list[tuple[str, str]]:
    """(name of the unknown, right-hand side) of each equation."""
    return [(e.lhs.expr.func.__name__, expression_text(e.rhs, space)) for e in equations]


def keyword(label: str) -> str:
    """How a text calls a scheme or a solver: du_fort_frankel, fixed_point."""
    return label.lower().replace("-", "_").replace(" ", "_")


def expression_text(expression: sp.Expr, space: tuple[sp.Symbol, ...]) -> str:
    """An expression in the text language."""
    return str(_Printer(space).doprint(expression))


def sign_text(symbol: Any) -> str:
    """Its strongest sign."""
    return next((f" {text} 0" for kind, text in SIGNS.items() if getattr(symbol, f"is_{kind}")), "")


class _Printer(StrPrinter):  # type: ignore[misc]  # SymPy has no types
    """Derivatives as u_x; gradients, divergences and Laplacians are recognised."""

    printmethod = "_as_pde_text"  # of learned operators, whose notation is another one than in Python

    def __init__(self, space: tuple[sp.Symbol, ...]) -> None:
        super().__init__({"order": None})
        self.space = space

    def _print_Function(self, expr: sp.Function) -> str:
        name = {sp.Abs: "abs", sp.Min: "min", sp.Max: "max"}.get(expr.func, expr.func.__name__)
        return name if isinstance(expr, AppliedUndef) else f"{name}({self.stringify(expr.args, ', ')})"

    _print_Min = _print_Max = _print_Abs = _print_Function  # noqa: N815  SymPy's names

    def _print_Exp1(self, expr: sp.Expr) -> str:
        return "exp(1)"

    def _print_Derivative(self, expr: sp.Derivative) -> str:
        ((_, grouped),) = self._grouped([expr])
        if isinstance(grouped, sp.Symbol):
            return str(grouped)
        axes = [a.name for a, n in expr.variable_count for _ in range(n)]
        if isinstance(expr.expr, AppliedUndef):
            return f"{expr.expr.func.__name__}_{''.join(axes)}"
        return f"diff({', '.join([self._print(expr.expr), *axes])})"

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
        for coefficient, term in self._grouped(list(self._as_ordered_terms(expr))):
            shown = self._print(coefficient * term)
            text += f" - {shown[1:]}" if shown.startswith("-") else f" + {shown}"
        return text.removeprefix(" + ") if text.startswith(" +") else "-" + text.removeprefix(" - ")

    def parenthesize(self, item: sp.Expr, level: int, strict: bool = False) -> str:
        """A sum that is shown as one operator needs no parentheses, unless it is a power in a power."""
        if item.is_Add:
            grouped = self._grouped(list(item.args))
            if len(grouped) == 1 and grouped[0][0] == 1:
                name = str(grouped[0][1])
                return name if level < PRECEDENCE["Pow"] or not name.startswith("|") else f"({name})"
        if isinstance(item, AppliedUndef):
            return str(self._print(item))
        return str(super().parenthesize(item, level, strict))

    def _print_Piecewise(self, expr: sp.Piecewise) -> str:
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

    # -- gradients, divergences, Laplacians --------------------------------------------------------

    def _grouped(self, terms: list[sp.Expr]) -> list[tuple[sp.Expr, sp.Expr]]:
        """(number, rest) of each term; those that make an operator together are one symbol that shows it."""
        left = [t.as_coeff_Mul() for t in terms]
        found: list[tuple[sp.Expr, sp.Expr]] = []
        while left:
            number, first = left[0]
            for family_of in (self._laplacian, self._squared_gradient, self._divergence):
                members, name = family_of(first) or ([], "")
                family = [(number, m) for m in members]
                if family and all(m in left for m in family):
                    found.append((number, sp.Symbol(name)))
                    left = [t for t in left if t not in family]
                    break
            else:
                found.append(left.pop(0))
        return found

    def _laplacian(self, term: sp.Expr) -> tuple[list[sp.Expr], str] | None:
        if not isinstance(term, sp.Derivative) or [n for _, n in term.variable_count] != [2]:
            return None
        if len(self.space) == 1 and isinstance(term.expr, AppliedUndef):
            return None  # u_xx says it
        family = [sp.Derivative(term.expr, (a, 2)) for a in self.space]
        return family, f"laplacian({self._print(term.expr)})"

    def _squared_gradient(self, term: sp.Expr) -> tuple[list[sp.Expr], str] | None:
        if not term.is_Pow or term.exp != 2 or not isinstance(term.base, sp.Derivative):
            return None
        slope = term.base
        if slope.derivative_count != 1 or not isinstance(slope.expr, AppliedUndef) or len(self.space) == 1:
            return None
        return [sp.Derivative(slope.expr, a) ** 2 for a in self.space], f"|grad {slope.expr.func.__name__}|^2"

    def _divergence(self, term: sp.Expr) -> tuple[list[sp.Expr], str] | None:
        if not isinstance(term, sp.Derivative) or term.derivative_count != 1:
            return None
        (axis,), flux = term.variables, term.expr
        derivatives = [s for s in sp.Mul.make_args(flux) if isinstance(s, sp.Derivative)]
        slopes = [s for s in derivatives if s.variables == (axis,)]
        if not slopes or isinstance(flux, AppliedUndef):
            return None
        factor = flux / slopes[0]
        state = slopes[0].expr
        family = [sp.Derivative(factor * sp.Derivative(state, a), a) for a in self.space]
        shown = "" if factor == 1 else f"{self.parenthesize(factor, PRECEDENCE['Mul'] - 1)} * "
        return family, f"div({shown}grad {self.parenthesize(state, PRECEDENCE['Atom'])})"
