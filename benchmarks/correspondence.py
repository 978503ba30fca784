"""Draws a network of each scheme and lists what is proved about it, for docs/correspondence.md.

Run it by `make drawings`; it takes some minutes, most of them for the search for counterexamples.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import sympy as sp
from between import rewrite

import pde2net as p2n
from pde2net import diffusivities, div, grad, norm2
from pde2net.files import write_text
from pde2net.graph.draw import to_svg
from pde2net.guidance.notation import notation

DOCS = Path(__file__).parent.parent / "docs"
COLUMNS = {
    "l2_stability": "l2 stability",
    "nonexpansive": "nonexpansive",
    "maximum_principle": "maximum principle",
    "energy_decay": "energy decay",
    "mean_preservation": "mean",
    "well_posed": "well posed",
    "frozen_stability": "frozen stability",
    "solver_convergence": "solver",
}

x, y, t = sp.symbols("x y t", real=True)
lam = sp.Symbol("lambda", positive=True)
u = sp.Function("u")(x, y, t)


def problem(g: sp.Expr) -> p2n.Problem:
    return p2n.Problem(sp.Eq(u.diff(t), div(g * grad(u))), parameters={lam: 0.1})


PERONA_MALIK = problem(diffusivities.perona_malik(norm2(grad(u)), lam))
CHARBONNIER = problem(diffusivities.charbonnier(norm2(grad(u)), lam))
DRAWN = {
    "explicit": p2n.Explicit(tau=0.2, steps=4),
    "du_fort_frankel": p2n.DuFortFrankel(tau=0.2, alpha=2, steps=4),
    "fsi": p2n.FSI(tau=0.25, cycle_length=4),
    "fed": p2n.FED(tau=0.25, cycle_length=4),
    "rkl": p2n.RKL(order=2, tau=1, stages=4),
    "rkc": p2n.RKC(order=1, tau=2, stages=4),
    "fixed_point": p2n.Implicit(tau=0.1, solver=p2n.FixedPoint(iterations=5)),
    "kacanov": p2n.Implicit(tau=5, solver=p2n.Kacanov(iterations=3)),
    "newton": p2n.Implicit(tau=5, solver=p2n.Newton(iterations=3)),
    "crank_nicolson": p2n.Theta(tau=5, solver=p2n.Kacanov(iterations=3)),
    "aos": p2n.AOS(tau=5),
    "multigrid_v": p2n.Multigrid(tau=5, levels=3),
    "multigrid_w": p2n.Multigrid(tau=5, levels=3, cycle="W"),
}
CERTIFIED = (
    p2n.Explicit(tau=None, steps=4),
    p2n.Explicit(tau=0.3, steps=4),
    p2n.DuFortFrankel(tau=0.25, steps=4),
    p2n.DuFortFrankel(tau=2, steps=4),
    p2n.DuFortFrankel(tau=2, alpha=1.8, steps=4),
    p2n.FSI(tau=None, cycle_length=10),
    p2n.FSI(tau=None, cycle_length=10, freeze="step"),
    p2n.FSI(tau=0.27, cycle_length=10),
    p2n.FED(tau=None, cycle_length=10),
    p2n.RKL(order=1, tau=None, stages=5),
    p2n.RKL(order=2, tau=None, stages=5),
    p2n.RKC(order=1, tau=None, stages=5),
    p2n.RKC(order=2, tau=None, stages=5),
    p2n.Implicit(tau=0.1, solver=p2n.FixedPoint(iterations=4)),
    p2n.Implicit(tau=5, solver=p2n.FixedPoint(iterations=4)),
    p2n.Implicit(tau=5, solver=p2n.Kacanov(iterations=1)),
    p2n.Implicit(tau=5, solver=p2n.Kacanov(tol=1e-6)),
    p2n.Implicit(tau=5, solver=p2n.Newton(tol=1e-6)),
    p2n.Theta(tau=5),
    p2n.AOS(tau=5),
    p2n.Multigrid(tau=5, pre=2, post=2, cycles=3),
)


def draw() -> None:
    folder = DOCS / "correspondence"
    folder.mkdir(exist_ok=True)
    for name, scheme in DRAWN.items():
        network = p2n.compile(PERONA_MALIK, scheme, on_unstable="ignore")
        write_text(folder / f"{name}.svg", to_svg(network.looped, title=notation(scheme)))
        print(f"{name}.svg  {network.architecture}")


def certified(equation: p2n.Problem) -> Iterator[str]:
    """A table of statuses, a row per scheme."""
    yield f"| scheme | {' | '.join(COLUMNS.values())} | order |"
    yield "| --- " * (len(COLUMNS) + 2) + "|"
    for scheme in CERTIFIED:
        certificate = p2n.verify(equation, scheme)
        claims = certificate.claims
        cells = [cell(claims[name]) for name in COLUMNS]
        yield f"| {named(scheme)} | {' | '.join(cells)} | {order(claims['consistency'])} |"
        print(named(scheme), *cells)


def refuted(equation: p2n.Problem) -> Iterator[str]:
    """What refuted stability, or the convergence of the solver."""
    for scheme in CERTIFIED:
        claims, found = p2n.verify(equation, scheme).claims, {}
        for name in ("l2_stability", "frozen_stability", "solver_convergence"):
            if claims[name].status == p2n.Status.REFUTED:
                found.setdefault(said(claims[name]), []).append(COLUMNS[name])
        for words, names in found.items():
            yield f"- {named(scheme)}, {' and '.join(names)}: {words}"


def cell(claim: p2n.Claim) -> str:
    """The status, with the limit of the step where there is one, or the factor of a solver."""
    if claim.status == p2n.Status.NOT_APPLICABLE:
        return "–"  # noqa: RUF001  a dash is meant
    text = str(claim.status)
    if claim.name == "solver_convergence" and claim.factor is not None:
        return f"{text}, factor {float(claim.factor):.3g}"
    if claim.limit is not None and claim.limit.is_finite and claim.limit.is_number:
        return f"{text}, `tau <= {short(claim.limit)}`"
    return text


def short(number: sp.Expr) -> str:
    text = str(number)
    return text if len(text) < 10 else f"{float(number):.4g}"


def order(claim: p2n.Claim) -> str:
    """What stands in the O() of a consistency claim."""
    found = re.search(r"O\((.+?)\) away", claim.reason)
    return f"`{found[1].replace('**', '^')}`" if found else str(claim.status)


def named(scheme: p2n.Explicit) -> str:
    text = notation(scheme).replace("linear_tol=1/100000000, ", "").replace("1/1000000", "1e-6")
    return f"`{text}`"


def said(claim: p2n.Claim) -> str:
    found = f"{claim.witness['description']}" if claim.witness else claim.reason
    return textwrap.shorten(found, 160, placeholder=" …") + "."


def main() -> None:
    draw()
    parts = []
    for name, equation in (("Charbonnier, 2D", CHARBONNIER), ("Perona-Malik, 2D", PERONA_MALIK)):
        parts += [f"**{name}**, `h = 1`, reflecting.", "", *certified(equation), ""]
    parts += ["Inputs that refuted stability, or the convergence of the solver, for Charbonnier:", ""]
    parts += refuted(CHARBONNIER)
    rewrite(DOCS / "correspondence.md", "certificates", "\n".join(parts).rstrip())


if __name__ == "__main__":
    main()
