"""From a function to its vector-Jacobian product: the same operations, transposed, in reverse order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import sympy as sp

from pde2net.errors import EmissionError
from pde2net.graph.build.tangent import derivative
from pde2net.graph.nodes import (
    Channel,
    Channels,
    Convolution,
    Crop,
    EdgeMean,
    Filter,
    Gaussian,
    Pad,
    Pointwise,
    TransposedConvolution,
    TransposedFilter,
)
from pde2net.language.tensors import projection
from pde2net.program.records import (
    FilterSlope,
    Fold,
    Function,
    Let,
    Loop,
    Op,
    Reversed,
    Total,
    Transposed,
)

SLOPE = "slope"  # the role of expressions that are parts of derivatives


def differentiate(function: Function, symbols: Sequence[sp.Symbol] = ()) -> Function:
    """v, x -> v^T J(x): takes what the function takes, and then v, one cotangent for each result.

    Results are the cotangents of its parameters, of `symbols`, and of the weights of the learned operators
    in it, sorted. Where an expression has no derivative, as where slopes vanish, it is left to `guard`.

    Raises EmissionError for solvers of linear systems, and for symbols that the width of a Gaussian has.
    """
    return _Reverse(function, symbols).product()


def filters(function: Function) -> list[str]:
    """The learned operators in a function, sorted."""
    found = {op.operator for op in function.ops if isinstance(op, Filter | TransposedFilter)}
    return sorted(found.union(*(filters(op.body) for op in function.ops if isinstance(op, Loop))))


class _Direction(sp.Function):  # type: ignore[misc]
    """projection(v_i, v_j, |v|^2) with derivatives, 0 where v = 0 as those of the emitted function."""

    nargs = 3
    is_real = True

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        a, b, square = self.args
        if argindex < 3:
            return projection(b if argindex == 1 else a, 1, square)
        return -projection(projection(*self.args), 1, square)


def _total(symbol: sp.Symbol) -> str:
    """The key of the derivative by a parameter, beside those of values, which may be called alike."""
    return f"derivative by {symbol}"


def _partial(expression: sp.Expr, symbol: sp.Symbol) -> sp.Expr:
    found = derivative(expression.replace(projection, _Direction), symbol)
    if found.has(sp.Derivative, sp.Subs):
        raise EmissionError(f"There is no derivative of {expression} by {symbol} that a program has.")
    return found.replace(_Direction, projection)


class _Reverse:
    def __init__(self, function: Function, symbols: Sequence[sp.Symbol]) -> None:
        self.function, self.symbols = function, symbols
        self.body = list(function.body)
        self.terms: dict[str, list[str]] = {}

    def product(self) -> Function:
        function = self.function
        given = [(f"cotangent:{i}", "v") for i in range(len(function.results))]
        for (cotangent, _), result in zip(given, function.results, strict=True):
            self.add(result, cotangent)
        for let in reversed(function.body):
            cotangents = [self.cotangent(v) for v in let.outputs]
            if any(cotangents):
                self.reverse(let, cotangents)
        first, _ = function.parameters[0]
        results = [self.cotangent(v) or self.zero(v) for v, _ in function.parameters]
        numbers = (_total(s) for s in self.symbols)
        results += [self.cotangent(n) or self.let(Total(), {"a": self.zero(first)}) for n in numbers]
        results += [self.cotangent(f"weights of {name}") or "" for name in filters(function)]
        parameters = (*function.parameters, *given)
        return Function(f"{function.name}_vjp", parameters, tuple(self.body), tuple(results))

    # -- sums of cotangents ------------------------------------------------------------------------

    def add(self, value: str, cotangent: str) -> None:
        self.terms.setdefault(value, []).append(cotangent)

    def cotangent(self, value: str) -> str | None:
        """That of a value, the sum of what the operations that take it give; None if it is 0."""
        terms = self.terms.get(value, [])
        if len(terms) > 1:
            slots = [sp.Symbol(f"a{i}", real=True) for i in range(len(terms))]
            fed = {s.name: term for s, term in zip(slots, terms, strict=True)}
            self.terms[value] = [self.let(Pointwise((sp.Add(*slots),), SLOPE), fed)]
        return self.terms[value][0] if terms else None

    def zero(self, like: str) -> str:
        return self.let(Pointwise((sp.S.Zero,), SLOPE), {"like": like})

    def let(self, op: Op, fed: dict[str, str]) -> str:
        return self.lets(op, fed, 1)[0]

    def lets(self, op: Op, fed: dict[str, str], count: int) -> list[str]:
        """More operations at the end; their outputs."""
        outputs = [f"{len(self.body)}:{i}" for i in range(count)]
        self.body.append(Let(tuple(outputs), op, tuple(fed.items()), (SLOPE,) * count))
        return outputs

    # -- one operation -----------------------------------------------------------------------------

    def reverse(self, let: Let, cotangents: Sequence[str | None]) -> None:
        """Add what an operation gives to the cotangents of its inputs."""
        op, fed = let.op, let.fed
        if isinstance(op, Pointwise):
            self.pointwise(op, fed, cotangents)
        elif isinstance(op, Convolution):
            pairs = zip(cotangents, let.outputs, strict=True)
            rows = {f"p{i}": c or self.zero(v) for i, (c, v) in enumerate(pairs)}
            self.add(fed["u"], self.let(TransposedConvolution(op.bank), rows))
        elif isinstance(op, Loop):
            self.loop(op, fed, cotangents[0] or "")
        elif fed:
            self.linear(op, fed, cotangents[0] or "")

    def linear(self, op: Op, fed: dict[str, str], cotangent: str) -> None:
        """Linear operations of one result, and their adjoints."""
        inputs = list(fed.values())
        if isinstance(op, TransposedConvolution):
            slopes = self.lets(Convolution(op.bank), {"u": cotangent}, len(op.bank.operations))
            for i, slope in enumerate(slopes):
                self.add(fed[f"p{i}"], slope)
        elif isinstance(op, Filter | TransposedFilter):
            transposed = isinstance(op, TransposedFilter)
            kind, slot = (Filter, "u") if transposed else (TransposedFilter, "p")
            shape = {f.name: getattr(op, f.name) for f in fields(op) if f.name != "role"}
            self.add(inputs[0], self.let(kind(**shape), {slot: cotangent}))
            u, p = (cotangent, inputs[0]) if transposed else (inputs[0], cotangent)
            self.add(f"weights of {op.operator}", self.let(FilterSlope(Filter(**shape)), {"u": u, "p": p}))
        elif isinstance(op, Channels):
            for i in range(op.count):
                slope = self.let(Channel(i), {"u": cotangent})
                self.add(fed[f"c{i}"], self.let(Fold(), {"a": slope, "like": fed[f"c{i}"]}))
        else:
            adjoint = self.adjoint(op)
            ((slot, value),) = fed.items()
            self.add(value, self.let(adjoint, {slot: cotangent}))

    def adjoint(self, op: Op) -> Op:
        """The adjoint of an operation on one array."""
        if isinstance(op, Crop):
            return Pad(op.margin, "zero")
        if isinstance(op, Pad) and op.mode == "zero":
            return Crop(op.margin)
        if isinstance(op, Gaussian) and not op.sigma.free_symbols & set(self.symbols):
            return op
        if isinstance(op, Pad | EdgeMean | Channel):
            return Transposed(op)
        raise EmissionError(f"There is no derivative of {type(op).__name__} that a program has.")

    def pointwise(self, op: Pointwise, fed: dict[str, str], cotangents: Sequence[str | None]) -> None:
        """By the derivatives of its expressions; arrays of one channel, say, are folded together."""
        bars = [sp.Symbol(f"_bar{i}", real=True) for i in range(len(cotangents))]
        given = {bar.name: c for bar, c in zip(bars, cotangents, strict=True) if c}
        pairs = [(e, v) for e, v in zip(op.expressions, bars, strict=True) if v.name in given]
        free = set[sp.Symbol]().union(*(e.free_symbols for e, _ in pairs))
        for symbol in sorted(free, key=str):
            known = symbol.name in fed
            if not known and symbol not in self.symbols:
                continue
            slope = sp.Add(*(v * _partial(e, symbol) for e, v in pairs))
            if slope == 0:
                continue
            names = {s.name for s in slope.free_symbols}
            used = {slot: v for slot, v in fed.items() if slot in names} | given
            found = self.let(Pointwise((slope,), SLOPE, op.weights), used)
            if known:
                self.add(fed[symbol.name], self.let(Fold(), {"a": found, "like": fed[symbol.name]}))
            else:
                self.add(_total(symbol), self.let(Total(), {"a": found}))

    def loop(self, op: Loop, fed: dict[str, str], cotangent: str) -> None:
        """Its passes in reverse order, from the states that they started with."""
        weights = sorted(op.repeat.symbols, key=str)
        backward = differentiate(op.body, [*self.symbols, *weights])
        keys = [*fed.values(), *map(_total, self.symbols)]
        keys += [f"weights of {name}" for name in filters(op.body)]
        made = Reversed(op, backward, tuple(self.symbols))
        slopes = self.lets(made, {**fed, "cotangent": cotangent}, len(keys))
        for key, slope in zip(keys, slopes, strict=True):
            self.add(key, slope)
