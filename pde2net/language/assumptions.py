"""What may be assumed of a symbol or a known field, what a value must obey, and what training keeps.

SymPy simplifies by every assumption it knows, and bounds are derived from what it then says. So each
assumption is one that is checked wherever numbers come in, or the symbol is refused.
"""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp
from sympy.core.function import AppliedUndef

from pde2net.errors import DeclarationError
from pde2net.language.symbols import Domain, Edge, FilterParameter, Input

SIGNS = ("positive", "nonnegative", "negative", "nonpositive", "nonzero")
ASSUMED = (*SIGNS, "real", "integer")  # of parameters, spacings and steps
OF_FIELDS = ("positive", "nonnegative", "negative", "nonpositive", "real")
OF_UNKNOWNS = ("real",)
# How symbols that are no plain parameters are written down.
OF_FILTERS, INPUT, EDGE, DOMAIN = "filters of ", "input", "edge of axis ", "domain"


def assumed(symbol: sp.Basic, kinds: Iterable[str] = ASSUMED) -> dict[str, bool]:
    """Those of `kinds` that hold of a symbol, for a new one like it."""
    return {kind: True for kind in kinds if getattr(symbol, f"is_{kind}")}


def stored(symbol: sp.Symbol) -> list[str]:
    """The assumptions by which a symbol is written down; "nonzero" only where no sign says so."""
    kinds = [kind for kind in assumed(symbol) if kind != "nonzero"]
    if symbol.is_nonzero and not {"positive", "negative"} & set(kinds):
        kinds.append("nonzero")
    if isinstance(symbol, FilterParameter):
        return [*kinds, OF_FILTERS + symbol.owner]
    if isinstance(symbol, Edge):
        return [*kinds, f"{EDGE}{symbol.axis} {'last' if symbol.last else 'first'}"]
    if isinstance(symbol, Domain):
        return [*kinds, DOMAIN]
    return [*kinds, INPUT] if isinstance(symbol, Input) else kinds


def restored(name: str, kinds: Iterable[str]) -> sp.Symbol:
    """The symbol that `stored` wrote down; words that are no assumptions are passed over."""
    known = {kind: True for kind in kinds if kind in ASSUMED}
    owner = next((kind.removeprefix(OF_FILTERS) for kind in kinds if kind.startswith(OF_FILTERS)), None)
    if owner is not None:
        return FilterParameter(name, owner, **known)
    side = next((kind.removeprefix(EDGE).split() for kind in kinds if kind.startswith(EDGE)), None)
    if side is not None:
        axis, end = side
        return Edge(name, int(axis), end == "last")
    if DOMAIN in kinds:
        return Domain(name)
    return Input(name, **known) if INPUT in kinds else sp.Symbol(name, **known)


def unsupported(symbol: sp.Basic, kinds: Iterable[str] = ASSUMED) -> tuple[str, ...]:
    """What SymPy assumes of `symbol` beyond what follows from `kinds`, such as ("prime",)."""
    known = sp.Symbol("s", **assumed(symbol, kinds)).assumptions0
    declared = symbol.func.default_assumptions if isinstance(symbol, AppliedUndef) else symbol.assumptions0
    beyond = {kind: value for kind, value in declared.items() if known.get(kind) != value}
    if beyond.get("commutative") is False:
        return ("commutative=False",)
    beyond.pop("commutative", None)
    return tuple(_said(kind, beyond[kind]) for kind in _leading(beyond)[:1])


def check_symbol(symbol: sp.Symbol) -> None:
    """Raise DeclarationError for an assumption that no value is checked against."""
    beyond = unsupported(symbol)
    if beyond:
        raise DeclarationError(
            f"The symbol {symbol} is declared {' and '.join(beyond)}: of parameters, spacings and steps "
            f"{', '.join(ASSUMED)} may be assumed, of which signs are kept in training."
        )


def check_field(field: AppliedUndef) -> None:
    """The same for a known field, of which a sign may be assumed."""
    beyond = unsupported(field, OF_FIELDS)
    if beyond:
        raise DeclarationError(
            f"The known field {field} is declared {' and '.join(beyond)}; of fields "
            f"{', '.join(OF_FIELDS)} may be assumed."
        )


def check_unknown(unknown: AppliedUndef) -> None:
    """The same for the unknown, whose values the network computes: nothing keeps their sign."""
    beyond = unsupported(unknown, OF_UNKNOWNS)
    if beyond:
        raise DeclarationError(
            f"The unknown {unknown} is declared {' and '.join(beyond)}, but nothing keeps its values so; "
            f'declare it as sp.Function("{unknown.func}").'
        )


def check_value(symbol: sp.Symbol, value: sp.Expr) -> None:
    """Raise DeclarationError unless `value` is known to obey every assumption of `symbol`."""
    for kind in _leading({**symbol.assumptions0, "real": True}):
        declared, found = symbol.assumptions0.get(kind, True), getattr(value, f"is_{kind}")
        if found == declared:
            continue
        how = (
            f"whether its value {value} is so is not known" if found is None else f"its value {value} is not"
        )
        raise DeclarationError(f"The parameter {symbol} is declared {_said(kind, declared)}; {how}.")


def _leading(facts: dict[str, bool]) -> list[str]:
    """All facts by name, those first from which most others follow."""
    return sorted(facts, key=lambda k: (-len(sp.Symbol("s", **{k: facts[k]}).assumptions0), k))


def _said(kind: str, value: bool) -> str:
    return kind if value else f"{kind}=False"


def position(symbol: sp.Symbol) -> sp.Symbol:
    """A coordinate, of which nothing is assumed but that it is real: the grid says where its cells lie."""
    if symbol.is_real is False or symbol.is_commutative is False:
        raise DeclarationError(f"The variable {symbol} must be a real number, as positions and times are.")
    within = sp.Symbol("s", real=True).assumptions0
    return symbol if symbol.assumptions0.items() <= within.items() else sp.Symbol(symbol.name, real=True)
