"""Texts that are wrong in many ways: mutations of right ones, and random words."""

from __future__ import annotations

import random
import re

GOOD = (
    """unknown u(x, y, t)
parameter lambda > 0 = 0.1
let g(s2) = 1 / (1 + s2 / lambda^2)
equation u_t = div(g(|grad u|^2) * grad u)
boundary x: reflecting, y: periodic
grid h = 1, order = 4
scheme implicit(tau = 10, solver = newton(tol = 1e-6, preconditioner = diagonal))
""",
    """unknown u(x, t)
field f(x) >= 0
parameter beta >= 0
equation u_t = -diff(tanh(u_xx), x, x) + beta*(f - u)^3/(1 + u^2) + sqrt(2)*exp(-x)
grid h_x = 1/2, gradient = central, origin = -3
scheme fed(tau = largest, cycle_length = 12, cycles = 2, freeze = step)
""",
    """unknown u(x, y, z, t)
let v = laplacian(u)
equation u_t = -laplacian(v if v^2 < 1 or v == 2 else min(v, 1)) # fourth order
boundary dirichlet
scheme multigrid(tau = oo, levels = 3, cycle = FMG, smoother = red_black)
""",
    """unknown u(x, y, t)
channels 3
parameter C > 0 = 0.01
let J = structure_tensor(u, 1/2, 4)
let c = 1/100 if coherence(J) == 0 else 1/100 + 99/100 * exp(-C / coherence(J))
equation u_t = div(tensor(principal_direction(J), 1/100, c) * grad u) + u_xy / 5
grid h = 1, gradient = staggered
scheme fsi(tau = largest, cycle_length = 12, cycles = 3)
""",
    """unknown u(x, y, t)
operator K(out = 6, size = 5)
parameter lambda > 0 = 1/5
equation u_t = -adjoint K(K(u) / (1 + K(u)^2 / lambda^2)) - div(div(hessian u / sqrt(1 + |hessian u|^2)))
scheme explicit(tau = largest, steps = 4)
""",
    """unknown u(x, y, t)
field f(x, y)
parameter lambda > 0 = 1/5
equation u_t = exp(-t) * div(perona_malik(|grad u|^2, lambda * exp(-t)) * grad u) + (f - u) / (1 + t)
scheme explicit(tau = 1/5, steps = 10)
""",
    """unknown u(x, y, t)
unknown v(x, y, t)
parameter F > 0 = 0.035
equation u_t = 0.16 * laplacian u - u * v^2 + F * (1 - u)
equation v_t = div(perona_malik(|grad smooth(u, 2)|^2, F) * grad v) + u * v^2 - (F + 1) * v
boundary periodic
scheme explicit(tau = 1, steps = 4000)
""",
)
_WORDS = """unknown field channels smooth tensor structure_tensor coherence principal_direction
projection v_t v parameter let equation boundary grid scheme u_t u_x u x y t lambda g f 0 1 2 1e9 0.5
( ) [ ] | ^ * / + - = < > >= == != , : # if else and or grad div laplacian diff exp sin min __import__ eval
os.system 10^400 1e300 ' " \\ \x00 é λ 999999999 oo pi norm2 explicit sqrt atan log 0^0 1/0 1e-300"""
WORDS = tuple(_WORDS.split())


def mutated(source: random.Random) -> str:
    """A text with up to ten edits, or of random words."""
    if source.random() < 0.1:
        return " ".join(source.choice((*WORDS, "\n")) for _ in range(source.randrange(120)))
    text = source.choice(GOOD)
    if source.random() < 0.5:
        return _exchanged(text, source)
    for _ in range(source.choice((1, 1, 2, 3, 5, 10))):
        start = source.randrange(len(text) + 1)
        end = min(len(text), start + source.choice((0, 0, 1, 2, 5, 20)))
        kind = source.random()
        if kind < 0.6:
            middle = source.choice(WORDS) * source.choice((1, 1, 1, 1, 2, 60))
        elif kind < 0.8:
            other = source.choice(GOOD)
            cut = source.randrange(len(other))
            middle = other[cut : cut + source.randrange(40)]
        else:
            middle = chr(source.choice((*range(32, 127), 0, 10, 9, 955, 0x1F600)))
        text = text[:start] + middle + text[end:]
    return text


def _exchanged(text: str, source: random.Random) -> str:
    """A text with numbers, names and operations exchanged for others of their kind: mostly well-formed."""
    kinds = (
        (r"\b\d+\b", ("0", "1", "2", "3", "1/3", "10^20", "1e30", "0.1", "(2)", "sqrt(2)")),
        (r"\bu\b", ("u", "u_x", "f", "x", "lambda", "(1 + u)", "u^2", "|u|", "min(u, 1)", "exp(u)")),
        (r" [-+*/] ", (" + ", " - ", " * ", " / ", "^")),
    )
    for pattern, others in kinds:
        for _ in range(source.randrange(3)):
            found = list(re.finditer(pattern, text))
            if found:
                place = source.choice(found)
                text = text[: place.start()] + source.choice(others) + text[place.end() :]
    return text
