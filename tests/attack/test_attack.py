"""A short run of the attack; `make fuzz` is the long one (docs/verification.md)."""

from adversary import Attack
from declarations import Declared, declarations
from hypothesis import HealthCheck, given, settings
from learned import learned

import pde2net as p2n

SHORT = settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@SHORT
@given(declarations())
def test_nothing_that_is_proved_can_be_broken(declared: Declared):
    attack(declared)


@SHORT
@given(learned())
def test_nothing_that_training_keeps_can_be_broken(declared: Declared):
    attack(declared)


def attack(declared: Declared) -> Attack | None:
    """Certify, emit, attack; None for a declaration that is refused in words."""
    try:
        scheme = declared.scheme()
        network = declared.compiled(scheme)
    except p2n.Pde2NetError as error:
        assert str(error)
        return None
    attacker = Attack(network)
    assert not attacker.run(), attacker.found[0]
    return attacker


def test_the_attack_breaks_what_is_false():
    """The adversary is worth its name: it finds the growth of a step 1 % beyond the limit."""
    from dataclasses import replace

    import sympy as sp
    from support import equation, unknown

    problem = p2n.Problem(equation(p2n.laplacian(unknown(1)), 1), boundary="periodic")
    network = p2n.compile(problem, p2n.Explicit(sp.Rational(101, 200)), on_unstable="ignore")
    proved = p2n.verify(problem, p2n.Explicit(sp.Rational(1, 2))).claims
    forged = replace(network.certificate, claims=proved)
    attacker = Attack(replace(network, certificate=forged))
    attacker.run()
    broken = {line.split(":")[0] for line in attacker.found}
    assert {"l2_stability", "nonexpansive", "maximum_principle", "energy_decay"} <= broken
