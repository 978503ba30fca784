"""The line of the subject about the scheme, written again."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import sympy as sp

from pde2net.errors import RecheckError
from pde2net.language.expressions import from_text, symbol_table
from pde2net.language.linear_operator import norm_symbol
from pde2net.language.schemes import FED, FSI, RKL, DuFortFrankel, Explicit
from pde2net.verify.certificate import Certificate


def alpha_of(certificate: Certificate) -> sp.Expr:
    """alpha of Du Fort-Frankel: as declared, or, where the smallest was asked for, as the subject says.

    Rules compare that with the smallest one at every choice of numbers.
    """
    scheme = certificate.declaration.scheme
    if not isinstance(scheme, DuFortFrankel):
        raise RecheckError(f"{scheme.label} has no alpha")
    if scheme.alpha is not None:
        return scheme.alpha
    found = re.search(r", alpha = (.*?), \d+ steps?: ", certificate.subject["scheme"])
    problem, grid = certificate.declaration.problem, certificate.declaration.grid
    known = [problem.rhs, *problem.symbols, *grid.spacings(problem.space)]
    known += [norm_symbol(operator) for operator in problem.operators]
    try:
        alpha = from_text(found[1], symbol_table(known)) if found else None
    except ValueError:
        alpha = None
    if not isinstance(alpha, sp.Expr):
        raise RecheckError("the subject does not state alpha")
    return alpha


def scheme_line(certificate: Certificate, reaction: bool) -> str:
    scheme, tau = certificate.declaration.scheme, certificate.tau
    if isinstance(scheme, Explicit):
        source = " + tau r(u)" if reaction else ""
        return f"explicit, tau = {tau}, {_many(scheme.steps, 'step')}: u <- u - tau K^T Phi(K u){source}"
    write = _WRITERS.get(type(scheme))
    if write is None:
        raise RecheckError(f"certificates of {scheme.label} schemes cannot be rechecked")
    rate = f"F(u) = -K^T Phi(K u){' + r(u)' if reaction else ''}"
    return f"{scheme.label}, tau = {tau}, {write(scheme, certificate)}; {rate}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _two_steps(scheme: DuFortFrankel, certificate: Certificate) -> str:
    update = "u <- a (u + F(u)/(2 alpha)) + (1 - a) u-, a = 4 tau alpha/(1 + 2 tau alpha)"
    return f"alpha = {alpha_of(certificate)}, {_many(scheme.steps, 'step')}: {update}, starting from u- = u"


def _time(scheme: FSI | FED) -> str:
    n = scheme.cycle_length
    where = {"cycle": "at the start of each cycle", "step": "in each step"}[scheme.freeze]
    covered = sp.Symbol("tau", positive=True) * sp.Rational(n * n + n, 3)
    cycles = f"{_many(scheme.cycles, 'cycle')} of {_many(n, 'step')}"
    return f"{cycles}, diffusivities {where}, time of a cycle {covered}"


def _fsi(scheme: FSI, certificate: Certificate) -> str:
    update = "u <- a_k (u + tau F(u)) + (1 - a_k) u-, a_k = (4 k + 2)/(2 k + 3)"
    return f"{_time(scheme)}: {update}, from u- = u in each cycle"


def _fed(scheme: FED, certificate: Certificate) -> str:
    size = f"tau/(2 cos(pi (2 i + 1)/{2 * (2 * scheme.cycle_length + 1)})^2)"
    return f"{_time(scheme)}: u <- u + tau_i F(u), tau_i = {size} in Leja order"


def _rkl(scheme: RKL, certificate: Certificate) -> str:
    s = scheme.stages
    update = {
        1: f"y_j = mu_j y_(j-1) + nu_j y_(j-2) + mu_j {sp.Rational(2, s * (s + 1))} tau F(y_(j-1)), "
        "mu_j = (2 j - 1)/j, nu_j = (1 - j)/j",
        2: "y_j = mu_j y_(j-1) + nu_j y_(j-2) + (1 - mu_j - nu_j) y_0 + tau (kappa_j F(y_(j-1)) + "
        "gamma_j F(y_0)), weights of Meyer, Balsara, Aslam 2014, (21) to (24)",
    }[scheme.order]
    head = f"order {scheme.order}, {_many(scheme.steps, 'step')} of {_many(s, 'stage')}"
    return f"{head}: {update}, from y_0 = u to u <- y_{s}"


_WRITERS: dict[type, Callable[[Any, Certificate], str]] = {
    DuFortFrankel: _two_steps,
    FSI: _fsi,
    FED: _fed,
    RKL: _rkl,
}
