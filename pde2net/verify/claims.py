"""The claims about each scheme, by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import sympy as sp

from pde2net.language.schemes import DuFortFrankel
from pde2net.scheme.cell import Cell
from pde2net.scheme.unet import UNet
from pde2net.verify import multigrid
from pde2net.verify.case import Case
from pde2net.verify.certificate import CLAIMS, Claim, Status, because
from pde2net.verify.clock import until_the_end
from pde2net.verify.ranges import UndecidedError, given_up, within
from pde2net.verify.stages import pace
from pde2net.verify.theorem import Table
from pde2net.verify.theorems import cells, cycle, descent, du_fort_frankel, steady
from pde2net.verify.theorems.invariance import over_range

SECONDS = 10.0  # per claim
NO_ENERGY = Claim("energy_decay", Status.NOT_APPLICABLE, because=because("moving energy"))


def table(case: Case) -> Table:
    """How each claim about the scheme of `case` is derived."""
    found = _of_scheme(case)
    if case.tau == sp.oo:
        found = {**found, **steady.CLAIMS}
    return found if case.facts.until is None else {**found, "energy_decay": lambda case: NO_ENERGY}


def _of_scheme(case: Case) -> Table:
    if isinstance(case.update, Cell):
        return descent.CLAIMS if case.update.values else cells.CLAIMS
    if isinstance(case.update, UNet):
        return multigrid.CLAIMS
    if pace(case.update) is not None:
        return cycle.STEPS
    return du_fort_frankel.CLAIMS if isinstance(case.scheme, DuFortFrankel) else cycle.CLAIMS


def claims(case: Case) -> dict[str, Claim]:
    """Every claim by name, in the order of certificate.CLAIMS."""
    found: dict[str, Claim] = {}
    for name in CLAIMS:
        found[name] = derived(name, replace(case, known=found))
    until = case.facts.until
    if until is None:
        return found
    return {n: c if n == "consistency" else until_the_end(c, until) for n, c in found.items()}


def stability(case: Case) -> Iterator[Claim]:
    """The claims that limit the step: l2 stability, then stability with frozen coefficients."""
    for name in ("l2_stability", "frozen_stability"):
        yield derived(name, case)


def derived(name: str, case: Case) -> Claim:
    """One claim; for u within declared bounds, where that is more."""
    inner = case.within
    if inner is None:
        return _derived(name, case)
    return over_range(name, case, inner, _derived)


def _derived(name: str, case: Case) -> Claim:
    """One claim; unknown if SymPy fails on the way or takes too long."""
    find = table(case).get(name)
    if find is None:
        return Claim(name, Status.UNKNOWN, because=because("no theorem"))
    shown = f"{name.replace('_', ' ')} for {case.semi.form.state}"
    try:
        return within(SECONDS, f"the derivation of {shown}", lambda: find(case.about(name)))
    except UndecidedError as error:
        reason = str(error)
    except (
        ArithmeticError,
        AttributeError,
        NotImplementedError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        reason = given_up(shown, error)
    return Claim(name, Status.UNKNOWN, because=because("undecided", why=reason))
