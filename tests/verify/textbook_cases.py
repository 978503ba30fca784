"""Textbook equations with the largest step of every claim about the explicit scheme, derived by hand.

Notation: L = sup g, M = sup Phi' with Phi' = g + 2 s g' along the slope and g across it, s = |grad u|^2,
r = s scaled by the contrast parameter. The theorems give

    l2_stability, frozen_stability   2/(L |K|^2 + beta)
    nonexpansive, energy_decay       2/(M |K|^2 + sup(-r'))
    maximum_principle                1/(largest diagonal entry of A + beta)

Where g does not increase, Phi' <= g, so M = g(0) = L.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import sympy as sp
from support import AXES, eps, equation, h, lam, tau, unknown, x, y, z

import pde2net as p2n
from pde2net import diffusivities, div, grad, laplacian, norm2

kappa, beta, a, b, c = sp.symbols("kappa beta a b c", positive=True)
hx, hy = sp.symbols("h_x h_y", positive=True)
half = sp.Rational(1, 2)

# Where a number is needed for a symbol.
VALUES: dict[sp.Symbol, sp.Expr] = {
    h: sp.Rational(3, 2),
    hx: sp.Integer(1),
    hy: half,
    lam: sp.Rational(3, 10),
    eps: sp.Rational(1, 5),
    kappa: sp.Rational(2, 3),
    beta: sp.Rational(5, 4),
    a: sp.Rational(1, 3),
    b: sp.Integer(2),
    c: sp.Rational(5, 2),
}

# |K|^2 of a first difference on spacing 1: the largest squared symbol, at theta = pi, pi, pi/2, pi, and
# at cos(theta) = 1 - sqrt(6)/2 for (8 sin(theta) - sin(2 theta))/6.
SQUARED_NORM: dict[tuple[str, int], sp.Expr] = {
    ("forward", 2): sp.Integer(4),
    ("staggered", 2): sp.Integer(4),
    ("central", 2): sp.Integer(1),
    ("forward", 4): sp.Rational(7, 3) ** 2,
    ("central", 4): sp.Rational(1, 4) + 2 * sp.sqrt(6) / 3,
}
# Each cell is an end of two edges per axis, of weight w^2 g/h^2: w = 1, or 1/2 for (u_{i+1} - u_{i-1})/2.
DIAGONAL: dict[tuple[str, int], sp.Expr] = {
    ("forward", 2): sp.Integer(2),
    ("staggered", 2): sp.Integer(2),
    ("central", 2): half,
}


@dataclass(frozen=True)
class Case:
    """An equation on a grid, and the largest step for which each claim holds.

    limits   claim -> largest tau
    false    claims that no positive step satisfies
    loose    claims whose limit is sufficient, but not necessary
    inexact  claims whose limit has no closed form: here to 1e-9, asked for to 1e-5 from below
    factors  claim -> factor per step
    given    parameters that have their values already in the symbolic certificate
    profile  (g, L, M) of a diffusivity of s = |K u|^2, for sampling; M None if Phi' is unbounded
    steep    sup|Phi'| |K|^2 + sup|r'| where that is more than 2/limit of the energy: Phi' falls below -M
    """

    name: str
    rhs: sp.Expr
    limits: Mapping[str, sp.Expr]
    false: tuple[str, ...] = ()
    loose: tuple[str, ...] = ()
    inexact: tuple[str, ...] = ()
    factors: Mapping[str, sp.Expr] = field(default_factory=dict)
    given: tuple[sp.Symbol, ...] = ()
    boundary: Any = "reflecting"
    spacing: tuple[sp.Expr, ...] = (h,)
    gradient: str = "forward"
    order: int = 2
    linear: bool = False
    profile: tuple[Callable[[sp.Expr], sp.Expr], sp.Expr, sp.Expr | None] | None = None
    steep: sp.Expr | None = None

    @property
    def dim(self) -> int:
        return len(self.spacing)

    @cached_property
    def symbols(self) -> frozenset[sp.Symbol]:
        """The symbols that VALUES turns into numbers."""
        return frozenset(VALUES) & (self.rhs.free_symbols | {s for w in self.spacing for s in w.free_symbols})

    def problem(self, numeric: bool = False) -> p2n.Problem:
        given = self.rhs.free_symbols & frozenset(VALUES) if numeric else self.given
        parameters = {s: VALUES[s] for s in sorted(given, key=str)}
        return p2n.Problem(equation(self.rhs, self.dim), boundary=self.boundary, parameters=parameters)

    def grid(self, numeric: bool = False) -> p2n.Grid:
        spacing = [w.subs(VALUES) if numeric else w for w in self.spacing]
        return p2n.Grid(
            spacing=dict(zip(AXES, spacing, strict=False)), gradient=self.gradient, order=self.order
        )

    def limit(self, claim: str, numeric: bool = False) -> sp.Expr:
        limit = sp.sympify(self.limits[claim])
        return limit.subs(VALUES) if numeric else limit.subs({s: VALUES[s] for s in self.given})


def per_axis(table: Mapping[tuple[str, int], sp.Expr], options: Mapping[str, Any], spacing: Any) -> sp.Expr:
    """The entry for the gradient and order in use, summed over the axes."""
    entry = table[options.get("gradient", "forward"), options.get("order", 2)]
    return sum(entry / w**2 for w in spacing)


def radial(
    name: str,
    g: Callable[[sp.Expr], sp.Expr],
    sup: Any,
    slope: Any = None,
    *,
    monotone: bool | None = False,
    loose: tuple[str, ...] = (),
    spacing: tuple[sp.Expr, ...] = (h,),
    **options: Any,
) -> Case:
    """u_t = div(g(|grad u|^2) grad u) with L = sup and M = slope (None: Phi' is unbounded).

    A flux that is not monotone is expanding for every step: by backward diffusion on a ramp of a slope
    where Phi' < 0. `monotone=None` says that this depends on parameters.
    """
    u = unknown(len(spacing))
    norm = per_axis(SQUARED_NORM, options, spacing)
    sup, slope = sp.sympify(sup), None if slope is None else sp.sympify(slope)
    limits = {"l2_stability": 2 / (sup * norm), "frozen_stability": 2 / (sup * norm)}
    two_points = options.get("order", 2) == 2
    if two_points:
        limits["maximum_principle"] = 1 / (sup * per_axis(DIAGONAL, options, spacing))
    if slope is not None and options.get("gradient") != "staggered":
        limits["energy_decay"] = 2 / (slope * norm)
        if monotone:
            limits["nonexpansive"] = 2 / (slope * norm)
    false = [] if two_points else ["maximum_principle"]
    if monotone is False:
        false.append("nonexpansive")
    rhs = div(g(norm2(grad(u))) * grad(u))
    profile = (g, sup, slope)
    return Case(name, rhs, limits, tuple(false), loose=loose, spacing=spacing, profile=profile, **options)


def linear(name: str, rhs: sp.Expr, norm: sp.Expr, diagonal: sp.Expr | None, **options: Any) -> Case:
    """Four claims with 2/norm, and the maximum principle with 1/diagonal (None: false for every step)."""
    names = ("l2_stability", "frozen_stability", "nonexpansive", "energy_decay")
    limits = dict.fromkeys(names, 2 / sp.sympify(norm))
    if diagonal is None:
        return Case(name, rhs, limits, ("maximum_principle",), linear=True, **options)
    limits["maximum_principle"] = 1 / sp.sympify(diagonal)
    return Case(name, rhs, limits, linear=True, **options)


def heat(name: str, spacing: tuple[sp.Expr, ...], **options: Any) -> Case:
    norm = per_axis(SQUARED_NORM, options, spacing)
    diagonal = per_axis(DIAGONAL, options, spacing) if options.get("order", 2) == 2 else None
    return linear(name, laplacian(unknown(len(spacing))), norm, diagonal, spacing=spacing, **options)


def fourth(
    name: str,
    flux: Callable[[sp.Expr], sp.Expr],
    limit: sp.Expr,
    energy: sp.Expr,
    dim: int = 1,
    monotone: bool = False,
    **options: Any,
) -> Case:
    """u_t = -laplacian(Phi(laplacian(u))), |K|^2 = (4 d/h^2)^2 for the second differences of order 2."""
    limits = {"l2_stability": limit, "frozen_stability": limit, "energy_decay": energy}
    false = ["maximum_principle"]
    if monotone:
        limits["nonexpansive"] = energy
    else:
        false.append("nonexpansive")
    rhs = -laplacian(flux(laplacian(unknown(dim))))
    return Case(name, rhs, limits, tuple(false), spacing=(h,) * dim, **options)


def at_zero(value: Any, g: Callable[[sp.Expr], sp.Expr]) -> Callable[[sp.Expr], sp.Expr]:
    """g with its limit at s = 0, where the formula is 0/0."""
    return lambda s: sp.Piecewise((sp.sympify(value), sp.Eq(s, 0)), (g(s), True))


u1, u2, u3 = unknown(1), unknown(2), unknown(3)
f1, f2 = sp.Function("f")(x), sp.Function("f")(x, y)
s1, s2 = norm2(grad(u1)), norm2(grad(u2))
D = sp.Derivative

one, two, three = (h,), (h, h), (h, h, h)

LINEAR = [
    heat("heat 1D", one),  # h^2/2
    heat("heat 1D, periodic", one, boundary="periodic"),
    heat("heat 1D, dirichlet", one, boundary="dirichlet"),
    heat("heat 2D, periodic", two, boundary="periodic"),  # h^2/4
    heat("heat 2D, mixed borders, unequal spacing", (hx, hy), boundary={x: "reflecting", y: "dirichlet"}),
    heat("heat 3D, dirichlet", three, boundary="dirichlet"),  # h^2/6
    heat(
        "heat 3D, three borders, unequal spacing",  # 1/(2 (1 + 4 + 1/4)) = 2/21
        (sp.Integer(1), half, sp.Integer(2)),
        boundary={x: "periodic", y: "reflecting", z: "dirichlet"},
    ),
    heat("heat 1D, central", one, gradient="central"),  # 2 h^2
    heat("heat 2D, central, periodic", two, gradient="central", boundary="periodic"),  # h^2
    heat("heat 2D, staggered", two, gradient="staggered"),
    heat("heat 1D, order 4", one, order=4),  # 18 h^2/49
    heat("heat 2D, order 4, dirichlet", two, order=4, boundary="dirichlet"),
    heat("heat 1D, central of order 4", one, gradient="central", order=4),
    linear(
        "heat 2D, diffusivity kappa", kappa * laplacian(u2), 8 * kappa / h**2, 4 * kappa / h**2, spacing=two
    ),
    # |K|^2 = 4 (3 + 1/2), diagonal 2 (3 + 1/2), for h = 1.
    linear("anisotropic heat", 3 * u2.diff(x, 2) + u2.diff(y, 2) / 2, 14 / h**2, 7 / h**2, spacing=two),
    linear(
        "anisotropic heat, symbolic",
        div(sp.Matrix([kappa * u2.diff(x), c * u2.diff(y)])),
        4 * (kappa / hx**2 + c / hy**2),
        2 * (kappa / hx**2 + c / hy**2),
        spacing=(hx, hy),
    ),
    linear(
        "anisotropic heat, parameters with values",
        kappa * u2.diff(x, 2) + c * u2.diff(y, 2),
        4 * (kappa + c),
        2 * (kappa + c),
        spacing=(sp.Integer(1), sp.Integer(1)),
        given=(kappa, c),
    ),
    linear("heat along one axis of two", u2.diff(y, 2), 4 / h**2, 2 / h**2, spacing=two),
    # Decay adds beta to every eigenvalue and to the diagonal.
    linear("heat with decay", laplacian(u1) - beta * u1, 4 / h**2 + beta, 2 / h**2 + beta),
    linear("heat 3D with decay", laplacian(u3) - u3, 12 / h**2 + 1, 6 / h**2 + 1, spacing=three),
    linear("decay alone", -beta * u1, beta, beta),
    # Biharmonic: |K|^2 = (sum of 4/h_i^2)^2; h^4/8, h^4/32, h^4/72.
    linear("biharmonic 1D", -laplacian(laplacian(u1)), 16 / h**4, None),
    linear(
        "biharmonic 2D, periodic",
        -laplacian(laplacian(u2)),
        64 / h**4,
        None,
        spacing=two,
        boundary="periodic",
    ),
    linear(
        "biharmonic 2D, unequal spacing",
        -laplacian(laplacian(u2)),
        16 * (1 / hx**2 + 1 / hy**2) ** 2,
        None,
        spacing=(hx, hy),
    ),
    linear(
        "biharmonic 3D, dirichlet",
        -laplacian(laplacian(u3)),
        144 / h**4,
        None,
        spacing=three,
        boundary="dirichlet",
    ),
    # The second difference of order 4 has the norm 16/(3 h^2).
    linear(
        "biharmonic 2D, order 4",
        -laplacian(laplacian(u2)),
        (sp.Rational(32, 3) / h**2) ** 2,
        None,
        spacing=two,
        order=4,
    ),
    linear("fourth derivatives", -(u2.diff(x, 4) + u2.diff(y, 4)), 32 / h**4, None, spacing=two),
    # (d_xx - d_yy)^2: symbols in [-4, 0], so |d_xx - d_yy| <= 4.
    linear(
        "squared wave operator",
        -(u2.diff(x, 4) - 2 * u2.diff(x, 2, y, 2) + u2.diff(y, 4)),
        16 / h**4,
        None,
        spacing=two,
    ),
    linear(
        "second and fourth order",
        laplacian(u1) - kappa * laplacian(laplacian(u1)),
        4 / h**2 + 16 * kappa / h**4,
        None,
    ),
]

# -- suprema without an elementary form --------------------------------------------------------

# (s + 3)/(s^2 + 2): Phi' = (6 + 6 s - 9 s^2 - s^3)/(s^2 + 2)^2, largest where
# s^4 + 18 s^3 - 24 s^2 - 60 s + 12 = 0.
_q = sp.Symbol("q")
SUMMIT = sp.CRootOf(_q**4 + 18 * _q**3 - 24 * _q**2 - 60 * _q + 12, 2)  # 0.18789
# 2 s/(1 + s^2): Phi' = (6 s - 2 s^3)/(1 + s^2)^2, largest where s^4 - 12 s^2 + 3 = 0.
HUMP = sp.sqrt(6 - sp.sqrt(33))
# Zeros of transcendental functions, to 20 digits.
SIN_SLOPE = sp.Float("1.5468336419751759475916", 20)  # 1 + exp(-s) (sin s + 2 s (cos s - sin s))
TANH_SLOPE = sp.Float("1.6016389300117479997944", 20)  # tanh s + 2 s/cosh(s)^2
LOG_SLOPE = sp.Float("0.54234381735672849123059", 20)  # log(1 + s)/(1 + s) + 2 s (1 - log(1 + s))/(1 + s)^2
SECH_SUP = sp.Float("0.66274341934918158097474", 20)  # s/cosh(s), where s tanh(s) = 1
SECH_SLOPE = sp.Float("1.2042920670991801001096", 20)  # (3 s - 2 s^2 tanh(s))/cosh(s)

L2 = ("l2_stability", "frozen_stability", "maximum_principle")
STEEP = ("energy_decay",)

RADIAL = [
    # Rational and algebraic. (1 - r)/(1 + r)^2 >= -1/8.
    radial("Perona-Malik 1D", lambda s: 1 / (1 + s / lam**2), 1, 1),
    radial(
        "Perona-Malik 2D, mixed borders, unequal spacing",
        lambda s: 1 / (1 + s / lam**2),
        1,
        1,
        spacing=(hx, hy),
        boundary={x: "periodic", y: "dirichlet"},
    ),
    radial(
        "Perona-Malik 2D, contrast given", lambda s: 1 / (1 + s / lam**2), 1, 1, spacing=two, given=(lam,)
    ),
    radial(
        "Perona-Malik 2D, staggered", lambda s: 1 / (1 + s / lam**2), 1, spacing=two, gradient="staggered"
    ),
    radial("Perona-Malik 1D, order 4", lambda s: 1 / (1 + s / lam**2), 1, 1, order=4),
    radial("Charbonnier 1D", lambda s: diffusivities.charbonnier(s, lam), 1, 1, monotone=True),
    radial(
        "Charbonnier 3D, dirichlet",
        lambda s: diffusivities.charbonnier(s, lam),
        1,
        1,
        monotone=True,
        spacing=three,
        boundary="dirichlet",
    ),
    # Phi' = eps^2/(s + eps^2)^(3/2) <= 1/eps.
    radial(
        "regularised TV 2D",
        lambda s: diffusivities.regularised_tv(s, eps),
        1 / eps,
        1 / eps,
        monotone=True,
        spacing=two,
    ),
    # (1 - 3 r)/(1 + r)^3 >= -1/4.
    radial("Geman-McClure", lambda s: (1 + s / lam**2) ** -2, 1, 1),
    radial("Lorentzian", lambda s: 2 / (2 * lam**2 + s), 1 / lam**2, 1 / lam**2, spacing=two),
    # g rises from 1 to 2; the derivative of Phi' in s has the sign of 3 - s, and Phi'(3) = 7/4 + 6/16.
    radial("rising", lambda s: (1 + 2 * s) / (1 + s), 2, sp.Rational(17, 8), monotone=True),
    # Monotone between a/b and 1. With k = a/b, r = s/b: Phi' = k, 1 at the ends, (9 - k)/8 at r = 3.
    radial(
        "between two levels",
        lambda s: (a + s) / (b + s),
        sp.Max(1, a / b),
        sp.Max(a / b, (9 - a / b) / 8),
        monotone=None,
    ),
    # g' = 0 at s = 1 and g = 1 there.
    radial("hump", lambda s: 2 * s / (1 + s**2), 1, (6 * HUMP - 2 * HUMP**3) / (1 + HUMP**2) ** 2),
    # g' = 0 at s = sqrt(11) - 3, where g = 1/(2 s).
    radial(
        "(s + 3)/(s^2 + 2)",
        lambda s: (s + 3) / (s**2 + 2),
        (sp.sqrt(11) + 3) / 4,
        (6 + 6 * SUMMIT - 9 * SUMMIT**2 - SUMMIT**3) / (SUMMIT**2 + 2) ** 2,
    ),
    # Exponential. (1 - 2 r) exp(-r) >= -2 exp(-3/2).
    radial("exponential Perona-Malik 1D", lambda s: diffusivities.exponential(s, lam), 1, 1),
    radial(
        "exponential Perona-Malik 2D, central",
        lambda s: diffusivities.exponential(s, lam),
        1,
        1,
        spacing=two,
        gradient="central",
    ),
    radial("Welsch", lambda s: sp.exp(-s / lam**2), 1, 1, spacing=two, boundary="periodic"),
    radial("Gaussian mixture", lambda s: sp.exp(-s) + sp.exp(-s / 4), 2, 2),
    # Phi' = (3 s - 2 s^2) exp(-s), Phi'' = 0 at s = 1/2 (and 3).
    radial("s exp(-s)", lambda s: s * sp.exp(-s), sp.exp(-1), sp.exp(-half)),
    # Phi' = (1 + 4 s - 4 s^2) exp(-s), Phi'' = 0 where 4 s^2 - 12 s + 3 = 0.
    radial(
        "(1 + 2 s) exp(-s)",
        lambda s: (1 + 2 * s) * sp.exp(-s),
        2 * sp.exp(-half),
        (4 * sp.sqrt(6) - 8) * sp.exp((sp.sqrt(6) - 3) / 2),
    ),
    # Phi' = 1 - (1 + 2 m v) exp(-v), v = C/r^m, least at v = 1 - 1/(2 m): 1 - 2 m exp(1/(2 m) - 1). Only the
    # upper bound 1 of Phi' is needed for the energy to fall.
    radial("Weickert, m = 1", lambda s: diffusivities.weickert(s, lam, 1), 1, 1),
    radial(
        "Weickert, m = 4",
        lambda s: diffusivities.weickert(s, lam),
        1,
        1,
        steep=(8 * sp.exp(-sp.Rational(7, 8)) - 1) * 8 / h**2,
        spacing=two,
    ),
    # Piecewise, Min and Max.
    radial("Huber 1D", lambda s: sp.Min(1, lam / sp.sqrt(s)), 1, 1, monotone=True),
    radial("Huber 2D", lambda s: sp.Min(1, lam / sp.sqrt(s)), 1, 1, monotone=True, spacing=two),
    # (1 - r)(1 - 5 r) >= -4/5 for r < 1.
    radial(
        "Tukey biweight",
        lambda s: sp.Piecewise(((1 - s / lam**2) ** 2, s < lam**2), (0, True)),
        1,
        1,
        spacing=two,
    ),
    # The flux jumps, so Phi' is unbounded.
    radial("truncated Welsch", lambda s: sp.Piecewise((sp.exp(-s), s <= 4), (0, True)), 1),
    radial("lowered Welsch", lambda s: sp.Max(0, sp.exp(-s) - sp.exp(-4)), 1 - sp.exp(-4), 1 - sp.exp(-4)),
    # Phi' = 1 - 3 r falls to -2; only its upper bound 1 is needed for the energy to fall.
    radial("parabola, cut off", lambda s: sp.Max(0, 1 - s / lam**2), 1, 1, steep=8 / h**2),
    radial("clipped growth", lambda s: sp.Min(2, 1 + s), 2, 4, monotone=True),
    # Logarithms.
    radial("log(1 + s)/s", at_zero(1, lambda s: sp.log(1 + s) / s), 1, 1),
    # Phi' = g^2 (m - 1 + 2 exp(-m)), m = log(1 + s), and m - 1 + 2 exp(-m) >= log(2).
    radial("1/(1 + log(1 + s))", lambda s: 1 / (1 + sp.log(1 + s)), 1, 1, monotone=True, spacing=two),
    radial(
        "log(1 + s)/(1 + s)",
        lambda s: sp.log(1 + s) / (1 + s),
        sp.exp(-1),
        LOG_SLOPE,
        inexact=STEEP,
    ),
    # Hyperbolic functions. Green: Phi = lam tanh(p/lam), Phi' = 1/cosh(p/lam)^2.
    radial(
        "Green, log-cosh",
        at_zero(1, lambda s: sp.tanh(sp.sqrt(s) / lam) / (sp.sqrt(s) / lam)),
        1,
        1,
        monotone=True,
    ),
    radial("1/cosh(s)", lambda s: 1 / sp.cosh(s), 1, 1),
    radial("1/cosh(s/lam^2), 2D", lambda s: 1 / sp.cosh(s / lam**2), 1, 1, spacing=two, boundary="dirichlet"),
    radial("logistic", lambda s: 2 / (1 + sp.exp(s)), 1, 1, spacing=two),
    radial(
        "tanh(s)",
        lambda s: sp.tanh(s),
        1,
        TANH_SLOPE,
        monotone=True,
        inexact=("energy_decay", "nonexpansive"),
    ),
    radial("s/cosh(s)", lambda s: s / sp.cosh(s), SECH_SUP, SECH_SLOPE, inexact=(*L2, *STEEP)),
    # Inverse tangents. Phi'' of atan(s) has the sign of 3 - s^2.
    radial("1 - 2 atan(s)/pi", lambda s: 1 - 2 * sp.atan(s) / sp.pi, 1, 1),
    radial("atan(s)", sp.atan, sp.pi / 2, sp.pi / 3 + sp.sqrt(3) / 2, monotone=True),
    # Phi = atan(p), Phi' = 1/(1 + s).
    radial(
        "atan(sqrt(s))/sqrt(s)", at_zero(1, lambda s: sp.atan(sp.sqrt(s)) / sp.sqrt(s)), 1, 1, monotone=True
    ),
    # Oscillating: Phi' = 2 + sin(s) + 2 s cos(s) is unbounded.
    radial("2 + sin(s)", lambda s: 2 + sp.sin(s), 3),
    # sin(s) exp(-s) is largest at s = pi/4.
    radial(
        "1 + sin(s) exp(-s)",
        lambda s: 1 + sp.sin(s) * sp.exp(-s),
        1 + sp.exp(-sp.pi / 4) / sp.sqrt(2),
        SIN_SLOPE,
        monotone=True,
        inexact=("energy_decay", "nonexpansive"),
    ),
]


def coefficient(
    name: str, rhs: sp.Expr, sup: Any, dim: int = 1, loose: tuple[str, ...] = (), **options: Any
) -> Case:
    """A diffusivity bounded by sup that is no function of grad u alone: 2/(sup 4 d/h^2) for three claims."""
    limits = dict.fromkeys(L2, h**2 / (2 * dim * sp.sympify(sup)))
    return Case(name, rhs, limits, loose=loose, spacing=(h,) * dim, **options)


COEFFICIENTS = [
    # Of position: the supremum need not be met at two neighbouring cells.
    coefficient("2 + sin(x)", div((2 + sp.sin(x)) * grad(u1)), 3, loose=L2),
    coefficient("2 + tanh(x)", div((2 + sp.tanh(x)) * grad(u1)), 3),
    coefficient("1/(1 + x^2)", div(grad(u1) / (1 + x**2)), 1, loose=L2),
    coefficient("exp(-x^2 - y^2)", div(sp.exp(-(x**2) - y**2) * grad(u2)), 1, dim=2, loose=L2),
    # Of u: met at small oscillations about the place of the supremum.
    coefficient("1/(1 + u^2)", div(grad(u1) / (1 + u1**2)), 1),
    coefficient("exp(-u^2), 2D", div(sp.exp(-(u2**2)) * grad(u2)), 1, dim=2, boundary="dirichlet"),
    coefficient("2 + sin(u)", div((2 + sp.sin(u1)) * grad(u1)), 3),
    coefficient("1/(1 + log(1 + u^2))", div(grad(u1) / (1 + sp.log(1 + u1**2))), 1),
    coefficient("Max(0, 1 - u^2)", div(sp.Max(0, 1 - u1**2) * grad(u1)), 1),
    coefficient("of u and of the slope", div(grad(u1) / (1 + u1**2) / sp.sqrt(1 + s1)), 1),
    coefficient("guided by a field", div(grad(u2) / (1 + norm2(grad(f2)))), 1, dim=2),
    # Unequal weights: 4 (3 + 1) and 2 (3 + 1) for h = 1.
    coefficient(
        "Perona-Malik, unequal weights", div(sp.Matrix([3 * u2.diff(x), u2.diff(y)]) / (1 + s2)), 2, dim=2
    ),
]


def several(
    norm: sp.Expr, slope: sp.Expr | None, diagonal: sp.Expr | None, monotone: bool = False
) -> dict[str, sp.Expr]:
    """2/norm in l2, 2/slope for the gradient step, 1/diagonal for the maximum principle; None leaves out."""
    limits = {"l2_stability": 2 / norm, "frozen_stability": 2 / norm}
    if slope is not None:
        limits["energy_decay"] = 2 / slope
        if monotone:
            limits["nonexpansive"] = 2 / slope
    if diagonal is not None:
        limits["maximum_principle"] = 1 / diagonal
    return limits


def without(limits: dict[str, sp.Expr], *names: str) -> dict[str, sp.Expr]:
    return {k: v for k, v in limits.items() if k not in names}


NONEXPANSIVE = ("nonexpansive",)

SUMS = [
    # 1 + (1 - r)/(1 + r)^2 lies in [7/8, 2].
    Case(
        "heat and Perona-Malik",
        laplacian(u1) + div(grad(u1) / (1 + s1)),
        several(8 / h**2, 8 / h**2, 4 / h**2, True),
    ),
    Case(
        "logarithmic and hyperbolic",
        div(grad(u2) / (1 + sp.log(1 + s2))) + kappa * div(grad(u2) / sp.cosh(s2)),
        several(8 * (1 + kappa) / h**2, 8 * (1 + kappa) / h**2, 4 * (1 + kappa) / h**2),
        inexact=STEEP,
        given=(kappa,),
        spacing=two,
    ),
    Case(
        "axis by axis",
        D(D(u2, x) / (1 + D(u2, x) ** 2), x) + D(D(u2, y) / sp.sqrt(1 + D(u2, y) ** 2), y),
        several(8 / h**2, 8 / h**2, 4 / h**2),
        NONEXPANSIVE,
        spacing=two,
    ),
    Case(
        "several parameters with values",
        div(kappa * grad(u2) / (1 + s2 / lam**2) + c * grad(u2)) - beta * u2,
        several(
            8 * (kappa + c) / h**2 + beta, 8 * (kappa + c) / h**2 + beta, 4 * (kappa + c) / h**2 + beta, True
        ),
        spacing=two,
        given=(kappa, lam, c, beta),
    ),
]

# b(u) = -r/u and b' = -r' are what counts in l2 and for the gradient step.
REACTIONS = [
    Case(
        "Perona-Malik with decay",
        div(grad(u2) / (1 + s2 / lam**2)) - beta * u2,
        several(8 / h**2 + beta, 8 / h**2 + beta, 4 / h**2 + beta),
        spacing=two,
        boundary="periodic",
    ),
    # b = v/(1 + v) < 1 with v = u^2; -r' = (v^2 + 3 v)/(1 + v)^2 is largest at v = 3: 9/8. Where it is, the
    # solution itself moves, so the energy need not grow beyond the limit.
    Case(
        "saturating decay",
        laplacian(u1) - u1**3 / (1 + u1**2),
        several(4 / h**2 + 1, 4 / h**2 + sp.Rational(9, 8), None, True)
        | {"frozen_stability": 2 / (4 / h**2 + sp.Rational(9, 8))},
        loose=STEEP,
    ),
    # -r' = (1 - 2 u^2) exp(-u^2) in [-2 exp(-3/2), 1].
    Case(
        "decay of small values",
        laplacian(u1) - u1 * sp.exp(-(u1**2)),
        without(several(4 / h**2 + 1, 4 / h**2 + 1, None), "frozen_stability"),
        NONEXPANSIVE,
    ),
    Case("tanh decay", laplacian(u1) - sp.tanh(u1), several(4 / h**2 + 1, 4 / h**2 + 1, None, True)),
    Case(
        "atan decay",
        laplacian(u2) - sp.atan(u2),
        several(8 / h**2 + 1, 8 / h**2 + 1, None, True),
        spacing=two,
    ),
    Case(
        "fidelity",
        laplacian(u1) + beta * (f1 - u1),
        without(several(4 / h**2 + beta, 4 / h**2 + beta, 2 / h**2 + beta, True), "l2_stability"),
    ),
    Case(
        "Perona-Malik with fidelity",
        div(grad(u2) / (1 + s2 / lam**2)) + beta * (f2 - u2),
        without(several(8 / h**2 + beta, 8 / h**2 + beta, 4 / h**2 + beta), "l2_stability"),
        spacing=two,
    ),
    Case(
        "Huber with fidelity",
        div(sp.Min(1, lam / sp.sqrt(s2)) * grad(u2)) + beta * (f2 - u2),
        without(several(8 / h**2 + beta, 8 / h**2 + beta, 4 / h**2 + beta, True), "l2_stability"),
        spacing=two,
    ),
    # Modes may grow by 1 + tau kappa per step. The energy needs an upper bound of its second derivative only.
    Case(
        "growth",
        laplacian(u1) + kappa * u1,
        {"frozen_stability": h**2 / 2, "energy_decay": h**2 / 2},
        NONEXPANSIVE,
        factors={"frozen_stability": 1 + kappa * tau},
        steep=4 / h**2 + kappa,
    ),
]

FOURTH = [
    fourth("You-Kaveh 1D", lambda q: q / (1 + q**2 / lam**2), h**4 / 8, h**4 / 8),
    fourth("You-Kaveh 2D", lambda q: q / (1 + q**2 / lam**2), h**4 / 32, h**4 / 32, 2, boundary="dirichlet"),
    fourth(
        "Charbonnier, fourth order", lambda q: q / sp.sqrt(1 + q**2 / lam**2), h**4 / 32, h**4 / 32, 2, True
    ),
    fourth("logistic, fourth order", lambda q: 2 * q / (1 + sp.exp(q**2)), h**4 / 8, h**4 / 8),
    fourth("rising, fourth order", lambda q: q * (1 + 2 * q**2) / (1 + q**2), h**4 / 16, h**4 / 17, 1, True),
    fourth("logarithmic, fourth order", lambda q: q / (1 + sp.log(1 + q**2)), h**4 / 8, h**4 / 8, 1, True),
    # sup g = 1/e, sup|Phi'| = exp(-1/2).
    fourth("q^3 exp(-q^2)", lambda q: q**3 * sp.exp(-(q**2)), sp.E * h**4 / 32, sp.exp(half) * h**4 / 32, 2),
]

# Where derivatives and limits mislead: they do not see a jump, nor what a formula is at a single point.
TRAPS = [
    # b = 0 or 1; r jumps at |u| = 1.
    Case(
        "decay outside a dead zone",
        laplacian(u1) - sp.Piecewise((u1, sp.Abs(u1) > 1), (0, True)),
        {"l2_stability": 2 / (4 / h**2 + 1)},
        ("nonexpansive", "well_posed"),
    ),
    Case("growth by sign", laplacian(u1) + sp.sign(u1), {}, ("nonexpansive", "well_posed")),
    Case("decay and a switch", laplacian(u1) - u1 + sp.sign(u1) / 2, {}, ("nonexpansive", "well_posed")),
    Case("atan(1/u)", laplacian(u1) + sp.atan(1 / u1), {}, ("nonexpansive", "well_posed")),
    Case(
        "a value of its own at 0",
        laplacian(u1) + sp.Piecewise((0, sp.Eq(u1, 0)), (-u1 - 1, True)),
        {},
        ("nonexpansive", "well_posed"),
    ),
    # The flux jumps at one slope only.
    Case(
        "a value of its own at 1",
        div(sp.Piecewise((50, sp.Eq(s1, 1)), (1, True)) * grad(u1)),
        {},
        ("nonexpansive", "well_posed"),
    ),
    # 0/0 wherever u is flat, and for u = 0.
    Case("undefined at slope 0", div(s1 / (s1 + s1**2) * grad(u1)), {}, (*L2, "energy_decay", "well_posed")),
    Case("undefined at u = 0", div(u1**2 / (u1**2 + u1**4) * grad(u1)), {}, L2),
]

CASES = [*LINEAR, *RADIAL, *COEFFICIENTS, *SUMS, *REACTIONS, *FOURTH, *TRAPS]
