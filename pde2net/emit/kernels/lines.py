"""A stage as a function of lines: a loop over the cells of one line of the last axis."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import sympy as sp
from sympy.printing.precedence import PRECEDENCE, precedence

from pde2net.emit.torch_expressions import SHARED, TorchPrinter, number
from pde2net.emit.tree import Function
from pde2net.errors import EmissionError
from pde2net.program.kernels import Read, Stage, position, size
from pde2net.program.names import Namer

WORDS = ("n", "j", "p", "real", "tiny", "where", "memory", "at", "math", "np", "numba", "line")
HELPERS = ("square", "largest", "least", "at_least_tiny", "onto", "abs", "exp", "wide", "range")


@dataclass(frozen=True)
class Line:
    """A function of lines.

    name     of the function
    groups   the reads of each argument that is read, those of one row of one ring, as numbers of the stage's
    first    the least offset along the last axis in each
    span     by how much the largest exceeds it
    writes   how many arrays it writes, those last that it carries on
    text     the function
    located  whether it asks where a cell is
    """

    name: str
    groups: tuple[tuple[int, ...], ...]
    first: tuple[int, ...]
    span: tuple[int, ...]
    writes: int
    text: Function
    located: bool


def line(stage: Stage, groups: Sequence[Sequence[int]], columns: Sequence[sp.Symbol], namer: Namer) -> Line:
    """`columns` are the numbers of a line of numbers, in order. Names are those that `namer` has left."""
    return _Line(stage, groups, columns, namer).made()


class Body:
    """The statements of a stage.

    words    how symbols are called
    varying  those whose values are not the same in all cells
    """

    def __init__(self, stage: Stage, namer: Namer, taken: Sequence[str]) -> None:
        self.stage, self.namer, self.axes = stage, namer, len(stage.wide)
        self.taken = list(taken)
        self.words: dict[sp.Symbol, str] = {}
        self.varying = {s for s, _ in stage.reads}

    def fresh(self, wanted: str) -> str:
        self.taken.append(self.namer.identifier(wanted, self.taken))
        return self.taken[-1]

    def statements(
        self, printer: type[LinePrinter], places: Mapping[sp.Symbol, str]
    ) -> tuple[list[str], list[str]]:
        """What is the same in all cells, and the loop; `places` are words for positions and sizes."""
        for symbol in sorted(self.stage.numbers, key=str):
            self.words[symbol] = self.fresh(plain(symbol.name))
        self.words |= places
        printed = printer(self.words)
        before, inside = list[str](), list[str]()
        for symbol, expression in self.ordered():
            if expression.is_number:  # a variable of Triton would have it in single precision
                text = printed.doprint(expression)
                self.words[symbol] = f"({text})" if " " in text and text[0] != "(" else text
                continue
            name = self.words[symbol] = self.fresh(plain(symbol.name))
            varies = bool(self.varying & expression.free_symbols)
            if varies:
                self.varying.add(symbol)
            statement = f"{name} = {printed.doprint(expression)}"
            (inside if varies else before).append(statement)
        return before, inside

    def ordered(self) -> Iterator[tuple[sp.Symbol, sp.Expr]]:
        """Assignments in order: common parts, what is the same in all cells, and the body."""
        body = dict(self.stage.body)
        aliases = {s: e for s, e in body.items() if e.is_Symbol}
        for symbol in list(aliases):
            while aliases[symbol] in aliases:
                aliases[symbol] = aliases[aliases[symbol]]
        kept = {s: e.xreplace(aliases) for s, e in body.items() if s not in aliases}
        names = (sp.Symbol(f"c{k}", real=True) for k in range(1, 10**6))
        common, reduced = sp.cse(list(kept.values()), symbols=names, order="none")
        known = dict(common) | dict(zip(kept, reduced, strict=True))
        while numbers := {s: e for s, e in known.items() if e.is_number and s not in self.words}:
            self.words |= dict.fromkeys(numbers, "")  # printed where they are made
            known = {s: e.xreplace(numbers) for s, e in known.items()}
        known = _with_powers(_with_quotients(known))
        done: set[sp.Symbol] = set()
        constants = (sp.Symbol(f"k{k}", real=True) for k in range(1, 10**6))
        varying = set(self.varying)

        def visit(symbol: sp.Symbol) -> Iterator[tuple[sp.Symbol, sp.Expr]]:
            if symbol in done or symbol not in known:
                return
            done.add(symbol)
            for part in sorted(known[symbol].free_symbols, key=str):
                yield from visit(part)
            expression = known[symbol]
            if varying & expression.free_symbols:
                varying.add(symbol)
                hoisted: dict[sp.Expr, sp.Symbol] = {}
                expression = _hoisted(expression, varying, hoisted, constants)
                yield from ((s, e) for e, s in hoisted.items())
            yield symbol, expression

        made = [w.symbol for w in self.stage.writes] + [c.source for c in self.stage.carried]
        for symbol in made:
            yield from visit(aliases.get(symbol, symbol))
        for symbol in made:
            target = aliases.get(symbol, symbol)
            if target != symbol or target not in known:
                self.aliased(symbol, target)

    def aliased(self, symbol: sp.Symbol, target: sp.Symbol) -> None:
        """A value that another symbol has."""
        self.words[symbol] = self.words[target]


class _Line(Body):
    def __init__(
        self, stage: Stage, groups: Sequence[Sequence[int]], columns: Sequence[sp.Symbol], namer: Namer
    ) -> None:
        super().__init__(stage, namer, (*WORDS, *HELPERS))
        self.groups, self.columns = groups, columns
        self.first = [min(self.read(i).offset[-1] for i in g) for g in groups]
        self.span = [
            max(self.read(i).offset[-1] for i in g) - f for g, f in zip(groups, self.first, strict=True)
        ]
        self.arguments = [self.fresh(_of(self.read(g[0]))) for g in groups]
        self.targets = [self.fresh(plain(w.value)) for w in stage.writes]
        self.carried = {c: self.fresh(plain(c.value)) for c in stage.carried}
        self.last = [c for c in stage.carried if c.axis == self.axes - 1]
        for group, first, argument in zip(groups, self.first, self.arguments, strict=True):
            for i in group:
                symbol, read = stage.reads[i]
                shift = read.offset[-1] - first
                self.words[symbol] = f"{argument}[j + {shift}]" if shift else f"{argument}[j]"
        for carried, name in self.carried.items():
            self.words[carried.symbol] = name if carried in self.last else f"{name}[j]"
            self.varying.add(carried.symbol)

    def read(self, i: int) -> Read:
        return self.stage.reads[i][1]

    def made(self) -> Line:
        self.varying.add(position(self.axes - 1))
        before, inside = self.statements(LinePrinter, self.places())
        assigned = "+=" if self.stage.summed else "="
        symbols = [self.words[w.symbol] for w in self.stage.writes]
        inside += [f"{t}[j] {assigned} {s}" for t, s in zip(self.targets, symbols, strict=True)]
        inside += [f"{self.words[c.symbol]} = {self.words[c.source]}" for c in self.carried]
        before += [f"{self.carried[c]} = real(0)" for c in self.last]
        text = "\n".join([*before, *inside])
        head = ["wide()", f"real = {self.targets[0]}.dtype.type"]
        if "tiny" in re.findall(r"\w+", text):
            head.append(f"tiny = np.finfo({self.targets[0]}.dtype).tiny")
        found = set(re.findall(r"\w+", text))
        for k, symbol in enumerate(self.columns):
            if symbol in self.words and self.words[symbol] in found:
                head.append(f"{self.words[symbol]} = p[{k}]")
        located = "where" in found
        kept = [name for c, name in self.carried.items() if c not in self.last]
        arguments = ["n", "p", *(["where"] if located else []), *self.arguments, *self.targets, *kept]
        name = self.namer.identifier("line_of_" + "_".join(self.targets)[:40], ())
        reads = ", ".join(dict.fromkeys(plain(self.read(g[0]).value) for g in self.groups)) or "numbers"
        shown = [*self.targets[:4], *([f"{len(self.targets) - 4} more"] if len(self.targets) > 4 else [])]
        doc = f"A line of {', '.join(shown)} from {reads}."
        body = [*head, *before, "for j in range(n):", *("    " + s for s in inside)]
        function = Function(name, arguments, "None", doc, body, ["@line"])
        return Line(
            name,
            tuple(map(tuple, self.groups)),
            tuple(self.first),
            tuple(self.span),
            len(self.targets) + len(kept),
            function,
            located,
        )

    def places(self) -> dict[sp.Symbol, str]:
        """The words for where a cell is."""
        found = {}
        for axis in range(self.axes):
            lifted = 0 if axis == 0 and self.axes > 1 else 2 - (self.axes - 1 - axis)
            found[position(axis)] = "real(where[2] + j)" if lifted == 2 else f"real(where[{lifted}])"
            found[size(axis)] = f"real(where[{3 + lifted}])"
        return found


def _with_quotients(assigned: dict[sp.Symbol, sp.Expr]) -> dict[sp.Symbol, sp.Expr]:
    """Where 1/x and 1/x^2 are needed, one division and products."""
    powers: dict[sp.Expr, set[sp.Expr]] = {}
    for expression in assigned.values():
        for power in expression.atoms(sp.Pow):
            if power.exp.is_Integer and power.exp < 0 and power.base.free_symbols:
                powers.setdefault(power.base, set()).add(power.exp)
    bases = sorted((b for b, own in powers.items() if len(own) > 1), key=str)
    quotients = {base: sp.Symbol(f"q{k}", real=True) for k, base in enumerate(bases, 1)}

    def whole(power: sp.Pow) -> sp.Expr:
        return quotients[power.base] ** -power.exp

    def divides(part: sp.Basic) -> bool:
        return isinstance(part, sp.Pow) and part.base in quotients and part.exp in powers[part.base]

    made = {symbol: expression.replace(divides, whole) for symbol, expression in assigned.items()}
    return {**{q: 1 / base for base, q in quotients.items()}, **made}


def _with_powers(assigned: dict[sp.Symbol, sp.Expr]) -> dict[sp.Symbol, sp.Expr]:
    """Where e^x and e^(n x) are needed, n <= 16, one exponential and products, n times as inaccurate."""
    scales: dict[sp.Expr, set[sp.Rational]] = {}
    for expression in assigned.values():
        for part in expression.atoms(sp.exp):
            scale, rest = part.args[0].as_coeff_Mul()
            scales.setdefault(rest, set()).add(scale)
    powers: dict[sp.Expr, sp.Expr] = {}
    symbols: dict[sp.Symbol, sp.Expr] = {}
    for rest in sorted(scales, key=str):
        first, symbol = sp.S.Zero, sp.S.Zero
        for scale in sorted(scales[rest], key=lambda r: (bool(r < 0), abs(r))):
            ratio = scale / first if first else sp.S.Zero
            if ratio.is_Integer and 1 < ratio <= 16:
                symbols.setdefault(symbol, sp.exp(first * rest))
                powers[sp.exp(first * rest)], powers[sp.exp(scale * rest)] = symbol, symbol**ratio
            else:
                first, symbol = scale, sp.Symbol(f"e{len(symbols) + 1}", real=True)
    return {**symbols, **{symbol: expression.xreplace(powers) for symbol, expression in assigned.items()}}


def _hoisted(
    expression: sp.Expr,
    varying: set[sp.Symbol],
    found: dict[sp.Expr, sp.Symbol],
    names: Iterator[sp.Symbol],
) -> sp.Expr:
    """The expression with names for its parts that are the same in all cells."""
    if not isinstance(expression, sp.Expr) or expression.is_Atom:
        return expression

    def named(part: sp.Expr) -> sp.Expr:
        if part.is_Atom or part.is_number:
            return part
        if part not in found:
            found[part] = next(names)
        return found[part]

    if not varying & expression.free_symbols:
        return named(expression)
    if isinstance(expression, sp.Add | sp.Mul):
        fixed = [a for a in expression.args if not varying & a.free_symbols and a.free_symbols]
        rest = [a for a in expression.args if a not in fixed]
        rest = [_hoisted(a, varying, found, names) for a in rest]
        numbers = [a for a in rest if a.is_number and a not in (-1, 1)]
        if fixed and isinstance(expression, sp.Mul) and numbers:
            fixed, rest = [*numbers, *fixed], [a for a in rest if a not in numbers]
        if fixed:
            rest.append(named(expression.func(*fixed)))
        return expression.func(*rest, evaluate=False)
    if isinstance(expression, sp.Piecewise):
        pairs = [(_hoisted(e, varying, found, names), c) for e, c in expression.args]
        return sp.Piecewise(*pairs, evaluate=False)
    args = [_hoisted(a, varying, found, names) for a in expression.args]
    return (
        expression.func(*args, evaluate=False) if isinstance(expression, sp.Pow) else expression.func(*args)
    )


class LinePrinter(TorchPrinter):
    """Numbers of one cell; numbers of the text have the type of the arrays."""

    def __init__(self, words: dict[sp.Symbol, str]) -> None:
        super().__init__({}, {})
        self.words = words

    def is_tensor(self, expression: sp.Expr) -> bool:
        return False

    def _print_Symbol(self, expr: sp.Symbol) -> str:
        return self.words[expr]

    def _print_Rational(self, expr: sp.Rational) -> str:
        return f"real({number(expr)})"

    def _print_Integer(self, expr: sp.Integer) -> str:
        return self._print_Rational(expr)

    def _print_Float(self, expr: sp.Float) -> str:
        return self._print_Rational(expr)

    def _print_NumberSymbol(self, expr: sp.Expr) -> str:
        return self._print_Rational(expr)

    def _print_Pi(self, expr: sp.Expr) -> str:
        return self._print_Rational(expr)

    def _print_Exp1(self, expr: sp.Expr) -> str:
        return self._print_Rational(expr)

    def _print_Mul(self, expr: sp.Mul) -> str:
        if expr.could_extract_minus_sign():
            return "-" + self.parenthesize(-expr, precedence(expr))
        top, bottom = [], []
        for factor in expr.args:
            if factor.is_Pow and factor.exp.is_number and factor.exp.is_negative:
                bottom.append(
                    sp.Pow(factor.base, -factor.exp, evaluate=False) if factor.exp != -1 else factor.base
                )
            else:
                top.append(factor)
        level = precedence(expr)
        product = " * ".join(self.parenthesize(f, level) for f in top) or "real(1)"
        return f"{product} / {self._bottom(bottom)}" if bottom else product

    def _bottom(self, factors: list[sp.Expr]) -> str:
        if len(factors) > 1:
            return "(" + " * ".join(self.parenthesize(f, PRECEDENCE["Mul"]) for f in factors) + ")"
        return self.parenthesize(factors[0], PRECEDENCE["Pow"])

    def _print_Pow(self, expr: sp.Pow, rational: bool = False) -> str:
        base, exponent = expr.base, expr.exp
        text = self._print(base)
        if exponent.is_number and exponent.is_negative:
            inverse = base if exponent == -1 else sp.Pow(base, -exponent, evaluate=False)
            return f"real(1) / {self._bottom([inverse])}"
        if exponent == 1:
            return str(text)
        if exponent == sp.S.Half:
            return f"math.sqrt({text})"
        if exponent.is_Integer and exponent <= 16:
            return self._whole(str(text), int(exponent))
        if (2 * exponent).is_Integer and exponent <= 8:
            whole = self._whole(str(text), int(exponent - sp.S.Half))
            return f"({whole} * math.sqrt({text}))"
        return f"math.pow({text}, {self._print(exponent)})"

    def _whole(self, text: str, exponent: int) -> str:
        """A power by products."""
        if exponent <= 1:
            return text if text.isidentifier() or exponent == 0 else f"({text})"
        half = f"square({self._whole(text, exponent // 2)})"
        return half if exponent % 2 == 0 else f"({half} * ({text}))"

    def _print_Function(self, expr: sp.Expr) -> str:
        name = type(expr).__name__
        arguments = [str(self._print(a)) for a in expr.args]
        if name == "exp":
            return f"exp({arguments[0]})"
        if name in SHARED:
            return f"math.{name}({', '.join(arguments)})"
        if name == "Where":
            return f"({arguments[1]} if {arguments[0]} else {arguments[2]})"
        if name in ("AwayFromZero", "projection"):
            return f"{'onto' if name == 'projection' else 'at_least_tiny'}({', '.join(arguments)}, tiny)"
        raise EmissionError(f"The function {name} has no kernel.")

    def _print_AtLeast(self, expr: sp.Expr) -> str:
        return f"largest({', '.join(map(str, map(self._print, expr.args)))})"

    def _print_Abs(self, expr: sp.Abs) -> str:
        return f"abs({self._print(expr.args[0])})"

    def _print_sign(self, expr: sp.sign) -> str:
        text = self._print(expr.args[0])
        return f"(real(1) if {text} > real(0) else real(-1) if {text} < real(0) else real(0))"

    def _extremum(self, expr: sp.Expr, bound: str, pairwise: str, plain: str) -> str:
        function = "largest" if plain == "max" else "least"
        text, *others = (str(self._print(a)) for a in expr.args)
        for other in others:
            text = f"{function}({text}, {other})"
        return text

    def _print_Piecewise(self, expr: sp.Piecewise) -> str:
        (value, condition), *others = expr.args
        if condition == sp.true or not others:
            return str(self._print(value))
        rest = sp.Piecewise(*others, evaluate=False) if len(others) > 1 else others[0][0]
        return f"({self._print(value)} if {self._print(condition)} else {self._print(rest)})"

    def _print_Relational(self, expr: sp.Rel) -> str:
        left, right = (self.parenthesize(a, PRECEDENCE["Relational"] + 1) for a in expr.args)
        return f"{left} {expr.rel_op} {right}"

    def _print_Not(self, expr: sp.Basic) -> str:
        return f"(not ({self._print(expr.args[0])}))"

    def _joined(self, operator: str, expr: sp.Basic) -> str:
        return operator.join(f"({self._print(a)})" for a in expr.args)


def plain(value: str) -> str:
    """A word for a value: block.flux:1 is flux_1."""
    word = re.sub(r"\W+", "_", value.removeprefix("value of ").rpartition(".")[2]).strip("_")
    return word if word and not word[0].isdigit() else f"slope_{word}"


def _of(read: Read) -> str:
    """A word for a row: u, u_up where it is one row further, ..."""
    word = plain(read.value)
    for name, d in zip(("row", "line"), read.offset[:-1], strict=False):
        if d:
            word += f"_{name}{'_m' if d < 0 else '_'}{abs(d)}"
    return word if read.channel is None else f"{word}_c{read.channel}"
