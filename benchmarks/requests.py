"""What users of neighbouring tools ask for, tried as they would: writes docs/requests.md.

Each request is a problem, a scheme and a grid, and what has to come out: claims that are proved, or one
sentence that says why not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sympy as sp

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2

ROOT = Path(__file__).parent.parent
R = sp.Rational
x, y, z, t = sp.symbols("x y z t", real=True)
u, v = (sp.Function(n)(x, y, t) for n in "uv")
w = sp.Function("w")(x, y, z, t)
f, c, D, rho = (sp.Function(n)(x, y) for n in ("f", "c", "D", "rho"))
contrast, density = sp.Function("L", positive=True)(x, y), sp.Function("rho", positive=True)(x, y)
lam, beta, h, k = sp.symbols("lambda beta h k", positive=True)
SMALL, STEADY = p2n.Explicit(tau=None, steps=10), p2n.Multigrid(tau=sp.oo, cycles=8)


@dataclass(frozen=True)
class Request:
    """A request in own words, the tool whose users have it, what is declared, and what comes out.

    proved   claims that are proved (or, for growth, linearised), with their limits as text, "" for any
    refused  a part of the sentence that refuses it
    """

    wish: str
    tool: str
    build: Callable[[], tuple[p2n.Problem, Any, p2n.Grid | None]]
    proved: Mapping[str, str] = field(default_factory=dict)
    refused: str = ""


def one(rhs: Any, scheme: Any = SMALL, grid: Any = None, unknown: Any = u, **options: Any) -> Any:
    """A problem of one equation, when it is asked for."""
    return lambda: (p2n.Problem(sp.Eq(unknown.diff(t), rhs), **options), scheme, grid)


def two(first: Any, second: Any, scheme: Any = SMALL, **options: Any) -> Any:
    equations = [sp.Eq(u.diff(t), first), sp.Eq(v.diff(t), second)]
    return lambda: (p2n.Problem(equations, **options), scheme, None)


L2, RANGE, MEAN, ENERGY, UNIQUE = (
    "l2_stability",
    "maximum_principle",
    "mean_preservation",
    "energy_decay",
    "well_posed",
)
SIDES = {x: (p2n.value(1), p2n.flux(0)), y: "reflecting"}
PM = 1 / (1 + norm2(grad(u)) / lam**2)

REQUESTS = (
    Request(
        "A value on one side, no flux on the others",
        "py-pde",
        one(laplacian(u), p2n.Explicit(tau=R(1, 8), steps=10), boundary=SIDES),
        {RANGE: "", "frozen_stability": ""},
    ),
    Request(
        "A value at a side that changes in time",
        "py-pde",
        one(
            laplacian(u),
            p2n.Explicit(tau=R(1, 8), steps=10),
            boundary={x: (p2n.value(sp.sin(t)), p2n.flux(0)), y: "periodic"},
        ),
        {"frozen_stability": ""},
    ),
    Request(
        "Cooling at a wall: a u + b du/dn = c",
        "FiPy",
        one(
            laplacian(u),
            p2n.Explicit(tau=R(1, 8), steps=10),
            boundary={x: (p2n.robin(h, 1, h * 20), p2n.flux(0)), y: "reflecting"},
            parameters={h: R(1, 2)},
        ),
        {RANGE: "", "frozen_stability": ""},
    ),
    Request(
        "Heat that comes in through a side, more in its middle",
        "FiPy",
        one(laplacian(u), boundary={x: (p2n.flux(sp.exp(-(y**2))), p2n.flux(0)), y: "reflecting"}),
        {"frozen_stability": "1/4"},
    ),
    Request(
        "A steady temperature between two values",
        "FiPy, MOOSE",
        one(laplacian(u), STEADY, boundary={x: (p2n.value(0), p2n.value(1)), y: "reflecting"}),
        {UNIQUE: "", RANGE: ""},
    ),
    Request(
        "Two conditions at each border for the biharmonic equation",
        "py-pde",
        one(-laplacian(laplacian(u)), boundary={x: p2n.value(0), y: "periodic"}),
        refused="second one is missing",
    ),
    Request(
        "Periodic along one axis, mirrored along the other",
        "py-pde",
        one(laplacian(u), boundary={x: "periodic", y: "reflecting"}),
        {L2: "1/4", RANGE: "1/4", MEAN: "", ENERGY: "1/4"},
    ),
    Request(
        "Why is my step unstable, and which one may I take?",
        "xarray-spatial, Devito",
        one(laplacian(u), p2n.Explicit(tau=R(1, 2), steps=10)),
        refused="exceeds the limit 1/4",
    ),
    Request(
        "Perona and Malik's filter with limits, on voxels that are no cubes",
        "ITK",
        one(
            div(grad(w) / (1 + norm2(grad(w)) / lam**2)),
            grid=p2n.Grid(spacing={x: 1, y: 1, z: R(5, 2)}),
            unknown=w,
        ),
        {L2: "25/108", RANGE: "25/108", MEAN: ""},
    ),
    Request(
        "Colour images, with one diffusivity for all channels",
        "OpenCV, scikit-image",
        one(div(PM * grad(u)), channels=3),
        {L2: "1/4", RANGE: "1/4", MEAN: ""},
    ),
    Request(
        "A contrast that differs from place to place",
        "scikit-image",
        one(div(grad(u) / (1 + norm2(grad(u)) / contrast**2))),
        {L2: "1/4", RANGE: "1/4", MEAN: ""},
    ),
    Request(
        "Total variation denoising, with what the result may be",
        "deepinv, scikit-image",
        one(
            div(grad(u) / sp.sqrt(norm2(grad(u)) + R(1, 10**4))) + beta * (f - u),
            p2n.Implicit(tau=sp.oo, solver=p2n.Kacanov(tol=1e-4)),
            parameters={beta: 6},
        ),
        {UNIQUE: "", RANGE: "", "bounded_by_data": ""},
    ),
    Request(
        "Inpainting, with a mask between 0 and 1",
        "scikit-image, deepinv",
        one((1 - c) * laplacian(u) + c * (f - u), STEADY, bounds={c: (0, 1)}),
        {UNIQUE: "", RANGE: ""},
    ),
    Request(
        "Inpainting in time: how long may a step be?",
        "scikit-image",
        one((1 - c) * laplacian(u) + c * (f - u), p2n.Explicit(tau=R(1, 4), steps=100), bounds={c: (0, 1)}),
        {RANGE: "1/4"},
    ),
    Request(
        "Inpainting by a thin plate",
        "OpenCV",
        one(
            -(1 - c) * laplacian(laplacian(u)) + c * (f - u),
            p2n.Implicit(tau=sp.oo, solver=p2n.Newton(tol=1e-6)),
            bounds={c: (0, 1)},
        ),
        {UNIQUE: ""},
    ),
    Request(
        "Diffusion in a lake, whose shore is no rectangle",
        "landlab, FiPy",
        one(div(PM * grad(u)), domain=sp.Function("m")(x, y)),
        {L2: "1/4", RANGE: "1/4", MEAN: "", ENERGY: "1/4"},
    ),
    Request(
        "Soil creep with a diffusivity that is measured",
        "landlab",
        one(div(D * grad(u)), bounds={D: (0, 3)}),
        {L2: "1/12", RANGE: "1/12", "nonexpansive": "1/12", ENERGY: "1/12", MEAN: ""},
    ),
    Request(
        "Soil creep that grows without bound near a slope",
        "landlab",
        one(
            div(grad(u) / (1 - norm2(grad(u)))),
            p2n.Explicit(tau=R(1, 20), steps=10),
            bounds={u: (0, R(1, 2))},
        ),
        refused="may have no value",
    ),
    Request(
        "Ice that flows over flat ground, thickness up to 1",
        "ODINN",
        one(div(u**5 * norm2(grad(u)) * grad(u)), bounds={u: (0, 1)}),
        {L2: "1/8", RANGE: "1/8", MEAN: ""},
    ),
    Request(
        "Gas in a porous medium: densities from 0 to 1",
        "FiPy",
        one(div(2 * u * grad(u)), bounds={u: (0, 1)}),
        {L2: "1/8", RANGE: "1/8", MEAN: ""},
    ),
    Request(
        "Phase fields that stay between -1 and 1",
        "MOOSE",
        one(laplacian(u) + u - u**3, bounds={u: (-1, 1)}),
        {RANGE: "1/6", ENERGY: "1/6", UNIQUE: "1/6"},
    ),
    Request(
        "A population that spreads, from 0 to 1",
        "py-pde",
        one(laplacian(u) + u * (1 - u) / 10, bounds={u: (0, 1)}),
        {RANGE: "10/41", ENERGY: "10/41", UNIQUE: "10/41"},
    ),
    Request(
        "Nerve pulses: do both variables stay where they are?",
        "py-pde, PyBaMM",
        two(
            laplacian(u) + u - u**3 - v / 10,
            laplacian(v) / 2 + (u - v) / 10,
            p2n.Explicit(tau=R(1, 8), steps=10),
            bounds={u: (-R(11, 10), R(11, 10)), v: (-2, 2)},
        ),
        {RANGE: "100/663"},
    ),
    Request(
        "Spots of Gray and Scott: do concentrations stay in [0, 1]?",
        "py-pde",
        two(
            laplacian(u) * R(4, 25) - u * v**2 + (1 - u) * R(7, 200),
            laplacian(v) * R(2, 25) + u * v**2 - v / 10,
            p2n.Explicit(tau=1, steps=10),
            bounds={u: (0, 1), v: (0, 1)},
        ),
        refused="may lead out of [0, 1]",
    ),
    Request(
        "Heat capacity and conductivity that vary: rho u_t = div(k grad u)",
        "FiPy",
        lambda: (
            p2n.Problem(sp.Eq(density * u.diff(t), laplacian(u)), bounds={"rho": (1, 4)}),
            p2n.Explicit(tau=R(1, 4), steps=10),
            None,
        ),
        {RANGE: "1/4"},
    ),
    Request(
        "A diffusivity that decays in time",
        "diffrax",
        one(sp.exp(-t) * laplacian(u), p2n.Explicit(tau=R(1, 4), steps=10)),
        {L2: "1/4", RANGE: "1/4", MEAN: ""},
    ),
    Request(
        "A constant diffusion tensor",
        "CCPi, gcm-filters",
        one(div(sp.ImmutableMatrix([[2, R(1, 2)], [R(1, 2), 1]]) * grad(u))),
        {L2: "", MEAN: "", ENERGY: ""},
    ),
    Request(
        "Phase separation after Cahn and Hilliard",
        "py-pde",
        one(
            -laplacian(laplacian(u)) + laplacian(u**3 - u),
            p2n.Explicit(tau=R(1, 40), steps=10),
            boundary="periodic",
        ),
        {MEAN: ""},
    ),
    Request(
        "A wind that carries what diffuses",
        "FiPy, findiff",
        one(laplacian(u) - u.diff(x)),
        refused="advection",
    ),
    Request(
        "Waves that are damped",
        "Devito",
        lambda: (p2n.Problem(sp.Eq(u.diff(t, 2), laplacian(u))), SMALL, None),
        refused="first",
    ),
    Request(
        "Speckle-reducing diffusion with a coefficient of second derivatives",
        "MedPy",
        one(div(grad(u) / (1 + laplacian(u) ** 2))),
        refused="second derivatives",
    ),
)


@dataclass(frozen=True)
class Outcome:
    """What came out: the certificate or the sentence, and the processor time of verification."""

    request: Request
    equation: str
    certificate: p2n.Certificate | None
    sentence: str
    seconds: float


def outcome(request: Request) -> Outcome:
    begun, equation = time.process_time(), ""
    try:
        problem, scheme, grid = request.build()
        equation = " ".join(str(problem).split())
        certificate = p2n.verify(problem, scheme, grid or p2n.Grid())
    except p2n.Pde2NetError as error:
        return Outcome(request, equation, None, " ".join(str(error).split()), time.process_time() - begun)
    return Outcome(request, equation, certificate, "", time.process_time() - begun)


def rows(found: list[Outcome]) -> Iterator[str]:
    for entry in found:
        certificate, request = entry.certificate, entry.request
        if certificate is None:
            result = f"refused: {entry.sentence}"
        else:
            claims = certificate.claims
            shown = [
                n for n in claims if str(claims[n].status) in ("proved", "linearised") and n != "consistency"
            ]
            result = ", ".join(f"{n.replace('_', ' ')}{_limit(claims[n])}" for n in shown)
            if request.refused:
                reason = next((claims[n].reason for n in claims if request.refused in claims[n].reason), "")
                result = f"{reason} Proved: {result}" if result else reason
            refuted = [n for n in claims if str(claims[n].status) == "refuted"]
            result += f". Refuted: {', '.join(n.replace('_', ' ') for n in refuted)}" if refuted else ""
        row = (request.wish, request.tool, f"<code>{entry.equation}</code>", result, f"{entry.seconds:.1f}")
        yield f"| {' | '.join(map(cells, row))} |"


def cells(text: str) -> str:
    """Text within a table."""
    return text.replace("|", "&#124;").replace("*", "&#42;")


def _limit(claim: Any) -> str:
    said = [f"tau <= {claim.limit}"] if claim.limit not in (None, sp.oo) else []
    said += ["linearised"] if str(claim.status) == "linearised" else []
    return f" ({', '.join(said)})" if said else ""


HEAD = """# Requests

Generated by `python benchmarks/requests.py`; do not edit. What users of neighbouring tools ask for, in our
words, tried as they would: what is proved for the network (or, where it says so, known with frozen
coefficients), with the largest step, or the sentence that says why not. Seconds are processor time of the
whole verification, counterexamples included.

| request | users of | equation | result | seconds |
| --- | --- | --- | --- | --- |
"""


def main() -> None:
    outcome(REQUESTS[0])  # imports
    found = [outcome(request) for request in REQUESTS]
    (ROOT / "docs" / "requests.md").write_text(HEAD + "\n".join(rows(found)) + "\n")
    print(f"{len(found)} requests, the longest took {max(e.seconds for e in found):.1f} s")


if __name__ == "__main__":
    main()
