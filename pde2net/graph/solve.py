"""The solvers of the reference interpreter: loops, Krylov methods, tridiagonal systems, in NumPy."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pde2net.discretise.arrays import Array, take
from pde2net.errors import ConvergenceError, ConvergenceWarning
from pde2net.graph.nodes import Iterate, Tridiagonal

Map = Callable[[Array], Array]
EPSILON = float(np.finfo(np.float64).eps)
HALVINGS = 12
ROUNDING = 8


def iterate(node: Iterate, start: Array, rhs: Array | None, update: Map, residual: Map | None) -> Array:
    """The result of a loop; see graph.nodes.Iterate."""
    accelerate = Anderson(node.anderson)

    def after(v: Array, found: Array) -> Array:
        new = accelerate(v, update(v))
        if node.method == "Newton" and residual is not None:
            new = backtracked(v, new, found, residual)
        return new

    v = start
    if node.iterations or residual is None:
        for _ in range(node.iterations):
            v = after(v, residual(v) if node.method == "Newton" and residual is not None else v)
        return v
    found = residual(v)
    scale = float(np.linalg.norm(found if rhs is None else rhs))
    bound = max(float(node.tol), 50 * EPSILON) * scale
    first = reached = least = float(np.linalg.norm(found))
    best = v
    for _ in range(node.most):
        if reached <= bound:
            return v
        v = after(v, found)
        found = residual(v)
        reached = float(np.linalg.norm(found))
        if reached < least:
            best, least = v, reached
    if not reached <= bound:
        message = f"{node.method}: residual {reached / (scale or 1):.2g} after {node.most} iterations"
        diverged = np.isfinite(first) and not reached <= first + rounding(residual, v, found)
        if node.on_failure == "error" or (node.on_failure == "warn" and diverged):
            raise ConvergenceError(message)
        warnings.warn(message, ConvergenceWarning, stacklevel=2)
        if not np.isfinite(least if node.on_failure == "best" else reached):
            return np.full_like(v, np.nan)
    return best if node.on_failure == "best" else v


def rounding(residual: Map, v: Array, found: Array) -> float:
    """About what rounding does to the norm of residual(v): the change by the last digits of v."""
    last = EPSILON * (np.arange(v.size) % 2).reshape(v.shape) * v
    return ROUNDING * float(np.linalg.norm(residual(v + last) - found))


def backtracked(v: Array, new: Array, found: Array, residual: Map) -> Array:
    """v + s (new - v) with s halved until the residual decreases; v if it does not, nan if v has none.

    A step within the rounding of v is made.
    """
    step, size = 1.0, float(np.linalg.norm(found))
    if within_rounding(new - v, v):
        return new
    for _ in range(HALVINGS):
        if float(np.linalg.norm(residual(v + step * (new - v)))) < size:
            return v + step * (new - v)
        step /= 2
    return v if np.isfinite(size) else np.full_like(v, np.nan)


def within_rounding(change: Array, v: Array) -> bool:
    """Whether a change of v is nothing but rounding."""
    return bool(np.linalg.norm(change) <= EPSILON**0.75 * np.linalg.norm(v))


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
        if len(self.images) == 1 or within_rounding(image - v, v):
            return image
        df = np.stack([(b - a).ravel() for a, b in zip(self.residuals, self.residuals[1:], strict=False)], 1)
        dg = np.stack([(b - a).ravel() for a, b in zip(self.images, self.images[1:], strict=False)], 1)
        gram = df.T @ df
        gram += 1e-12 * (np.trace(gram) + np.finfo(float).tiny) * np.eye(len(gram))
        gamma = np.linalg.solve(gram, df.T @ self.residuals[-1].ravel())
        mixed: Array = image - (dg @ gamma).reshape(image.shape)
        return mixed


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
    curvature = 0.0
    bound = (max(tol, 4 * EPSILON) ** 2) * float((rhs * rhs).sum())
    for _ in range(most):
        if not float((r * r).sum()) > bound:
            break
        z = precondition(r)
        p = z - _ratio(float((z * q).sum()), curvature) * p
        q = product(p)
        curvature = float((p * q).sum())
        alpha = _ratio(float((p * r).sum()), curvature)
        x, r = x + alpha * p, r - alpha * q
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
    used: list[tuple[Array, Array, float]] = []
    for d in directions:
        for p, q, size in used * 2:  # once more, for what cancels of nearly parallel directions
            d = d - _ratio(float((d * q).sum()), size) * p
        q = product(d)
        size = float((d * q).sum())
        scale = _ratio(float((d * r).sum()), size)
        y, r = y + scale * d, r - scale * q
        used.append((d, q, size))
    return y


def bicgstab(
    product: Map, rhs: Array, start: Array, tol: float, most: int, precondition: Map = same
) -> Array:
    """van der Vorst, SIAM J. Sci. Stat. Comput. 13, 1992, from `start` on, preconditioned from the right."""
    x, r = start, rhs - product(start)
    shadow, p = r, r
    rho = size = float((r * r).sum())
    bound = (max(tol, 4 * EPSILON) ** 2) * float((rhs * rhs).sum())
    for _ in range(most):
        if not size > bound:
            break
        y = precondition(p)
        q = product(y)
        alpha = _ratio(rho, float((shadow * q).sum()))
        s = r - alpha * q
        z = precondition(s)
        w = product(z)
        omega = _ratio(float((w * s).sum()), float((w * w).sum()))
        x, r = x + alpha * y + omega * z, s - omega * w
        size = float((r * r).sum())
        rho, before = float((shadow * r).sum()), rho
        p = r + _ratio(rho, before) * _ratio(alpha, omega) * (p - omega * q)
    return x


def _ratio(a: float, b: float) -> float:
    return a / b if b else 0.0


def solve_tridiagonal(node: Tridiagonal, scale: Any, values: Mapping[str, Any], rhs: Array) -> Array:
    """x with (d + scale m D^T g D) x = rhs along one axis, by elimination (Thomas)."""
    axis, n = node.axis, rhs.shape[node.axis]
    wide = [s + 2 * node.margin if a == axis else s for a, s in enumerate(rhs.shape)]
    g = np.moveaxis(np.array(np.broadcast_to(values["g"], wide)), axis, 0) * scale
    if node.margin:
        right, left = (take(g, 0, start, start + n) for start in (node.margin, node.margin - 1))
    else:
        right = g if node.closure == "periodic" else np.concatenate([g[:-1], np.zeros_like(g[-1:])])
        left = np.roll(right, 1, axis=0)
    m = np.moveaxis(np.array(np.broadcast_to(values["m"], rhs.shape)), axis, 0)
    d = np.moveaxis(np.array(np.broadcast_to(values["d"], rhs.shape)), axis, 0)
    lower, upper, middle = -m * left, -m * right, d + m * (left + right)
    b = np.moveaxis(rhs, axis, 0)
    if node.closure != "periodic":
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
