"""The diffusivities of the imaging literature as functions of s2 = |grad u|^2 and a contrast parameter.

Each is a diffusivity g(s2) of div(g(|grad u|^2) grad u); the flux is Phi(s) = g(s^2) s.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import sympy as sp

from pde2net.errors import DeclarationError
from pde2net.language.exact import exact, word


def linear(s2: sp.Expr) -> sp.Expr:
    """g = 1: homogeneous linear diffusion."""
    return sp.Integer(1)


def charbonnier(s2: sp.Expr, lam: sp.Expr) -> sp.Expr:
    """g = 1/sqrt(1 + s2/lam^2); monotone flux (Charbonnier et al., IEEE TIP 6(2), 1997)."""
    return 1 / sp.sqrt(1 + s2 / lam**2)


def regularised_tv(s2: sp.Expr, eps: sp.Expr) -> sp.Expr:
    """g = 1/sqrt(s2 + eps^2); monotone flux, sup g = 1/eps (Acar, Vogel, Inverse Problems 10, 1994)."""
    return 1 / sp.sqrt(s2 + eps**2)


def perona_malik(s2: sp.Expr, lam: sp.Expr) -> sp.Expr:
    """g = 1/(1 + s2/lam^2); the flux decreases beyond s = lam (Perona, Malik, IEEE PAMI 12(7), 1990)."""
    return 1 / (1 + s2 / lam**2)


def exponential(s2: sp.Expr, lam: sp.Expr) -> sp.Expr:
    """g = exp(-s2/(2 lam^2)), the second one of Perona and Malik (IEEE PAMI 12(7), 1990)."""
    return sp.exp(-s2 / (2 * lam**2))


def weickert(s2: sp.Expr, lam: sp.Expr, m: int = 4) -> sp.Expr:
    """g = 1 - exp(-C_m/(s/lam)^(2m)), 1 at s = 0 (Weickert, Anisotropic Diffusion, 1998, eq. 1.46).

    C_m makes the flux grow for s < lam and fall beyond: exp(C) = 1 + 2 m C. It is rendered as the
    rational nearest to 20 digits, so that the expression stays exact. Raises DeclarationError for
    m < 1 or not a whole number.
    """
    if not isinstance(m, int) or m < 1:
        raise DeclarationError(f"The exponent m of Weickert's diffusivity must be 1, 2, ..., not {m}.")
    c = sp.Symbol("c")
    root = sp.Rational(str(sp.nsolve(sp.exp(c) - 1 - 2 * m * c, c, math.log(4 * m) + 1, prec=20)))
    value = 1 - sp.exp(-root * (lam**2 / s2) ** m) if s2 != 0 else sp.Integer(1)
    return sp.Piecewise((sp.Integer(1), sp.Eq(s2, 0)), (value, True))


def mixture(
    s2: sp.Expr, weights: Sequence[Any], scales: Sequence[Any], kernel: str = "exponential"
) -> sp.Expr:
    """g = sum_j w_j e(s2/scale_j^2), e one of the kernels "exponential", "perona_malik", "charbonnier".

    e falls from 1 to 0, so sup g = sup Phi' = sum_j w_j for weights w_j >= 0 (docs/theory.md, 8.2). Weights
    and scales may be numbers, symbols, or parameters of an operator, K.parameter("w0", nonnegative=True).

    Raises DeclarationError for an unknown kernel, what is no list, lists of different lengths, weights that
    are not known to be nonnegative, and scales that are not known to be positive.
    """
    kernels = {"exponential": exponential, "perona_malik": perona_malik, "charbonnier": charbonnier}
    e = kernels[word(kernel, tuple(kernels), "kernel")]
    if not all(isinstance(given, list | tuple) for given in (weights, scales)):
        raise DeclarationError(f"Weights and scales of a mixture are lists, not {weights!r} and {scales!r}.")
    if not 0 < len(weights) == len(scales):
        raise DeclarationError(
            f"A mixture has a scale for each weight, not {len(weights)} weights and {len(scales)} scales."
        )
    for given, sign, kind in ((weights, "nonnegative", "weight"), (scales, "positive", "scale")):
        for value in given:
            if not getattr(exact(value, f"A {kind} of a mixture"), f"is_{sign}"):
                raise DeclarationError(
                    f"The {kind} {value} of a mixture is not known to be {sign}; give a number that is, or "
                    f"declare the symbol so: {sign}=True."
                )
    pairs = zip(weights, scales, strict=True)
    return sp.Add(*(exact(w, "A weight") * e(s2, exact(scale, "A scale")) for w, scale in pairs))


def table() -> dict[str, Callable[..., sp.Expr]]:
    """All diffusivities by name, those of your own too."""
    own = ("exact", "mixture", "register", "table", "word")
    return {n: f for n, f in globals().items() if inspect.isfunction(f) and n not in own}


def register(diffusivity: Callable[..., sp.Expr]) -> Callable[..., sp.Expr]:
    """Add a diffusivity g(s2, ...) of your own to this table, under its name; returns it, to decorate with.

    Nothing else is needed: recognition, bounds and proofs work on the expression that it returns. Raises
    DeclarationError for a name that is taken, and for what gives no SymPy expression of s2 and parameters.
    """
    name = getattr(diffusivity, "__name__", "")
    if not name.isidentifier() or name in globals():
        raise DeclarationError(f'There is something called "{name}" in the table of diffusivities already.')
    symbols = [sp.Symbol(n, positive=True) for n in inspect.signature(diffusivity).parameters]
    found = sp.sympify(diffusivity(*symbols)) if symbols else None
    if not isinstance(found, sp.Expr) or not found.free_symbols <= set(symbols):
        raise DeclarationError(f"{name} must return a SymPy expression of s2 and its parameters.")
    globals()[name] = diffusivity
    return diffusivity
