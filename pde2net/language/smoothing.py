"""Gaussian smoothing as an unevaluated SymPy function."""

from __future__ import annotations

from typing import Any

import sympy as sp

from pde2net.errors import DeclarationError, EquationError
from pde2net.language.exact import exact, rationalise


class smooth(sp.Function):  # type: ignore[misc]  # noqa: N801  named like SymPy's own functions
    """G_sigma * f, a scalar (or each entry of a matrix) smoothed by a Gaussian of standard deviation sigma.

    sigma is in the units of the grid, a positive number or symbol. On the grid: along each axis the weights
    exp(-(k h)^2/(2 sigma^2)) for |k| <= 4 sigma/h + 1/2, normalised to the sum 1; beyond the border f goes on
    as the boundary conditions say. Inside a diffusivity this is the regularisation of Catté, Lions, Morel,
    Coll (SIAM J. Numer. Anal. 29, 1992): g(|grad G_sigma * u|^2).

    >>> x, y, t = sp.symbols("x y t", real=True)
    >>> smooth(sp.Function("u")(x, y, t), sigma=2)
    smooth(u(x, y, t), 2)

    Raises EquationError if f is no scalar, DeclarationError if sigma is not positive.
    """

    nargs = 2
    is_real = True

    def __new__(cls, f: Any, sigma: Any) -> Any:
        if isinstance(f, sp.MatrixBase):
            return f.applyfunc(lambda entry: cls(entry, sigma))
        if not isinstance(f, sp.Expr):
            raise EquationError(f"smooth takes a scalar or a matrix of scalars, not {f!r}.")
        width = exact(sigma, "The sigma of smooth")
        if width.is_nonpositive or (width.is_positive is None and not width.free_symbols):
            raise DeclarationError(f"The sigma of smooth must be positive, not {width}.")
        return super().__new__(cls, rationalise(f), width)

    def _eval_derivative(self, s: sp.Symbol) -> sp.Expr:
        """Kept as it is: smoothing has no derivative by its argument at a point."""
        return sp.Derivative(self, s) if s in self.free_symbols else sp.S.Zero
