"""Finite difference stencils with exact rational weights, derived from their Taylor conditions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import sympy as sp


@dataclass(frozen=True)
class Stencil:
    """(D u)_i = h^-derivative * sum_k weights[k] u[i + offsets[k]].

    `half` says that the difference lives at the half-point i + 1/2 (between cells i and i + 1)
    rather than at cell i; `order` is the order of accuracy at that point.
    """

    offsets: tuple[int, ...]
    weights: tuple[sp.Rational, ...]
    derivative: int
    order: int
    half: bool

    @property
    def left(self) -> int:
        """How far the stencil reaches to the left."""
        return max(0, -min(self.offsets))

    @property
    def right(self) -> int:
        """How far the stencil reaches to the right."""
        return max(0, max(self.offsets))

    @property
    def reach(self) -> int:
        return max(self.left, self.right)

    @property
    def span(self) -> int:
        """The number of cells from the first to the last: the smallest axis it makes sense on."""
        return self.offsets[-1] - self.offsets[0] + 1

    @cached_property
    def floats(self) -> tuple[float, ...]:
        """The weights in double precision."""
        return tuple(int(w.p) / float(int(w.q)) for w in self.weights)

    @cached_property
    def mirrored(self) -> Stencil:
        """The stencil of the adjoint on the infinite grid: offsets negated."""
        pairs = sorted((-o, w) for o, w in zip(self.offsets, self.weights, strict=True))
        offsets, weights = zip(*pairs, strict=True)
        return replace(self, offsets=offsets, weights=weights)

    @cached_property
    def squared(self) -> Stencil:
        """The weights squared."""
        return replace(self, weights=tuple(w**2 for w in self.weights))

    @cached_property
    def squared_symbol(self) -> sp.Poly:
        """|sum_k w_k exp(i k theta)|^2 as a polynomial in c = cos(theta), for h = 1.

        Autocorrelation r_m = sum_k w_k w_{k+m}; |.|^2 = r_0 + 2 sum_m r_m T_m(c), T_m Chebyshev.
        """
        c = sp.Symbol("c")
        taps = dict(zip(self.offsets, self.weights, strict=True))
        lags = range(1, self.span)
        correlation = [sum(w * taps.get(o + m, 0) for o, w in taps.items()) for m in range(self.span)]
        chebyshev = sum(2 * correlation[m] * sp.chebyshevt(m, c) for m in lags)
        return sp.Poly(correlation[0] + chebyshev, c)

    @cached_property
    def squared_norm(self) -> sp.Expr:
        """sup over theta of the squared symbol for h = 1, exact: ‖D‖² h^(2 derivative)."""
        return max(value for _, value in self.critical_values)

    @cached_property
    def critical_values(self) -> tuple[tuple[sp.Expr, sp.Expr], ...]:
        """(cos theta, squared symbol) at the ends of [-1, 1] and at interior critical points."""
        c = self.squared_symbol.gen
        points = {sp.S.NegativeOne, sp.S.One}
        slope = self.squared_symbol.diff(c)
        if slope.degree() >= 1:
            points |= {r for r in sp.roots(slope) if r.is_real and -1 < r < 1}
            if len(set(slope.real_roots())) > len({r for r in sp.roots(slope) if r.is_real}):
                points |= {r for r in slope.real_roots() if -1 < r < 1}
        return tuple(
            (p, sp.radsimp(sp.expand(self.squared_symbol.as_expr().subs(c, p))))
            for p in sorted(points, key=float)
        )


def derive(offsets: tuple[int, ...], derivative: int, half: bool, order: int) -> Stencil:
    """The weights that are exact for polynomials up to degree len(offsets) - 1.

    Solves sum_k w_k (k - s)^m = m! [m = derivative], s = 1/2 for half-points and 0 for cells
    (Fornberg, Math. Comp. 51, 1988). Offsets of weight 0 are dropped.
    """
    point = sp.Rational(1, 2) if half else sp.S.Zero
    table = sp.calculus.finite_diff.finite_diff_weights(derivative, [sp.Integer(o) for o in offsets], point)
    weights = table[derivative][-1]
    kept = [(o, w) for o, w in zip(offsets, weights, strict=True) if w != 0]
    return Stencil(tuple(o for o, _ in kept), tuple(w for _, w in kept), derivative, order, half)


def half_point(order: int) -> Stencil:
    """First derivative at i + 1/2: (-1, 1), or (1, -27, 27, -1)/24 for order 4."""
    return derive((0, 1) if order == 2 else (-1, 0, 1, 2), 1, True, order)


def central(order: int) -> Stencil:
    """First derivative at i: (-1, 0, 1)/2, or (1, -8, 0, 8, -1)/12 for order 4."""
    return derive((-1, 0, 1) if order == 2 else (-2, -1, 0, 1, 2), 1, False, order)


def second(order: int) -> Stencil:
    """Second derivative at i: (1, -2, 1), or (-1, 16, -30, 16, -1)/12 for order 4."""
    return derive((-1, 0, 1) if order == 2 else (-2, -1, 0, 1, 2), 2, False, order)
