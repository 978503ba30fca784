"""Problems that FiPy and this package solve; benchmarks/finite_volumes.py writes the results of FiPy.

A side has `value(c)`, `flux(q)` or `robin(a, b, c)` of positions; those without an entry are closed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import sympy as sp

RESULTS = Path(__file__).with_name("fipy_results.json")
CELLS = 5, 4
SPACING = sp.Rational(1, 5), sp.Rational(1, 4)
x, y = sp.symbols("x y", real=True)


@dataclass(frozen=True)
class Case:
    """0 = div(D grad u) + source - decay u in the unit square.

    sides     {"left": ("value", 0), ...}: left is x = 0, right x = 1, bottom y = 0, top y = 1
    periodic  whether the axis y is
    steps     of u_t = ..., implicit ones of the size dt from u = x y; 0 for the steady state
    """

    sides: dict[str, tuple[object, ...]]
    diffusivity: sp.Expr = sp.S.One
    source: sp.Expr = sp.S.Zero
    decay: sp.Expr = sp.S.Zero
    periodic: bool = False
    steps: int = 0
    dt: sp.Rational = field(default=sp.Rational(1, 20))


ROBIN = {"left": ("robin", 3, 1, 2), "right": ("value", 1)}
CASES = {
    "values": Case({"left": ("value", 0), "right": ("value", 1)}),
    "a value that varies": Case(
        {"left": ("value", sp.sin(3 * y)), **dict.fromkeys(("right", "bottom", "top"), ("value", 0))}
    ),
    "a flux": Case({"left": ("flux", 2), "right": ("value", 1)}),
    "fluxes that vary": Case(
        {"left": ("flux", sp.exp(-(y**2))), "top": ("flux", x - 1), "right": ("value", y)}
    ),
    "Robin": Case(ROBIN),
    "Robin all around": Case(
        {
            "left": ("robin", 1, 2, y),
            "right": ("robin", 2, 1, 1),
            "bottom": ("robin", 5, 1, -x),
            "top": ("robin", 1, 1, 0),
        }
    ),
    "a periodic axis": Case({"left": ("value", 1), "right": ("robin", 2, 1, 3)}, source=y, periodic=True),
    "a coefficient": Case({"left": ("flux", 1), "right": ("robin", 1, 1, 0)}, diffusivity=1 + x + y**2),
    "a reaction": Case({"left": ("flux", 1), "top": ("value", x)}, source=x * y, decay=1 + x),
    "in time": Case(ROBIN, steps=4),
    "a coefficient in time": Case(
        {"left": ("flux", -1), "top": ("value", 2)}, diffusivity=1 + x * y, source=y, steps=3
    ),
}
