"""What occurs in an expression, each part looked at once: trees of parts that repeat are very large."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import sympy as sp

T = TypeVar("T", bound=sp.Basic)


def nodes(expression: sp.Basic, without: Iterable[sp.Basic] = ()) -> Iterator[sp.Basic]:
    """All different parts, the whole first, in the order in which they stand; nothing in parts `without`."""
    seen, left = set(without), [expression]
    while left:
        node = left.pop()
        if node not in seen:
            seen.add(node)
            yield node
            left.extend(reversed(node.args))


def atoms(expression: sp.Basic, *kinds: type[T]) -> set[Any]:
    """The parts of some kinds, as `expression.atoms(*kinds)`."""
    return {node for node in nodes(expression) if isinstance(node, kinds)}
