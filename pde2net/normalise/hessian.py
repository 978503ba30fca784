"""Fourth-order terms whose operator D has several entries or orders: the Hessian, and a d/dx + b d^2/dx^2.

    -sum_ij d_i d_j (g(|H u|^2) u_ij)          two dimensions or more, H u = (u_ij)
    a d/dx Phi(q) - b d^2/dx^2 Phi(q)          one dimension, q = D u, D = a d/dx + b d^2/dx^2

The parts of such a term are outermost derivatives of their own; here they are put together again.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator

import sympy as sp

from pde2net.errors import EquationError
from pde2net.normalise.radial import as_function_of_square, divide, vanishes
from pde2net.normalise.symbols import Symbols
from pde2net.normalise.terms import SQUARED, Hessian, SecondOrder

_FORM = (
    "the Hessian H = hessian(u) diffuses by gradient_flow(Psi(norm2(H))/2, u), which is "
    "-sum_ij d_i d_j (g(norm2(H)) H[i, j]) with all entries and the same g"
)


class Entries:
    """Collects what stands under each outermost derivative, by prefactor."""

    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols
        self.found: dict[sp.Expr, dict[tuple[int, ...], sp.Expr]] = defaultdict(dict)

    def add(
        self, constant: sp.Expr, prefactor: sp.Expr, orders: tuple[int, ...], derivative: sp.Derivative
    ) -> None:
        """constant * prefactor * derivative; `orders` is how often it differentiates along each axis."""
        inner = self.symbols.replace(derivative.expr, f"The expression {derivative.expr}")
        if not self.symbols.has_second(inner):
            raise EquationError(
                f"The term {derivative} is a mixed derivative of what has no second derivatives of the "
                "unknown, so it is no diffusion of fourth order; a diffusion tensor is div(D * grad(u))."
            )
        table = self.found[prefactor]
        table[orders] = table.get(orders, sp.S.Zero) + constant * inner

    def terms(self) -> Iterator[SecondOrder]:
        for prefactor, table in self.found.items():
            if len(self.symbols.slopes) == 1:
                yield self.line(prefactor, table)
            else:
                yield self.hessian(prefactor, table)

    def hessian(self, prefactor: sp.Expr, table: dict[tuple[int, ...], sp.Expr]) -> Hessian:
        """All entries must be -g u_ij with one function g of the squared Frobenius norm."""
        dimension = range(len(self.symbols.slopes))
        entries = {
            tuple((k == i) + (k == j) for k in dimension): self.symbols.mixed[i, j]
            for i, j in itertools.combinations(dimension, 2)
        }
        pure = {tuple(2 * (k == i) for k in dimension): s for i, s in enumerate(self.symbols.seconds)}
        count = dict.fromkeys(pure, 1) | dict.fromkeys(entries, 2)
        entries = pure | entries
        square = sp.Add(*(count[k] * s**2 for k, s in entries.items()))
        g: sp.Expr | None = None
        for orders, symbol in entries.items():
            ratio = -divide(table.get(orders, sp.S.Zero), symbol) / count[orders]
            found = self.of_square(ratio, square)
            g = found if g is None else g
            if found is None or g is None or (found != g and sp.simplify(found - g) != 0):
                raise EquationError(
                    f"The term with {table.get(orders, sp.S.Zero)} under a second derivative is no part of a "
                    f"Hessian diffusion: {_FORM}."
                )
        assert g is not None  # there is an entry at least
        self.require_pure(g, "g(|H u|^2)")
        q = self.symbols.curvature
        weights = (sp.S.One,) * len(dimension)
        return Hessian(prefactor, weights, g.xreplace({SQUARED: q**2}) * q, g)

    def of_square(self, ratio: sp.Expr, square: sp.Expr) -> sp.Expr | None:
        """`ratio` as a function of SQUARED, the Frobenius norm; None if it is none."""
        inside = self.symbols.of_order_two
        found = ratio.subs(square, SQUARED)
        if not found.free_symbols & inside:
            return found
        first, *rest = sorted(inside, key=lambda s: s != self.symbols.seconds[0])
        found = ratio.xreplace(dict.fromkeys(rest, sp.S.Zero)).subs(first, sp.sqrt(SQUARED))
        if found.has(sp.nan, sp.zoo) or found.free_symbols & inside:
            return None
        return found if sp.simplify(found.subs(SQUARED, square) - ratio) == 0 else None

    def require_pure(self, expression: sp.Expr, what: str) -> None:
        others = expression.free_symbols & {self.symbols.state, *self.symbols.slopes, *self.symbols.data}
        if others:
            raise EquationError(
                f"{what} = {expression} depends on {', '.join(sorted(map(str, others)))}; only functions of "
                "D u are supported in terms of fourth order."
            )

    def line(self, prefactor: sp.Expr, table: dict[tuple[int, ...], sp.Expr]) -> SecondOrder:
        """a d/dx Phi(q) - b d^2/dx^2 Phi(q) with q = a u_x + b u_xx."""
        once, twice = (table.get((k,), sp.S.Zero) for k in (1, 2))
        (p,), (s,) = self.symbols.slopes, self.symbols.seconds
        if once == 0:
            raise EquationError(
                f"The term with d^2/dx^2 of {twice} mixes first and second derivatives of the unknown. For "
                "q = a u_x + b u_xx write a*diff(phi, x) - b*diff(phi, x, x) with phi = g(q^2) q."
            )
        if twice == 0:
            raise EquationError(
                f"The flux {once} contains second derivatives under a single divergence; fourth-order "
                "diffusion is written -laplacian(g * laplacian(u)), mixed orders "
                "a*diff(phi, x) - b*diff(phi, x, x) with "
                "phi = g(q^2) q and q = a u_x + b u_xx."
            )
        moving = {p, s, self.symbols.state, *self.symbols.data}
        ratio = -sp.simplify(twice / once)
        if ratio.free_symbols & moving:
            raise EquationError(
                f"The terms d/dx of {once} and d^2/dx^2 of {twice} have no common flux phi: mixed orders are "
                "written a*diff(phi, x) - b*diff(phi, x, x) with phi = g(q^2) q and q = a u_x + b u_xx."
            )
        a, b = self.orders(once, ratio, moving)
        q = self.symbols.curvature
        flux = (once / a).subs(a * p + b * s, q)
        if flux.free_symbols & {p, s}:
            flux = sp.simplify((once / a).subs(p, (q - b * s) / a))
        if flux.free_symbols & {p, s} or not vanishes(flux, q):
            raise EquationError(
                f"The flux {sp.simplify(once / a)} is no function of q = {a * p + b * s} that vanishes "
                "with it, as the operators outside, a*diff(phi, x) - b*diff(phi, x, x), ask for: "
                "phi = g(q^2) q, q = a u_x + b u_xx."
            )
        self.require_pure(flux, "phi(q)")
        g = as_function_of_square(divide(flux, q), (q,))
        return SecondOrder(prefactor, (b,), flux, g, slope=a)

    def orders(self, flux: sp.Expr, ratio: sp.Expr, moving: set[sp.Symbol]) -> tuple[sp.Expr, sp.Expr]:
        """(a, b) with b/a = ratio, as they are written in the flux if they are."""
        (p,), (s,) = self.symbols.slopes, self.symbols.seconds
        for written in sorted(flux.atoms(sp.Add), key=sp.default_sort_key):
            a, b = written.coeff(p), written.coeff(s)
            plain = not (a * b).free_symbols & moving and sp.expand(written - a * p - b * s) == 0
            if plain and a != 0 and sp.simplify(b / a - ratio) == 0:
                return (-a, -b) if a.could_extract_minus_sign() else (a, b)
        return sp.S.One, ratio
