"""Diffusion tensors in fluxes: the matrix of what is linear in the slopes, and its eigenvalues."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from pde2net.errors import EquationError
from pde2net.language.tensors import projection
from pde2net.normalise.products import has_factor, summands

Matrix = tuple[tuple[sp.Expr, ...], ...]


@dataclass(frozen=True)
class Spectrum:
    """D = isotropic I + sum_k weights[k] P_k with the projections P_k onto vectors[k]."""

    isotropic: sp.Expr
    weights: tuple[sp.Expr, ...]
    vectors: tuple[tuple[sp.Expr, ...], ...]

    @property
    def eigenvalues(self) -> tuple[sp.Expr, ...]:
        """Those of one projection: orthogonal to its vector, and along it."""
        return (self.isotropic, *(self.isotropic + w for w in self.weights))


def split(fluxes: Sequence[sp.Expr], slopes: Sequence[sp.Symbol]) -> tuple[list[sp.Expr], Matrix | None]:
    """The fluxes without what a tensor contributes to them, and its matrix; None if there is none.

    There is one if a flux along an axis does not vanish with the slope along it. Then all that is linear in
    the slopes belongs to the matrix. Raises EquationError for what is no symmetric matrix times the slopes.
    """
    inside = set(slopes)
    terms = [list(summands(f, lambda e: bool(e.free_symbols & inside or e.has(projection)))) for f in fluxes]
    if not any(_couples(term, slopes[i]) for i, row in enumerate(terms) for term in row):
        return list(fluxes), None
    dimension = range(len(slopes))
    matrix = [[sp.S.Zero for _ in dimension] for _ in dimension]
    rest = [sp.S.Zero for _ in dimension]
    for i, row in enumerate(terms):
        for term in row:
            j = _linear_in(term, slopes)
            if j is not None:
                matrix[i][j] += term / slopes[j]
            elif _couples(term, slopes[i]):
                raise EquationError(_unlike(term, slopes[i], slopes))
            else:
                rest[i] += term
    for i in dimension:
        for j in range(i):
            if matrix[i][j] != matrix[j][i] and sp.simplify(matrix[i][j] - matrix[j][i]) != 0:
                raise EquationError(
                    f"The diffusion tensor is not symmetric: it has {matrix[i][j]} and {matrix[j][i]}."
                )
            matrix[j][i] = matrix[i][j]
    return rest, tuple(map(tuple, matrix))


def _couples(term: sp.Expr, slope: sp.Symbol) -> bool:
    """Whether a summand of the flux along an axis does not vanish with the slope along it."""
    if term == 0 or slope in sp.Mul.make_args(term):
        projects: bool = term.has(projection)
        return projects
    if has_factor(term, slope):
        return False
    at_zero = term.subs(slope, 0) if slope in term.free_symbols else term
    vanishes: bool = sp.simplify(at_zero) == 0
    return not vanishes


def _linear_in(term: sp.Expr, slopes: Sequence[sp.Symbol]) -> int | None:
    """The index of the slope that multiplies a coefficient without slopes."""
    found = [j for j, p in enumerate(slopes) if p in term.free_symbols]
    if len(found) == 1 and slopes[found[0]] not in (term / slopes[found[0]]).free_symbols:
        return found[0]
    return None


def _unlike(term: sp.Expr, slope: sp.Symbol, slopes: Sequence[sp.Symbol]) -> str:
    direct = any(p.free_symbols & set(slopes) for p in term.atoms(projection))
    if direct:
        return (
            "The diffusion tensor takes its direction from the gradient of u itself; smooth it, as in "
            "tensor(grad(smooth(u, 1)), ...), since D grad u = along * grad u without smoothing."
        )
    return (
        f"The flux {term} does not vanish with {slope}, as every diffusive flux g * grad(u) does, and is no "
        "diffusion tensor times the gradient either: its entries may depend on position, known fields, u and "
        "smoothed expressions such as smooth(u, 1), not on derivatives of u."
    )


def spectrum(matrix: Matrix) -> Spectrum | None:
    """The isotropic part and the weights of the projections of a matrix, or None if it has no such form."""
    entries = [e for row in matrix for e in row]
    projections = sorted({p for e in entries for p in e.atoms(projection)}, key=str)
    names = {p: sp.Dummy() for p in projections}
    by_pair = {(frozenset(p.args[:2]), p.args[2]): d for p, d in names.items()}
    plain = sp.Matrix([[e.xreplace(names) for e in row] for row in matrix])
    isotropic = plain[0, 0].xreplace(dict.fromkeys(names.values(), sp.S.Zero))
    rest = plain - isotropic * sp.eye(len(matrix))
    weights, vectors = [], []
    for square in dict.fromkeys(p.args[2] for p in projections):
        found = _projected(plain, square, names)
        if found is None:
            return None
        weight, vector = found
        for (i, a), (j, b) in itertools.product(enumerate(vector), repeat=2):
            if a != 0 and b != 0:
                if (frozenset({a, b}), square) not in by_pair:
                    return None
                rest[i, j] -= weight * by_pair[frozenset({a, b}), square]
        weights.append(weight)
        vectors.append(vector)
    if any(e != 0 and sp.simplify(e) != 0 for e in rest):
        return None
    return Spectrum(isotropic, tuple(weights), tuple(vectors))


def _projected(
    plain: sp.Matrix, square: sp.Expr, names: Mapping[projection, sp.Dummy]
) -> tuple[sp.Expr, tuple[sp.Expr, ...]] | None:
    """The weight of the projection onto a vector of squared length `square`, and the vector."""
    vector, weight = [], None
    for i in range(plain.rows):
        inside = [p for p, d in names.items() if p.args[2] == square and d in plain[i, i].free_symbols]
        if len(inside) > 1 or any(p.args[0] != p.args[1] for p in inside):
            return None
        vector.append(inside[0].args[0] if inside else sp.S.Zero)
        if inside and weight is None:
            weight = sp.diff(plain[i, i], names[inside[0]])
    if weight is None or sp.simplify(sum(v**2 for v in vector) - square) != 0:
        return None
    return weight, tuple(vector)
