"""Random declarations: diffusivities, reactions, borders, stencils, schemes, and steps around the limit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sympy as sp
from hypothesis import strategies as st
from support import AXES, equation, t, unknown

import pde2net as p2n
from pde2net import (
    coherence,
    div,
    grad,
    laplacian,
    norm2,
    principal_direction,
    smooth,
    structure_tensor,
    tensor,
)

TAU = sp.Symbol("tau", positive=True)
CLAIMS = ("l2_stability", "nonexpansive", "maximum_principle", "energy_decay", "frozen_stability")
CLAIMS += ("bounded_by_data", "lipschitz_in_data", "averaged")
FACTORS = tuple(
    sp.Rational(f) for f in ("1", "1", "1", "1", "999/1000", "1/2", "1/2", "1001/1000", "21/20", "10")
)

numbers = st.sampled_from(
    [sp.Rational(n) for n in ["1/100", "1/10", "1/3", "1/2", "1", "3/2", "2", "5", "20", "1000"]]
)
# Some are given when the network is called; what they are called is nothing to the claims.
contrasts = st.one_of(
    *[numbers] * 9, st.sampled_from([p2n.Input(name, positive=True) for name in ("s", "p", "r", "zeta")])
)
exponents = st.sampled_from([sp.Rational(n) for n in ["1/4", "1/3", "1/2", "3/4", "1", "3/2", "2", "3"]])


@dataclass(frozen=True)
class Declared:
    """A declaration, with a step that is `factor` times the largest one of the claim `aim`.

    options  of the scheme `kind`, but for tau; alpha is a multiple of the smallest one
    train    what is trained while its condition is kept
    step     the step itself, in place of factor and aim; None for the largest one
    asked    further options of compile
    """

    problem: p2n.Problem
    grid: p2n.Grid
    kind: type
    options: dict[str, Any]
    aim: str
    factor: sp.Rational
    train: tuple[str, ...] = ()
    step: Any = sp.nan
    asked: dict[str, Any] = field(default_factory=dict)

    def compiled(self, scheme: p2n.Scheme) -> p2n.Network:
        return p2n.compile(
            self.problem,
            scheme,
            self.grid,
            on_unstable="ignore",
            trainable=self.train,
            keep_stable=bool(self.train),
            **self.asked,
        )

    def scheme(self) -> p2n.Scheme:
        """The step is a number; where the aim has no limit, the factor itself."""
        options = dict(self.options)
        if self.step is not sp.nan:
            return self.kind(tau=self.step, **options)
        if options.get("alpha") is not None:
            options["alpha"] *= 1 / (2 * self.limit(p2n.Explicit(TAU), "frozen_stability"))
        limit = self.limit(self.kind(tau=TAU, **options), self.aim)
        return self.kind(tau=self.factor * limit, **options)

    def limit(self, scheme: p2n.Scheme, aim: str) -> sp.Expr:
        """The largest step of a claim, or 1."""
        limit = p2n.verify(self.problem, scheme, self.grid).claims[aim].limit
        usable = limit is not None and limit.is_finite and not limit.free_symbols
        return limit if usable else sp.S.One


@st.composite
def profiles(draw: Any, s: sp.Expr) -> sp.Expr:
    """A diffusivity of s >= 0, in the forms of the literature and beyond; some take negative values."""
    c, a, p = draw(contrasts), draw(contrasts), draw(exponents)
    r = s / c
    kind = draw(st.integers(0, 21))
    simple = [
        sp.S.One,
        a / (1 + r),
        (1 + r) ** -p,
        sp.exp(-r),
        1 / sp.sqrt(s + c**2),
        1 - sp.exp(-sp.Rational(5, 2) / (s**2 + c)),
        (a + r) / (1 + r**2),
        a * r * sp.exp(-r),
        2 * sp.exp(-r) - sp.exp(-r / 16),
        sp.Min(1, c / (s + a / 10)),
        sp.Max(1 - r, 0) ** 2,
        sp.Piecewise(((1 - r) ** 2, s < c), (0, True)),
        sp.Piecewise((1, s <= c), (sp.sqrt(c / s), True)),
        1 / (1 + sp.log(1 + r)),
        1 - sp.tanh(r) / 2,
        1 + sp.cos(r) / 2,
        sp.Abs(1 - r) * sp.exp(-r),
        sp.exp(-r) + a / (1 + s) ** 2,
        sp.atan(1 / (1 + r)),
        (1 - a * r) / (1 + r) ** 2,
        sp.exp(-((r - 3) ** 2)) + sp.Rational(1, 2) / (1 + r),
        (2 + sp.sin(3 * r)) / (1 + r**p),
    ]
    return simple[kind]


@st.composite
def diffusivities(draw: Any, s: sp.Expr) -> sp.Expr:
    """One profile, or two combined."""
    first = draw(profiles(s))
    how = draw(st.integers(0, 15))
    if how > 3:
        return first
    second = draw(profiles(s))
    return [first + second, first * second, sp.Min(first, second), sp.Rational(3, 2) * first - second / 2][
        how
    ]


@st.composite
def reactions(draw: Any, u: Any) -> sp.Expr:
    beta, field = draw(contrasts), sp.Function("f")(*u.args[:-1])
    return draw(
        st.sampled_from(
            [
                *[sp.S.Zero] * 6,
                -beta * u,
                beta * (field - u),
                -beta * sp.tanh(u),
                -beta * u / (1 + u**2),
                beta * u / 10,
                beta * sp.sin(u),
                sp.Min(1, sp.Abs(u)) - 2 * u,
            ]
        )
    )


scales = st.sampled_from([sp.Rational(n) for n in ["1/2", "1", "2", "5"]])


@st.composite
def smoothed(draw: Any, u: Any, dim: int) -> sp.Expr:
    """The diffusivity takes its slopes, or u, from a smoothed image."""
    v = smooth(u, draw(scales))
    how = draw(st.integers(0, 2))
    g = draw(diffusivities(norm2(grad(v)) if how else v**2))
    if how == 2:
        g = g * draw(profiles(norm2(grad(u))))
    return div(g * grad(u))


@st.composite
def tensors(draw: Any, u: Any, dim: int) -> sp.Expr:
    """Eigenvalues along and across a smoothed gradient, or the direction of a structure tensor."""
    v = grad(smooth(u, draw(scales)))
    if dim == 2 and draw(st.booleans()):
        j = structure_tensor(u, draw(scales), draw(scales))
        v, argument = principal_direction(j), coherence(j)
    else:
        argument = norm2(v)
    along, across = (draw(st.one_of(numbers, diffusivities(argument))) for _ in range(2))
    return div(tensor(v, along, across) * grad(u))


@st.composite
def right_hand_sides(draw: Any, dim: int) -> sp.Expr:
    u = unknown(dim)
    kind = draw(st.integers(0, 13))
    if kind in (10, 11):
        return draw(smoothed(u, dim)) + draw(reactions(u))
    if kind == 12 and dim > 1:
        return draw(tensors(u, dim)) + draw(reactions(u))
    if kind == 13 and dim > 1:  # constant entries, perhaps indefinite
        mixed = draw(numbers) * draw(st.sampled_from([1, -1]))
        return mixed * u.diff(AXES[0], AXES[1]) + sum(draw(numbers) * u.diff(a, 2) for a in AXES[:dim])
    if kind == 0:
        v = laplacian(u)
        return -laplacian(draw(diffusivities(v**2)) * v)
    if kind == 1:  # each axis on its own
        return sum(
            sp.Derivative(draw(diffusivities(u.diff(a) ** 2)) * u.diff(a), a) for a in AXES[:dim]
        ) + draw(reactions(u))
    if kind == 2:  # the diffusivity depends on u
        return div(draw(diffusivities(u**2)) * grad(u)) + draw(reactions(u))
    if kind == 3:  # of position, or of a known field
        where = draw(st.sampled_from([2 + sp.sin(AXES[0]), AXES[0] ** 2 / (1 + AXES[0] ** 2)]))
        return div(where * draw(diffusivities(norm2(grad(u)))) * grad(u))
    if kind == 4:
        f = sp.Function("f")(*AXES[:dim])
        return div(draw(diffusivities(norm2(grad(f)))) * grad(u))
    if kind == 5:
        return div(draw(diffusivities(norm2(grad(u)))) * grad(u)) + draw(numbers) * laplacian(u)
    return div(draw(diffusivities(norm2(grad(u)))) * grad(u)) + draw(reactions(u))


@st.composite
def clocks(draw: Any) -> sp.Expr:
    """Coefficients c(t), some of which turn negative."""
    a = draw(numbers)
    return draw(
        st.sampled_from(
            [
                sp.exp(-a * t),
                1 / (1 + a * t),
                1 + a * t,
                1 + sp.cos(a * t) / 2,
                sp.cos(a * t),
                a - t,
                sp.Max(0, 1 - a * t),
                sp.Piecewise((1, t < a), (2, True)),
                a * t,
            ]
        )
    )


@st.composite
def timed(draw: Any, dim: int) -> sp.Expr:
    """A factor of the flux, or of the contrast, and one of the reaction."""
    u = unknown(dim)
    c, s2 = draw(clocks()), norm2(grad(u))
    flux = [div(c * draw(diffusivities(s2)) * grad(u)), div(draw(diffusivities(c * s2)) * grad(u))]
    source = draw(reactions(u))
    return draw(st.sampled_from([*flux, c * laplacian(u)])) + draw(st.one_of(st.just(1), clocks())) * source


ENDS = st.sampled_from([sp.Rational(n) for n in ["-2", "-1", "0", "0", "0", "1/3", "1", "1", "3/2", "4"]])


@st.composite
def bounded(draw: Any, dim: int) -> tuple[sp.Expr, dict[Any, Any]]:
    """Known fields in ranges: coefficients, masks, pulls that vary."""
    u, space = unknown(dim), AXES[:dim]
    c, d, f = (sp.Function(n)(*space) for n in "cdf")
    flux = draw(st.sampled_from([d, 1 + d**2, 1 / (2 + d**2), sp.exp(-d), sp.Max(0, d)])) * grad(u)
    diffusion = draw(
        st.sampled_from(
            [div(flux), div(flux), laplacian(u), div(draw(diffusivities(norm2(grad(u)))) * grad(u))]
        )
    )
    pull = draw(st.sampled_from([sp.S.Zero, c * (f - u), c * (f - u), -c * u, c**2 * (f - u), f - c * u]))
    factor = draw(st.sampled_from([1, 1, 1 - c, c, 1 - c**2, 2 + c * d]))
    if draw(st.integers(0, 3)) == 0:  # data that stand in the diffusion too
        seen = draw(st.sampled_from([1 / (1 + f**2), 1 / (1 + norm2(grad(f))), 2 + sp.sin(f)]))
        diffusion, pull = div(seen * grad(u)), draw(numbers) * (f - u)
    rhs = factor * diffusion + pull
    found = {}
    for name in (c, d):
        if rhs.has(name):
            low, high = sorted(draw(st.tuples(ENDS, ENDS)))
            found[name] = (low, high if low < high else sp.oo)
    return rhs, found


@st.composite
def ranged(draw: Any, dim: int) -> tuple[Any, dict[Any, Any]]:
    """Unknowns in ranges that reactions may lead out of: weights and rates that only a range bounds."""
    u, v = (sp.Function(n)(*AXES[:dim], t) for n in "uv")
    c = sp.Function("c")(*AXES[:dim])
    low, high = sorted(draw(st.tuples(ENDS, ENDS)))
    high = high if low < high else low + draw(st.sampled_from([1, sp.Rational(1, 3)]))
    middle, k = (low + high) / 2, draw(numbers)
    weights = [sp.S.One, u - low, 1 + u**2, 2 + sp.sin(u), norm2(grad(u)), (u - low) * norm2(grad(u))]
    weights += [u / (1 + u), sp.exp(-c * norm2(grad(u))), u, 1 / (1 + norm2(grad(u)) / (1 + u**2))]
    rates = [
        sp.S.Zero,
        sp.S.Zero,
        -k * (u - middle) ** 3,
        k * (u - low) * (high - u),
        u - u**3,
        -(u**2),
        k * u,
    ]
    rates += [c * (u - low) * (high - u), k * (middle - u), k - u, -u / (1 + u**2)]
    rhs = div(draw(st.sampled_from(weights)) * grad(u)) + draw(st.sampled_from(rates))
    bounds = {u: (low, draw(st.sampled_from([high, high, high, high, sp.oo])))}
    bounds |= {c: (0, draw(st.sampled_from([1, 3])))} if rhs.has(c) else {}
    if draw(st.integers(0, 4)) > 0:
        return sp.Eq(u.diff(t), rhs, evaluate=False), bounds
    first, last = sorted(draw(st.tuples(ENDS, ENDS)))
    last = last if first < last else first + 1
    coupled = [rhs + k * v / 20, rhs * (1 + v**2), rhs + (u - low) * (high - u) * v, rhs + u * v**2 - u]
    others = [
        laplacian(v) + (u - v) / 10,
        div((1 + u**2) * grad(v)),
        laplacian(v) - v,
        laplacian(v) + v - v**3,
    ]
    pair = [
        sp.Eq(u.diff(t), draw(st.sampled_from(coupled)), evaluate=False),
        sp.Eq(v.diff(t), draw(st.sampled_from(others)), evaluate=False),
    ]
    return pair, bounds | {v: (first, last)}


@st.composite
def systems(draw: Any, dim: int) -> list[sp.Eq]:
    """Two unknowns, whose diffusivities and reactions may contain the other."""
    pair = [sp.Function(n)(*AXES[:dim], t) for n in "uv"]
    equations = []
    for own, other in (pair, pair[::-1]):
        g = draw(diffusivities(norm2(grad(own))))
        inside = draw(st.sampled_from([0, 0, other**2, norm2(grad(other))]))
        g = g if inside == 0 else g * draw(profiles(inside))
        rhs = div(draw(st.one_of(st.just(1), st.just(1), clocks())) * g * grad(own))
        rhs += draw(st.sampled_from([0, 0, 0, -own, other - own, -own * other**2, -other]))
        equations.append(sp.Eq(own.diff(t), rhs, evaluate=False))
    return equations


def explicits(draw: Any) -> dict[str, Any]:
    return {"steps": draw(st.integers(1, 2))}


def two_steps(draw: Any) -> dict[str, Any]:
    """alpha in units of the smallest one."""
    alpha = draw(st.sampled_from([None, None, "1", "1", "9/10", "999/1000", "3/2", "2", "10"]))
    return {"alpha": None if alpha is None else sp.Rational(alpha), "steps": draw(st.integers(1, 6))}


def cyclic(draw: Any) -> dict[str, Any]:
    return {
        "cycle_length": draw(st.sampled_from([1, 2, 3, 5, 8])),
        "cycles": draw(st.integers(1, 2)),
        "freeze": draw(st.sampled_from(["cycle", "cycle", "step"])),
    }


def super_steps(draw: Any) -> dict[str, Any]:
    order = draw(st.sampled_from([1, 2]))
    stages = draw(st.sampled_from([1, 2, 4, 7] if order == 1 else [3, 4, 7]))
    return {"order": order, "stages": stages, "steps": draw(st.integers(1, 2))}


def solvers(draw: Any) -> Any:
    """Few iterations, or a tolerance; systems that are truncated early."""
    kind = draw(st.sampled_from([p2n.Kacanov, p2n.Kacanov, p2n.FixedPoint, p2n.Newton]))
    options: dict[str, Any] = {"iterations": draw(st.sampled_from([1, 1, 2, 3, 4]))}
    if draw(st.integers(0, 3)) == 0:
        options = {"tol": draw(st.sampled_from(["1/100", "1/10000"])), "max_iterations": 20}
        options["tol"] = sp.Rational(options["tol"])
    if kind == p2n.FixedPoint:
        return kind(**options, anderson=draw(st.sampled_from([0, 0, 0, 2])))
    options["linear_iterations"] = draw(st.sampled_from([1, 2, 5, 200]))
    options["preconditioner"] = draw(st.sampled_from(["none", "none", "none", "diagonal", "multigrid"]))
    return kind(**options)


def implicit(draw: Any) -> dict[str, Any]:
    return {"steps": draw(st.integers(1, 2)), "solver": solvers(draw)}


def weighted(draw: Any) -> dict[str, Any]:
    theta = draw(st.sampled_from(["1/2", "1/2", "1/4", "1/10", "2/5", "3/4", "1"]))
    return {"theta": sp.Rational(theta), **implicit(draw)}


def split(draw: Any) -> dict[str, Any]:
    return {"steps": draw(st.integers(1, 2))}


def multigrid(draw: Any) -> dict[str, Any]:
    return {
        "levels": draw(st.sampled_from([2, 3, None])),
        "pre": draw(st.integers(0, 2)),
        "post": draw(st.integers(1, 2)),
        "cycle": draw(st.sampled_from(["V", "W", "FMG"])),
        "cycles": draw(st.integers(1, 2)),
        "smoother": draw(st.sampled_from(["jacobi", "red-black", "chebyshev"])),
        "damping": draw(st.sampled_from([None, None, sp.Rational(2, 3), sp.Rational(19, 10)])),
    }


# How the options of each kind of scheme are drawn; other architectures add theirs here.
SCHEMES = {
    p2n.Explicit: explicits,
    p2n.DuFortFrankel: two_steps,
    p2n.FSI: cyclic,
    p2n.FED: cyclic,
    p2n.RKL: super_steps,
    p2n.RKC: super_steps,
    p2n.Implicit: implicit,
    p2n.Theta: weighted,
    p2n.AOS: split,
    p2n.Multigrid: multigrid,
}


@st.composite
def sides(draw: Any) -> Any:
    """What holds at one side of an axis."""
    a, c = draw(numbers), draw(st.sampled_from([0, 1, -2, 3]))
    return draw(
        st.sampled_from(
            ["reflecting", p2n.value(c), p2n.value(0), p2n.flux(c), p2n.robin(a, 1, c), p2n.robin(1, a, 0)]
        )
    )


@st.composite
def declarations(draw: Any, kinds: tuple[type, ...] = tuple(SCHEMES)) -> Declared:
    dim = draw(st.sampled_from([1, 1, 1, 2, 2, 3]))
    borders = st.sampled_from(["reflecting", "periodic", "periodic", "dirichlet"])
    boundary: dict[Any, Any] = {a: draw(borders) for a in AXES[:dim]}
    if draw(st.integers(0, 5)) == 0:
        boundary[AXES[0]] = (draw(sides()), draw(sides()))
    form = draw(st.integers(0, 10))
    domain = draw(st.sampled_from([None, None, None, None, sp.Function("m")(*AXES[:dim])]))
    if form == 0:
        problem = p2n.Problem(draw(systems(dim)), boundary, domain=domain)
    elif form == 10:
        equations, bounds = draw(ranged(dim))
        problem = p2n.Problem(equations, boundary, bounds=bounds, domain=domain)
    else:
        alone = right_hand_sides(dim) if form > 2 else timed(dim)
        rhs, bounds = draw(bounded(dim)) if form == 2 else (draw(alone), {})
        channels = draw(st.sampled_from([1, 1, 1, 1, 2, 3]))
        problem = p2n.Problem(equation(rhs, dim), boundary, channels=channels, bounds=bounds, domain=domain)
    spacing = draw(st.one_of(st.just(1), numbers.map(lambda n: sp.Rational(n)), st.none()))
    if spacing is None:
        spacing = {a: draw(numbers) for a in AXES[:dim]}
    grid = p2n.Grid(
        spacing=spacing,
        order=draw(st.sampled_from([2, 2, 2, 4])),
        gradient=draw(st.sampled_from(["forward", "forward", "central", "staggered"])),
    )
    kind = draw(st.sampled_from(kinds))
    options = SCHEMES[kind](draw)
    if kind is p2n.Explicit and problem.fields and draw(st.booleans()):
        options["fidelity"] = "implicit"  # refused in words where the field is no datum
    return Declared(
        problem, grid, kind, options, draw(st.sampled_from(CLAIMS)), draw(st.sampled_from(FACTORS))
    )
