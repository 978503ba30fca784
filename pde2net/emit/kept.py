"""Emits what a network computes to keep its condition: positive parameters, the step, scaled filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy as sp

from pde2net.emit.base import Request
from pde2net.emit.learned import Thing
from pde2net.emit.parse import parse
from pde2net.emit.spectral_bound import MOST
from pde2net.emit.statements import Printer
from pde2net.emit.torch_expressions import TorchPrinter
from pde2net.emit.tree import Function
from pde2net.language.symbols import per_filter
from pde2net.program.parametrise import FROM_LIMIT
from pde2net.program.records import Parameter, Transform
from pde2net.scheme.stack import TAU
from pde2net.verify.norms import FilterNorm

FRACTION = parse('''
def at_most(limit: Tensor | float, logarithm: Tensor) -> Tensor:
    """limit * exp(-|logarithm|), in (0, limit]; its derivative at 0 is that from the left."""
    return limit * torch.exp(torch.where(logarithm > 0, -logarithm, logarithm))
''')


UNCHANGED = parse('''
def unchanged(module: nn.Module, what: str, dtype: torch.dtype, compute: Callable[[], Any]) -> Any:
    """compute(); in eval() without gradients, on CPUs, what it gave for equal weights: they are compared."""
    if module.training or torch.is_grad_enabled() or torch.compiler.is_compiling() or torch.jit.is_tracing():
        return compute()
    weights = [*module.parameters(), *module.buffers()]
    set_ = [v for part in module.modules() for v in vars(part).values()]
    plain = all(w.is_cpu for w in weights) and all(type(p) is nn.Parameter for p in module.parameters())
    if not plain or torch.is_autocast_enabled("cpu") or any(isinstance(v, Tensor) for v in set_):
        return compute()
    numbers = [v for v in set_ if isinstance(v, (bool, int, float, tuple))]
    now = [dtype, numbers, [w.dtype for w in weights]]
    known = vars(module).setdefault("known without gradients", {})
    then, before, found = known.get(what, (None, [], None))
    if now != then or not all(torch.equal(a, b) for a, b in zip(weights, before, strict=True)):
        found = compute()
        known[what] = now, [w.detach().clone() for w in weights], found
    return found
''')


class Keeper:
    """How one network keeps its condition; nothing is done if the request keeps none."""

    def __init__(self, request: Request, parameters: Sequence[Parameter]) -> None:
        self.kept, self.namer = request.kept, request.namer
        self.values: Mapping[sp.Symbol, sp.Expr] = request.graph.graph["values"]
        self.norms: Sequence[FilterNorm] = self.kept.norms if self.kept else ()
        self.symbols = {norm.symbol for norm in self.norms}
        self.attributes = {p.symbol.name for p in parameters}
        self.transforms = {p.symbol: p.transform for p in parameters}
        self.limits = {p.symbol: p.limit for p in parameters if p.transform in FROM_LIMIT}

    @property
    def computed(self) -> list[sp.Symbol]:
        """Symbols that the block computes, in the order in which it hands them over."""
        return list(self.limits)

    @property
    def method(self) -> bool:
        """Whether tau, alpha and the filters come from a method that bounds norms; else from properties."""
        return bool(self.norms)

    # -- the constructor and properties ------------------------------------------------------------

    def stored(self, symbol: sp.Symbol, name: str, printer: TorchPrinter) -> list[str] | None:
        """Statements that store a parameter in the constructor; None for the usual ones."""
        transform = self.transforms[symbol]
        if transform == Transform.LOGARITHM:
            return [f"self.initial_{name} = {name}", *self.logarithm(name)]
        if transform == Transform.CAPPED:
            return [f"self.largest_{name} = {name}"]
        if transform == Transform.FRACTION:
            start = f"math.log(min({name} / ({printer.doprint(self.inserted(self.limits[symbol]))}), 1.0))"
            return [f"self.log_{name} = nn.Parameter(torch.tensor({start}, dtype=torch.float64))"]
        return None

    @staticmethod
    def logarithm(name: str) -> list[str]:
        return [f"self.log_{name} = nn.Parameter(torch.zeros((), dtype=torch.float64))"]

    def positive(self, name: str) -> Function:
        """The property of a parameter that keeps its sign."""
        body = [f"return self.initial_{name} * torch.exp(self.log_{name}.clamp(-40.0, 40.0))"]
        return Function(name, ("self",), "Tensor", "It keeps its sign.", body, ("@property",))

    def properties(self, names: Mapping[str, str], printer: Printer) -> list[Function]:
        """tau and alpha, where they depend on parameters of the block alone."""
        found = []
        for symbol in [] if self.method else self.computed:
            name, doc = names[symbol.name], "The step, at most the limit." if symbol == TAU else ""
            body = [f"return {self.text(symbol, name, printer({}))}"]
            found.append(Function(name, ("self",), "Tensor", doc, body, ("@property",)))
        return found

    def text(self, symbol: sp.Symbol, name: str, printer: TorchPrinter) -> str:
        """The value of a symbol that the block computes."""
        limit = printer.doprint(self.inserted(self.limits[symbol]))
        if self.transforms[symbol] == Transform.CAPPED:
            return f"torch.clamp({limit}, max=self.largest_{name})"
        return (
            f"at_most({limit}, self.log_{name})" if self.transforms[symbol] == Transform.FRACTION else limit
        )

    def inserted(self, expression: sp.Expr) -> sp.Expr:
        """`expression` with numbers for what no block has a parameter of: the spacing."""
        own = {s for s in expression.free_symbols if s in self.symbols or s.name in self.attributes}
        return sp.factor_terms(expression.subs({s: v for s, v in self.values.items() if s not in own}))

    # -- the method that bounds norms --------------------------------------------------------------

    def names(self, things: Sequence[Thing]) -> dict[str, str]:
        """The variables of norms, by their symbols."""
        found, taken = dict[str, str](), [thing.variable for thing in things]
        for norm in self.norms:
            label = f"norm_{norm.chain}" + ("_scaled" if norm.scale != 1 else "")
            found[norm.symbol.name] = self.namer.identifier(label, [*taken, *found.values()])
        return found

    def weights(self, things: Sequence[Thing], printer: Printer) -> tuple[list[str], list[str]]:
        """Statements, and then expressions for the filters whose norms are bounded."""
        variables = {thing.name: thing.variable for thing in things}
        used = {k.name for norm in self.norms for k in norm.chain.operators}
        lines = [f"{t.variable} = {t.handed('dtype')}" for t in things if t.name in used]
        return lines, [self._weight(norm, variables, printer) for norm in self.norms]

    def statements(
        self, things: Sequence[Thing], computed: Mapping[str, str], printer: Printer, given: bool
    ) -> tuple[list[str], list[str]]:
        """The body of `keep_stable(dtype)` without its end, and what it returns.

        given  whether it is given the bounds of norms
        """
        variables = {thing.name: thing.variable for thing in things}
        norms = self.names(things)
        lines = [f"{t.variable} = {t.handed('dtype')}" for t in things]
        bounded = [(norms[norm.symbol.name], variables[norm.chain.last.name]) for norm in self.norms]
        if not given:
            weights = (self._weight(norm, variables, printer) for norm in self.norms)
            lines += [f"{name} = norm_bound({w})" for (name, _), w in zip(bounded, weights, strict=True)]
        assert self.kept is not None
        pairs = list(self.kept.bounds)
        if self.kept.tau is not None:
            pairs.append((self.kept.rate, self.kept.room / TAU))
        lines += self._limited(bounded) if self.kept.tau is None else []
        lines += self._scaled(pairs, bounded, printer(norms)) if pairs else []
        for symbol in self.computed:
            name = computed[symbol.name]
            lines.append(f"{name} = {self.text(symbol, name, printer(norms))}")
        return lines, [*computed.values(), *variables.values()]

    def _weight(self, norm: FilterNorm, variables: Mapping[str, str], printer: Printer) -> str:
        """The filters whose norm is bounded, in print."""
        *inner, last = (variables[k.name] for k in norm.chain.operators)
        text = last
        if norm.scale != 1:
            own = {s.name: f"self.{variables[s.name]}" for s in per_filter(norm.scale)}
            text = f"scaled({text}, {printer(own).doprint(norm.scale)})"
        for operator in reversed(inner):
            text = f"composed({text}, {operator})"
        return text

    def _limited(self, bounded: list[tuple[str, str]]) -> list[str]:
        """Filters of a size whose squares can be computed with."""
        lines = []
        for norm, variable in bounded:
            lines.append(f"{variable} = torch.clamp({MOST} / {norm}, max=1.0) * {variable}")
            lines.append(f"{norm} = torch.clamp({norm}, max={MOST})")
        return lines

    def _scaled(
        self,
        pairs: Sequence[tuple[sp.Expr, sp.Expr]],
        bounded: list[tuple[str, str]],
        printer: TorchPrinter,
    ) -> list[str]:
        """Filters scaled down by one factor such that every rate is at most its room."""
        lines = []
        for k, (rate, most) in enumerate(pairs):
            fixed = rate.subs(dict.fromkeys(self.symbols, 0))
            above, below = (
                printer.doprint(self.inserted(e)) for e in (most - fixed, sp.expand(rate - fixed))
            )
            scale = f"torch.clamp(torch.sqrt(({above}) / ({below})), max=1.0)"
            lines.append(f"scale = torch.minimum(scale, {scale})" if k else f"scale = {scale}")
        lines += [f"{v} = scale * {v}" for v in dict.fromkeys(variable for _, variable in bounded)]
        if self.limits:
            lines += [f"{norm} = scale * {norm}" for norm, _ in bounded]
        return lines
