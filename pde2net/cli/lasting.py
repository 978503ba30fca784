"""Networks that reach a stopping time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sympy as sp

from pde2net.cli.inputs import Given, compiled
from pde2net.cli.say import Say
from pde2net.compiler import verify
from pde2net.errors import DeclarationError
from pde2net.language.declaration import Declaration
from pde2net.language.exact import positive
from pde2net.language.expressions import to_text
from pde2net.network import Network

MOST_STEPS = 100_000


def network_for(
    given: Given, declared: Declaration, stop_at: float | None, on_unstable: str, say: Say
) -> Network:
    """The declared network, or that of the same scheme which reaches `stop_at` in the fewest equal steps.

    Equal cycles for FSI and FED; see language/stopping.py, `lasting`.
    """
    if stop_at is None:
        return compiled(given, declared, on_unstable, say)
    total = positive(stop_at, "The stopping time")
    scheme = declared.scheme
    tau = largest_step(declared) if scheme.tau is None else scheme.tau.subs(declared.problem.parameters)
    if tau.free_symbols or tau == sp.oo:
        raise DeclarationError(f"--stop-at needs a number for tau, not {to_text(tau)}.")
    scheme = scheme.lasting(total, tau)
    if scheme.repeats > MOST_STEPS:
        raise DeclarationError(
            f"--stop-at {stop_at:g} takes {scheme.repeats} {scheme.repeated} of at most tau = "
            f"{to_text(tau)}, more than {MOST_STEPS}: stop earlier or choose a larger tau."
        )
    return compiled(given, Declaration(declared.problem, scheme, declared.grid), on_unstable, say)


def largest_step(declared: Declaration) -> sp.Expr:
    """The largest proved step of the declared scheme."""
    scheme: Any = declared.scheme
    once = replace(scheme, **{scheme.repeated: 1})
    return verify(declared.problem, once, declared.grid).tau.subs(declared.problem.parameters)
