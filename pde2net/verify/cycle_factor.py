"""The two-grid factor of the cycles of a U-net with frozen coefficients (docs/theory.md, 4.15)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import sympy as sp

from pde2net.discretise.operators import Bank
from pde2net.graph.build import relaxation
from pde2net.graph.build.unet import grids
from pde2net.scheme.unet import UNet
from pde2net.verify.case import Case
from pde2net.verify.fourier.model import Model
from pde2net.verify.fourier.smoothing import damped_factor, high_frequencies
from pde2net.verify.fourier.two_grid import Smoother, cycle_factors
from pde2net.verify.ranges import UndecidedError

ASPECT = 1.25  # axes whose cells are at most this much longer than the shortest are coarsened
DEEPEST = {1: 6, 2: 4, 3: 3}  # grids that are looked at, by dimension; factors settle from grid to grid
SCALES = (1, sp.Rational(1, 10), sp.Rational(1, 100))  # of diffusivities that vary
UNIT = sp.Rational(1, 10**4)


def cycle_factor(case: Case) -> sp.Rational:
    """The largest factor that is found, rounded up to 4 decimals.

    Raises UndecidedError if there is nothing to analyse, or numbers are missing.
    """
    unet, semi = case.update, case.semi
    if not isinstance(unet, UNet):
        raise TypeError(f"{case.scheme.label} schemes have no cycles")
    if grids(semi, unet) < 2:
        raise UndecidedError(
            "there is a single grid, which is solved by BiCGStab, and no rate of it is known"
        )
    if not semi.form.terms:
        raise UndecidedError("there is no diffusion")
    spacing = [case.valued(h) for h in semi.spacing]
    if case.tau.subs(semi.form.problem.parameters).free_symbols or any(h.free_symbols for h in spacing):
        numbers = "two-grid factors are computed from numbers: give values to tau, spacing and parameters"
        sweep = smoothing(case)
        known = f"the smoothing factor of one sweep, coefficients at their upper bounds, is {sweep}"
        raise UndecidedError(numbers if sweep is None else f"{numbers}; {known}")
    axes = tuple(coarsening(case, [float(h) for h in spacing]))
    largest = _largest(
        tuple(models(case)), smoother(case), unet.pre, unet.post, axes, relaxation.order(semi) == 2
    )
    return sp.ceiling(sp.Rational(largest) / UNIT - sp.Rational(1, 10**6)) * UNIT


def smoothing(case: Case) -> sp.Expr | None:
    """The smoothing factor of a sweep of damped Jacobi in symbols, where there is a closed form.

    For coefficients at their upper bounds and equal spacing; one gradient with the same bound on all axes, or
    one weighted sum of second differences.
    """
    unet, semi, facts = case.update, case.semi, case.facts
    if not isinstance(unet, UNet) or unet.smoother != "jacobi" or facts.rate is None or facts.weights is None:
        return None
    bounds = {case.valued(b.upper) for row in facts.weights for b in row}
    if len(semi.form.terms) != 1 or len(bounds) != 1 or len(set(semi.spacing)) != 1:
        return None
    bank = valued(case, semi.second[0] if semi.second else semi.gradient)
    mass = unet.mass + case.valued(case.tau * facts.rate.upper)
    model = Model(mass, case.valued(case.tau), ((bounds.pop(), bank),), len(semi.spacing))
    found = high_frequencies(model)
    return damped_factor(found, unet.damping or relaxation.damping(semi)) if found.exact else None


@cache
def _largest(
    cases: tuple[Model, ...],
    smoother: Smoother,
    pre: int,
    post: int,
    axes: tuple[tuple[int, ...], ...],
    adjoint: bool,
) -> float:
    return max(max(cycle_factors(model, smoother, pre, post, axes, adjoint)) for model in cases)


def smoother(case: Case) -> Smoother:
    """That of the emitted network."""
    unet, semi = case.update, case.semi
    assert isinstance(unet, UNet)
    damping = unet.damping or relaxation.damping(semi)
    if unet.smoother == "red-black":
        damping = sp.S.One if relaxation.nearest_neighbours(semi) else relaxation.damping(semi)
    low, high = (float(v) for v in relaxation.interval(semi))
    return Smoother(unet.smoother, float(damping), (low, high))


def coarsening(case: Case, spacing: list[float]) -> Iterator[tuple[int, ...]]:
    """The axes that each grid halves; all of them for second differences."""
    unet = case.update
    assert isinstance(unet, UNet)
    deepest = DEEPEST[len(spacing)]
    for _ in range(min(deepest, (unet.levels or deepest + 1) - 1)):
        shortest = min(spacing)
        chosen = tuple(
            i for i, h in enumerate(spacing) if case.semi.second or h <= ASPECT * shortest * (1 + 1e-12)
        )
        yield chosen
        spacing = [2 * h if i in chosen else h for i, h in enumerate(spacing)]


def models(case: Case) -> Iterator[Model]:
    """The operator with frozen coefficients: at sup g and below where g varies, at both ends of -r'."""
    facts, rate = case.facts, case.facts.rate
    assert facts.weights is not None and rate is not None
    steady = case.tau == sp.oo
    step = sp.S.One if steady else case.valued(case.tau)
    constant = all(case.valued(b.lower - b.upper) == 0 for row in facts.weights for b in row)
    for reaction in dict.fromkeys(case.valued(r) for r in (rate.lower, rate.upper)):
        mass = (0 if steady else 1) + step * reaction
        for scale in SCALES[:1] if constant else SCALES:
            yield Model(mass, step, tuple(terms(case, scale)), len(case.semi.spacing))


def terms(case: Case, scale: sp.Rational) -> Iterator[tuple[sp.Expr, Bank]]:
    """(weight, K) per axis of a gradient and per second difference, numbers for all parameters."""
    rows = zip(case.semi.form.terms, case.semi.operators, case.facts.weights or (), strict=True)
    for term, operators, weights in rows:
        if term.mixed:
            raise UndecidedError(f"cycles are not analysed for {type(term).__name__} terms")
        for operator, bounds in zip(operators, weights, strict=True):
            assert isinstance(operator, Bank)
            yield scale * case.valued(bounds.upper), valued(case, operator)


def valued(case: Case, bank: Bank) -> Bank:
    """The bank with the values of the parameters."""
    return Bank(
        tuple(
            tuple((case.valued(w), replace(d, spacing=case.valued(d.spacing))) for w, d in row)
            for row in bank.rows
        )
    )
