"""Diffusion tensors: their directions, eigenvalues, and the structure tensor."""

from __future__ import annotations

from typing import Any

import sympy as sp

from pde2net.errors import EquationError
from pde2net.language.calculus import grad, norm2
from pde2net.language.exact import rationalise
from pde2net.language.smoothing import smooth


class projection(sp.Function):  # type: ignore[misc]  # noqa: N801  named like SymPy's own functions
    """projection(v_i, v_j, |v|^2) = v_i v_j/|v|^2, an entry of the projection onto v; 0 where v = 0."""

    nargs = 3
    is_real = True

    @classmethod
    def eval(cls, a: sp.Expr, b: sp.Expr, square: sp.Expr) -> sp.Expr | None:
        if a == 0 or b == 0 or square == 0:
            return sp.S.Zero
        known: bool = a.is_number and b.is_number and square.is_number
        return a * b / square if known else None

    @property
    def quotient(self) -> sp.Expr:
        """v_i v_j/|v|^2, of a vector of constants, which is not 0."""
        a, b, square = self.args
        return a * b / square


def tensor(direction: Any, along: Any, across: Any) -> sp.Matrix:
    """The diffusion tensor with the eigenvalue `along` in the direction v and `across` orthogonal to it.

    D = across I + (along - across) v v^T/|v|^2, and across I where v = 0. `direction` is v, a vector of any
    length, such as grad(smooth(u, 1)), or a structure tensor J, which stands for v = principal_direction(J).
    The eigenvalues are scalars. D * grad(u) is a flux:

        u_t = div(D grad u)                (Weickert, Anisotropic Diffusion in Image Processing, 1998)

    A is symmetric, and positive semidefinite if along, across >= 0; ‖A‖ <= max(along, across) ‖K‖^2.

    Raises EquationError if the direction is neither a vector nor a symmetric 2 x 2 matrix, or an eigenvalue
    no scalar.
    """
    if isinstance(direction, sp.MatrixBase) and direction.shape == (2, 2):
        direction = principal_direction(direction)
    if not isinstance(direction, sp.MatrixBase) or 1 not in direction.shape:
        raise EquationError(
            "The direction of a tensor is a vector such as grad(smooth(u, 1)) or, in two dimensions, a "
            f"structure tensor, whose dominant direction is meant, not {direction}."
        )
    eigenvalues = []
    for name, value in (("along", along), ("across", across)):
        if isinstance(value, bool) or not isinstance(value, int | float | sp.Expr):
            raise EquationError(f"The eigenvalue {name} of a tensor is a scalar, not {value!r}.")
        eigenvalues.append(rationalise(sp.sympify(value)))
    own, other = eigenvalues
    v = list(direction)
    square = norm2(sp.Matrix(v))

    def entry(i: int, j: int) -> sp.Expr:
        pair = sorted((v[i], v[j]), key=sp.default_sort_key)  # so that D is seen to be symmetric
        return (other if i == j else 0) + (own - other) * projection(*pair, square)

    return sp.Matrix(len(v), len(v), lambda i, j: entry(int(i), int(j)))


def structure_tensor(u: sp.Expr, sigma: Any = 0, rho: Any = 0) -> sp.Matrix:
    """J = G_rho * (grad u_sigma grad u_sigma^T), u_sigma = G_sigma * u (Förstner, Gülch 1987).

    sigma  noise scale, 0 for no smoothing of u
    rho    integration scale over which orientations are averaged, 0 for none

    Of several channels J is the sum over all of them (Di Zenzo 1986).
    """
    slopes = grad(u if sigma == 0 else smooth(u, sigma))
    product = slopes * slopes.T
    found: sp.Matrix = product if rho == 0 else smooth(product, rho)
    return found


def coherence(matrix: sp.MatrixBase) -> sp.Expr:
    """(mu_1 - mu_2)^2 for the eigenvalues of a symmetric 2 x 2 matrix.

    Of a structure tensor this is 0 where no direction stands out (Weickert, Int. J. Computer Vision 31,
    1999). Raises EquationError for other sizes, and for matrices that are not symmetric.
    """
    _require_two(matrix, "coherence")
    return (matrix[0, 0] - matrix[1, 1]) ** 2 + 4 * matrix[0, 1] ** 2


def _require_two(matrix: Any, what: str) -> None:
    if not isinstance(matrix, sp.MatrixBase) or matrix.shape != (2, 2) or matrix[0, 1] != matrix[1, 0]:
        raise EquationError(f"{what} takes a symmetric 2 x 2 matrix, such as a structure tensor.")


def principal_direction(matrix: sp.MatrixBase) -> sp.Matrix:
    """An eigenvector to the largest eigenvalue of a symmetric 2 x 2 matrix, 0 where both are equal.

    Of a structure tensor this is the direction of the largest contrast; `across` in tensor(J, along, across)
    then acts along flow-like structures.

    Raises EquationError for other sizes, and for matrices that are not symmetric.
    """
    _require_two(matrix, "principal_direction")
    difference, twice = matrix[0, 0] - matrix[1, 1], 2 * matrix[0, 1]
    gap = sp.sqrt(coherence(matrix))
    # Each of the two forms is 0 at a direction of its own; the sign of the difference tells them apart.
    first = sp.Piecewise((gap + difference, difference >= 0), (twice, True))
    second = sp.Piecewise((twice, difference >= 0), (gap - difference, True))
    return sp.Matrix([first, second])
