"""The solvers of the reference interpreter: loops, Krylov methods, tridiagonal systems, in NumPy."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pde2net.discretise.arrays import Array, take
from pde2net.errors import ConvergenceError, ConvergenceWarning
from pde2net.graph.nodes import Iterate, Tridiagonal
from pde2net.language.borders import BORDERS

Map = Callable[[Array], Array]
EPSILON = float(np.finfo(np.float64).eps)
HALVINGS = 12
CYCLE = 20  # steps of a descent that "fsi" extrapolates
ROUNDING = 8


def dot(a: Array, b: Array) -> Array:
    """The scalar product of each image of a batch, the last axis."""
    found: Array = (a * b).sum(axis=tuple(range(a.ndim - 1)))
    return found


def magnitude(a: Array) -> Array:
    """The largest entry of each image, 1 where there is none: scaled by it, squares do not overflow."""
    largest = np.abs(a).max(axis=tuple(range(a.ndim - 1)))
    return np.where((largest > 0) & (largest < np.inf), largest, 1.0)


def norm(a: Array) -> Array:
    return np.sqrt(dot(a, a))


def iterate(
    node: Iterate,
    starts: Sequence[Array],
    rhs: Array | None,
    update: Map,
    residual: Map | None,
    strict: bool = True,
) -> tuple[Array, Array]:
    """The result of a loop, see graph.nodes.Iterate, and for which images of the batch it is an error.

    It begins at the one of `starts` that leaves least. Images stop one by one. With `strict`, errors are
    raised and warnings given.
    """
    accelerate: Callable[[Array, Array], Array] = Anderson(node.anderson)
    if node.weights != "none":
        accelerate = Momentum(node.weights)

    def after(v: Array, found: Array) -> Array:
        new = accelerate(v, update(v))
        if node.method == "Newton" and residual is not None:
            new = backtracked(v, new, found, residual)
        return new

    v = starts[0]
    if node.iterations or residual is None:
        for _ in range(node.iterations):
            v = after(v, residual(v) if node.method == "Newton" and residual is not None else v)
        return v, np.zeros(v.shape[-1], dtype=bool)
    found = residual(v)
    for other in starts[1:]:
        left = residual(other)
        v, found = (np.where(norm(found) <= norm(left), a, b) for a, b in ((v, other), (found, left)))
    first = reached = least = norm(found)
    scale = first if rhs is None else norm(rhs)
    scale = np.where(scale > 0, scale, first)
    bound = max(float(node.tol), 50 * EPSILON) * scale
    if node.steady:  # what is left of a solution is rounding, and so is a part of it
        floor = rounding(residual, v, found)
        bound = np.where(scale <= 8 * floor, 8 * floor, np.maximum(bound, floor))
    best = v
    for _ in range(node.most):
        going = ~(reached <= bound)
        if not going.any():
            break
        v = np.where(going, after(v, found), v)
        found = residual(v)
        reached = np.where(going, norm(found), reached)
        better = reached < least
        best, least = np.where(better, v, best), np.where(better, reached, least)
    missed = ~(reached <= bound)
    failed = missed & (node.on_failure == "error")
    if missed.any():
        diverged = np.isfinite(first) & ~(reached <= first + rounding(residual, v, found))
        failed = failed | (missed & diverged & (node.on_failure == "warn"))
        if strict:
            _report(node, failed, missed, reached / np.where(scale == 0, 1.0, scale))
        kept, size = (best, least) if node.on_failure == "best" else (v, reached)
        v = np.where(missed, np.where(np.isfinite(size), kept, np.nan), v)
    return v, failed


def _report(node: Iterate, failed: Array, missed: Array, relative: Array) -> None:
    """An error or a warning about the worst image."""
    size = float(np.max(np.where(failed if failed.any() else missed, relative, -np.inf)))
    message = f"{node.method}: residual {size:.2g} after {node.most} iterations"
    if failed.any():
        raise ConvergenceError(message)
    warnings.warn(message, ConvergenceWarning, stacklevel=2)


def rounding(residual: Map, v: Array, found: Array) -> Array:
    """About what rounding does to the norm of residual(v): the change by the last digits of v."""
    odd = (np.arange(v[..., 0].size) % 2).reshape(v.shape[:-1])
    return ROUNDING * norm(residual(v + EPSILON * odd[..., None] * v) - found)


def backtracked(v: Array, new: Array, found: Array, residual: Map) -> Array:
    """v + s (new - v) with s halved until the residual decreases; v if it does not, nan if v has none.

    A step within the rounding of v is made.
    """
    step, size = 1.0, norm(found)
    made = within_rounding(new - v, v)
    result, left = np.where(made, new, v), ~made
    for _ in range(HALVINGS):
        if not left.any():
            break
        trial = v + step * (new - v)
        smaller = left & (norm(residual(trial)) < size)
        result, left = np.where(smaller, trial, result), left & ~smaller
        step /= 2
    return np.where(left & ~np.isfinite(size), np.nan, result)


def within_rounding(change: Array, v: Array) -> Array:
    """For which images of a batch a change of v is nothing but rounding."""
    small: Array = norm(change) <= EPSILON**0.75 * norm(v)
    return small


class Anderson:
    """Anderson acceleration of v <- G(v): the mix of `depth` earlier steps of least residual G(v) - v.

    Walker, Ni, SIAM J. Numer. Anal. 49, 2011, (2.2); depth 0 returns G(v), and so do
    residuals that are rounding.
    """

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.images: list[Array] = []
        self.residuals: list[Array] = []

    def __call__(self, v: Array, image: Array) -> Array:
        if self.depth == 0:
            return image
        self.images = [*self.images, image][-self.depth - 1 :]
        self.residuals = [*self.residuals, image - v][-self.depth - 1 :]
        rounding = within_rounding(image - v, v)
        if len(self.images) == 1 or rounding.all():
            return image
        df = self._changes(self.residuals)
        dg = self._changes(self.images)
        gram = np.swapaxes(df, 1, 2) @ df
        size = np.trace(gram, axis1=1, axis2=2)
        gram += np.where(size > 0, 1e-12 * size, 1.0)[:, None, None] * np.eye(gram.shape[1])
        last = np.swapaxes(df, 1, 2) @ _rows(self.residuals[-1])[..., None]
        change = (dg @ np.linalg.solve(gram, last))[..., 0]
        return np.where(rounding, image, image - np.moveaxis(change, 0, -1).reshape(image.shape))

    @staticmethod
    def _changes(arrays: Sequence[Array]) -> Array:
        """The differences of consecutive ones, (images, cells, differences)."""
        return np.stack([_rows(b - a) for a, b in itertools.pairwise(arrays)], 2)


class Momentum:
    """Extrapolation of the steps of a descent, v <- G(v).

    "nesterov": G(v) + k/(k + 3) (G(v) - G of the step before), k from 0 on again for images in which that
    points uphill (O'Donoghue, Candes, Found. Comput. Math. 15, 2015); "fsi": a G(v) + (1 - a) (the v before),
    a = (4 k + 2)/(2 k + 3), k from 0 on again after CYCLE steps.
    """

    def __init__(self, weights: str) -> None:
        self.weights, self.count = weights, np.zeros(1)
        self.previous: Array | None = None

    def __call__(self, v: Array, image: Array) -> Array:
        before = v if self.weights == "fsi" else image
        last = before if self.previous is None else self.previous
        self.previous = before
        if self.weights == "fsi":
            k = self.count % CYCLE
            a, self.count = (4 * k + 2) / (2 * k + 3), self.count + 1
            return np.asarray(a * image + (1 - a) * np.where(k == 0, v, last))
        change = image - last
        self.count = np.where(dot(v - image, change) > 0, 0, self.count)
        result = image + self.count / (self.count + 3) * change
        self.count = self.count + 1
        return np.asarray(result)


def _rows(a: Array) -> Array:
    """One row for each image."""
    return np.moveaxis(a, -1, 0).reshape(a.shape[-1], -1)


def same(r: Array) -> Array:
    return r


def conjugate_gradients(
    product: Map, rhs: Array, start: Array, tol: float, most: int, precondition: Map = same
) -> Array:
    """Flexible conjugate gradients (Notay, SIAM J. Sci. Comput. 22, 2000) from `start` on.

    `precondition` need be neither symmetric nor linear: each direction is made conjugate to the one before.
    """
    x, r = start, rhs - product(start)
    p = q = np.zeros_like(rhs)
    curvature = np.zeros(rhs.shape[-1])
    bound = max(tol, 4 * EPSILON) ** 2 * dot(rhs, rhs)
    for _ in range(most):
        going = dot(r, r) > bound
        if not going.any():
            break
        z = precondition(r)
        p = z - divided(dot(z, q), curvature) * p
        q = product(p)
        curvature = dot(p, q)
        alpha = divided(dot(p, r), curvature)
        x, r = np.where(going, x + alpha * p, x), np.where(going, r - alpha * q, r)
    return x


def nearest(product: Map, rhs: Array, directions: Sequence[Array], space: int, means: bool) -> Array:
    """The combination y of `directions` that is nearest to the solution in the norm of the product.

    <rhs - product(y), y> = 0. With `means`, product(1) = 1: constants, those of each channel, are added to
    the combinations. The first `space` axes are those of the image.
    """
    if means:
        axes = tuple(range(space))
        mean = rhs.mean(axes, keepdims=True)
        apart = [d - d.mean(axes, keepdims=True) for d in directions]
        found = nearest(product, rhs - mean, apart, space, means=False)
        centred: Array = mean + (found - found.mean(axes, keepdims=True))
        return centred
    y, r = np.zeros_like(rhs), rhs
    used: list[tuple[Array, Array, Array]] = []
    for d in directions:
        for p, q, size in used * 2:  # once more, for what cancels of nearly parallel directions
            d = d - divided(dot(d, q), size) * p
        q = product(d)
        size = dot(d, q)
        scale = divided(dot(d, r), size)
        y, r = y + scale * d, r - scale * q
        used.append((d, q, size))
    return y


def bicgstab(
    product: Map, rhs: Array, start: Array, tol: float, most: int, precondition: Map = same
) -> Array:
    """van der Vorst, SIAM J. Sci. Stat. Comput. 13, 1992, from `start` on, preconditioned from the right."""
    x, r = start, rhs - product(start)
    shadow, p = r, r
    rho = size = dot(r, r)
    bound = max(tol, 4 * EPSILON) ** 2 * dot(rhs, rhs)
    for _ in range(most):
        going = size > bound
        if not going.any():
            break
        y = precondition(p)
        q = product(y)
        alpha = divided(rho, dot(shadow, q))
        s = r - alpha * q
        z = precondition(s)
        w = product(z)
        omega = divided(dot(w, s), dot(w, w))
        x, r = np.where(going, x + alpha * y + omega * z, x), np.where(going, s - omega * w, r)
        size = dot(r, r)
        rho, before = dot(shadow, r), rho
        p = r + divided(rho, before) * divided(alpha, omega) * (p - omega * q)
    return x


def divided(a: Array, b: Array) -> Array:
    """a / b, 0 where b is 0."""
    return np.divide(a, b, out=np.zeros(np.broadcast_shapes(a.shape, b.shape)), where=b != 0)


def solve_tridiagonal(node: Tridiagonal, scale: Any, values: Mapping[str, Any], rhs: Array) -> Array:
    """x with (d + scale m D^T g D) x = rhs along one axis, by elimination (Thomas)."""
    axis, n = node.axis, rhs.shape[node.axis]
    wide = [s + 2 * node.margin if a == axis else s for a, s in enumerate(rhs.shape)]
    g = np.moveaxis(np.array(np.broadcast_to(values["g"], wide)), axis, 0) * scale
    if node.margin:
        right, left = (take(g, 0, start, start + n) for start in (node.margin, node.margin - 1))
    else:
        right = g if BORDERS[node.closure].wraps else np.concatenate([g[:-1], np.zeros_like(g[-1:])])
        left = np.roll(right, 1, axis=0)
    m = np.moveaxis(np.array(np.broadcast_to(values["m"], rhs.shape)), axis, 0)
    d = np.moveaxis(np.array(np.broadcast_to(values["d"], rhs.shape)), axis, 0)
    lower, upper, middle = -m * left, -m * right, d + m * (left + right)
    b = np.moveaxis(rhs, axis, 0)
    if not BORDERS[node.closure].wraps:
        return np.moveaxis(thomas(lower, middle, upper, b), 0, axis)
    return np.moveaxis(cyclic(lower, middle, upper, b), 0, axis)


def thomas(lower: Array, middle: Array, upper: Array, rhs: Array) -> Array:
    """Rows lower[i] x[i-1] + middle[i] x[i] + upper[i] x[i+1] = rhs[i], the first axis running over i."""
    pivot, y = [middle[0]], [rhs[0]]
    for i in range(1, len(rhs)):
        factor = lower[i] / pivot[-1]
        pivot.append(middle[i] - factor * upper[i - 1])
        y.append(rhs[i] - factor * y[-1])
    x = [y[-1] / pivot[-1]]
    for i in reversed(range(len(rhs) - 1)):
        x.append((y[i] - upper[i] * x[-1]) / pivot[i])
    return np.stack(x[::-1])


def cyclic(lower: Array, middle: Array, upper: Array, rhs: Array) -> Array:
    """The same with x[-1] = x[n-1] and x[n] = x[0], by the formula of Sherman and Morrison."""
    if len(rhs) == 1:
        only: Array = rhs / (lower + middle + upper)
        return only
    gamma = -middle[0]
    changed = np.concatenate([middle[:1] - gamma, middle[1:-1], middle[-1:] - lower[:1] * upper[-1:] / gamma])
    side = 0 * rhs
    side[0], side[-1] = gamma, upper[-1]
    x, z = (thomas(lower, changed, upper, b) for b in (rhs, side))
    weight = lower[0] / gamma
    result: Array = x - z * ((x[0] + weight * x[-1]) / (1 + z[0] + weight * z[-1]))
    return result
