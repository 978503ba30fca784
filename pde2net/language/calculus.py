"""Vector calculus as unevaluated SymPy expressions.

The spatial variables are the arguments of the applied functions in an expression, except the time `t`
(any symbol of that name). Nothing is expanded, so the divergence form that was written is kept.
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from pde2net.errors import EquationError

TIME_NAME = "t"


def spatial_arguments(expression: Any) -> tuple[sp.Symbol, ...]:
    """Spatial variables in the order of the arguments of the functions in `expression`.

    Functions are read with the most arguments first, so known fields of fewer variables do not
    change the order. Raises EquationError if there is no applied function.
    """
    functions = [f for f in sp.sympify(expression).atoms(AppliedUndef) if all(a.is_Symbol for a in f.args)]
    ordered: list[sp.Symbol] = []
    for function in sorted(functions, key=lambda f: (-len(f.args), str(f))):
        for argument in function.args:
            if argument not in ordered and getattr(argument, "name", None) != TIME_NAME:
                ordered.append(argument)
    if not ordered:
        lead = f"{expression} contains no function of space"
        raise EquationError(f'{lead}; write the unknown as u = sp.Function("u")(x, y, t).').spelt(f"{lead}.")
    return tuple(ordered)


def grad(u: sp.Expr) -> sp.Matrix:
    """Gradient of a scalar: the column of its derivatives along the spatial axes, in order.

    >>> import sympy as sp
    >>> x, y, t = sp.symbols("x y t")
    >>> grad(sp.Function("u")(x, y, t))
    Matrix([
    [Derivative(u(x, y, t), x)],
    [Derivative(u(x, y, t), y)]])
    """
    return sp.Matrix([sp.Derivative(u, axis) for axis in spatial_arguments(u)])


def div(flux: sp.MatrixBase) -> Any:
    """Divergence of a column of fluxes: the sum of unevaluated derivatives, one per axis.

    Of a square matrix it is the column of the divergences of its rows, so div(div(g * hessian(u))) is
    sum_ij d_i d_j (g u_ij). Raises EquationError if there are not as many fluxes as spatial axes.
    """
    if not isinstance(flux, sp.MatrixBase):
        raise EquationError(
            f"div takes a vector such as g * grad(u), not the scalar {flux}; for the second "
            "derivatives of a scalar write laplacian(...)."
        )
    axes = spatial_arguments(flux)
    if flux.shape == (len(axes), len(axes)) and len(axes) > 1:
        return sp.Matrix([_divergence(list(flux.row(i)), axes) for i in range(len(axes))])
    if len(flux) != len(axes):
        raise EquationError(
            f"div of a vector with {len(flux)} components over {len(axes)} spatial axes "
            f"{tuple(map(str, axes))}: they must agree."
        )
    return _divergence(list(flux), axes)


def _divergence(fluxes: list[sp.Expr], axes: tuple[sp.Symbol, ...]) -> sp.Expr:
    return sp.Add(*(sp.Derivative(flux, axis) for flux, axis in zip(fluxes, axes, strict=True)))


def laplacian(u: sp.Expr) -> sp.Expr:
    """Sum of the second derivatives along the spatial axes, unevaluated."""
    return sp.Add(*(sp.Derivative(u, (axis, 2)) for axis in spatial_arguments(u)))


def hessian(u: sp.Expr) -> sp.Matrix:
    """Hessian of a scalar: the square matrix of its unevaluated second derivatives, mixed ones included.

    norm2(hessian(u)) is the squared Frobenius norm. The fourth-order flow of int Psi(|H u|^2)/2 dx is

        u_t = -sum_ij d_i d_j (Psi'(|H u|^2) u_ij)

    (Lysaker, Lundervold, Tai, IEEE Trans. Image Processing 12, 2003): -div(div(g * hessian(u))),
    gradient_flow(Psi(norm2(hessian(u)))/2, u), or the sum written out with sp.Derivative.
    """
    axes = spatial_arguments(u)
    # Mixed entries have the axes in one order, so that both are seen to be equal.
    return sp.Matrix(
        len(axes), len(axes), lambda i, j: sp.Derivative(u, axes[int(min(i, j))], axes[int(max(i, j))])
    )


def dot(v: sp.MatrixBase, w: sp.MatrixBase) -> sp.Expr:
    """Euclidean inner product of two vectors or matrices of the same shape."""
    if getattr(v, "shape", None) != getattr(w, "shape", None) or not hasattr(v, "shape"):
        raise EquationError(f"dot takes two vectors of equal length, not {v} and {w}.")
    return sp.Add(*(a * b for a, b in zip(v, w, strict=True)))


def norm2(v: sp.Expr | sp.MatrixBase) -> sp.Expr:
    """Squared Euclidean (Frobenius) norm of a vector or matrix; the square of a scalar."""
    return dot(v, v) if isinstance(v, sp.MatrixBase) else v**2
