"""The analysis operator K and its exact adjoint K^T, both derived from one stencil.

K u is the correlation of a stencil with an extension of u beyond the border; K^T p is the
correlation of the mirrored stencil with the dual extension of p (docs/theory.md, section 2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from pde2net.discretise.arrays import EVEN, Array, Extension, extend, take
from pde2net.discretise.stencils import Stencil
from pde2net.language.borders import Border, closing


@dataclass(frozen=True)
class Difference:
    """A difference along one axis: the stencil divided by spacing**stencil.derivative.

    closure  that of the border, by whose rule u goes on beyond the grid
    """

    axis: int
    stencil: Stencil
    spacing: sp.Expr
    closure: str

    @property
    def scale(self) -> sp.Expr:
        return 1 / self.spacing**self.stencil.derivative

    @property
    def absolute(self) -> sp.Expr:
        """‖w‖_1, the sum of its absolute weights."""
        return self.scale * sp.Add(*map(abs, self.stencil.weights))

    @property
    def border(self) -> Border:
        return closing(self.closure)

    @property
    def extension(self) -> Extension:
        """How u continues beyond the border."""
        return Extension(self.border.wraps, self.border.factor)

    @property
    def dual_extension(self) -> Extension:
        """How p continues beyond the border in the adjoint.

        At a border that mirrors K_ij = w[j - i] + a w[-1 - i - j], and an odd stencil is minus its mirror
        image: then p takes the factor -a. At half-points even functions have a 0 on the border besides.
        """
        own = self.extension
        if own.wraps or self.stencil.derivative % 2 == 0:
            return own
        return Extension(False, -own.factor, edge=self.stencil.half and own.factor != 0)

    @property
    def squared_extension(self) -> Extension:
        """The same for squared weights."""
        return replace(self.dual_extension, factor=self.dual_extension.factor**2)

    def apply(self, u: Array, scale: Any) -> Array:
        """scale * stencil of u, the same shape as u; `scale` is the value of `self.scale`."""
        return self._correlate(u, self.stencil, self.extension, scale)

    def apply_adjoint(self, p: Array, scale: Any) -> Array:
        """The transpose of `apply`."""
        return self._correlate(p, self.stencil.mirrored, self.dual_extension, scale)

    def apply_squared_adjoint(self, g: Array, scale: Any) -> Array:
        """The transpose of the operator with squared weights; weights beyond the border even."""
        return self._correlate(g, self.stencil.mirrored.squared, self.squared_extension, scale * scale)

    def _correlate(self, array: Array, stencil: Stencil, kind: Extension, scale: Any) -> Array:
        n = array.shape[self.axis]
        wide = extend(array, self.axis, stencil.left, stencil.right, kind)
        number = type(scale) if not isinstance(scale, sp.Basic) else sp.Rational
        starts = (stencil.left + k for k in stencil.offsets)
        lines = [
            take(wide, self.axis, start, start + n) * weight
            for start, weight in zip(starts, _weights(stencil, number), strict=True)
        ]
        result: Array = sum(lines[1:], lines[0]) * scale
        if stencil.half and kind == EVEN:
            # The last half-point is the border, where the even extension has slope 0 exactly.
            take(result, self.axis, n - 1, n)[...] *= 0
        return result


@dataclass(frozen=True)
class Mixed:
    """Differences along different axes, one after the other: a mixed derivative such as u_xy.

    They act on different axes, so they commute, and the transpose is the product of the transposes.
    """

    parts: tuple[Difference, ...]

    @property
    def scale(self) -> sp.Expr:
        return sp.Mul(*(d.scale for d in self.parts))

    def apply(self, u: Array, scale: Any) -> Array:
        """scale * the product of all stencils of u; `scale` is the value of `self.scale`."""
        return self._product([d.apply for d in self.parts], u, scale)

    def apply_adjoint(self, p: Array, scale: Any) -> Array:
        """The transpose of `apply`."""
        return self._product([d.apply_adjoint for d in reversed(self.parts)], p, scale)

    def apply_squared_adjoint(self, g: Array, scale: Any) -> Array:
        """The transpose of the operator with squared weights; weights beyond the border even."""
        return self._product([d.apply_squared_adjoint for d in reversed(self.parts)], g, scale)

    @staticmethod
    def _product(factors: Sequence[Callable[[Array, Any], Array]], array: Array, scale: Any) -> Array:
        for factor in factors:
            array = factor(array, scale)
            scale = scale / scale  # the other stencils are those of spacing 1
        return array


Operation = Difference | Mixed


def factors(operation: Operation) -> tuple[Difference, ...]:
    """The differences along one axis each whose product an operation is."""
    return operation.parts if isinstance(operation, Mixed) else (operation,)


@dataclass(frozen=True)
class Bank:
    """K as rows of weighted differences: (K u)_r = sum over (w, D) in rows[r] of w D u.

    mixed  mixed differences, each a further row; those of a Hessian
    """

    rows: tuple[tuple[tuple[sp.Expr, Difference], ...], ...]
    mixed: tuple[Mixed, ...] = ()

    @property
    def operations(self) -> tuple[tuple[tuple[sp.Expr, Operation], ...], ...]:
        """All rows."""
        return (*self.rows, *(((sp.S.One, m),) for m in self.mixed))

    @property
    def entries(self) -> tuple[int, ...]:
        """How many entries of D u each row stands for: u_xy is also u_yx in a Hessian."""
        return (1,) * len(self.rows) + (2,) * len(self.mixed)

    @property
    def differences(self) -> tuple[Difference, ...]:
        """All differences along one axis that occur."""
        return tuple(d for row in self.operations for _, operation in row for d in factors(operation))

    @property
    def fewest(self) -> dict[int, int]:
        """The cells that each axis in use must have: those beyond the border are images of different ones."""
        found: dict[int, int] = {}
        for difference in self.differences:
            reach = 1 if difference.extension.factor == 0 else difference.stencil.reach
            found[difference.axis] = max(found.get(difference.axis, 1), reach)
        return found

    @property
    def spans(self) -> dict[int, int]:
        """The cells that the widest stencil along each axis in use sees."""
        found: dict[int, int] = {}
        for difference in self.differences:
            found[difference.axis] = max(found.get(difference.axis, 1), difference.stencil.span)
        return found

    @property
    def symbols(self) -> frozenset[sp.Symbol]:
        return frozenset(s for row in self.operations for w, d in row for s in (w * d.scale).free_symbols)


def _weights(stencil: Stencil, number: Any) -> Sequence[Any]:
    if issubclass(number, sp.Basic):
        return stencil.weights
    if issubclass(number, float):
        return stencil.floats
    return [int(w.p) / number(int(w.q)) for w in stencil.weights]
