"""What schemes that compile to residual stacks have in common: a cycle of stages, repeated.

Every stage computes an explicit step and combines it with earlier states,

    step = U + c tau F(U),    U+ = skip(step, U, previous state, start of the cycle),

with weights that may differ from stage to stage. In A with frozen coefficients a cycle is a polynomial.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import sympy as sp

from pde2net.errors import DeclarationError

TAU = sp.Symbol("tau", positive=True)
ALPHA = sp.Symbol("_alpha", positive=True)  # no parameter of an equation is called so

# The state, the one before it, the start of the cycle, F at the state and at the start, and the step.
U, PREVIOUS, START = sp.symbols("_u _previous _start", real=True)
RATE, START_RATE, STEP = sp.symbols("_rate _start_rate _step", real=True)
Z = sp.Symbol("z", nonnegative=True)
HALF = sp.Rational(1, 2)
LINEAR = (U, PREVIOUS, START, RATE, START_RATE)

StageWeights = Mapping[sp.Symbol, sp.Expr]


@dataclass(frozen=True)
class Stack:
    """A network of `cycles` times `stages`.

    step    in U, RATE and the weights
    skip    in STEP, U, PREVIOUS, START, START_RATE and the weights; STEP itself for plain residual blocks
    stages  the weights of each stage of a cycle; they may contain TAU and ALPHA
    frozen  whether diffusivities are those of the start of the cycle
    time    that one cycle covers
    order   in time
    implicit  b >= 0, in parameters, of a term s - b u that every step takes at its end:
            (u + tau (F(u) + b u))/(1 + tau b) = u + tau/(1 + tau b) F(u)
    values  of ALPHA
    repeated  whether all stages are alike, so that their number is that of the time steps
    product  the polynomial of a cycle in z = tau mu, where it is known in closed form

    Raises DeclarationError unless step and skip are linear in states and rates, with weights that the stages
    have: what is proved of a stack is derived from these.
    """

    architecture: ClassVar[str] = "residual stack"
    step: sp.Expr
    skip: sp.Expr
    stages: tuple[StageWeights, ...]
    time: sp.Expr
    cycles: int = 1
    frozen: bool = False
    order: int = 1
    implicit: sp.Expr = sp.S.Zero
    values: StageWeights = field(default_factory=dict)
    repeated: bool = False
    product: sp.Expr | None = None

    def __post_init__(self) -> None:
        if not self.stages or self.cycles < 1 or self.order not in (1, 2):
            raise DeclarationError("A stack has stages, cycles, and the order 1 or 2 in time.")
        if self.repeated:
            alike = all(stage == self.stages[0] for stage in self.stages) and self.cycles == 1
            if not alike or self.uses(START) or self.uses(START_RATE):
                raise DeclarationError("Stages that are the steps of a network are alike and read no START.")
        symbols = set(self.stages[0])
        if any(set(stage) != symbols for stage in self.stages):
            raise DeclarationError("All stages of a stack have the same weights.")
        update = sp.expand(self.skip.subs(STEP, self.step))
        weights = [sp.diff(update, s) for s in LINEAR]
        rest = sp.expand(update - sp.Add(*(w * s for w, s in zip(weights, LINEAR, strict=True))))
        found = set().union(*(w.free_symbols for w in weights))
        if rest != 0 or not found <= symbols | {TAU} | set(self.values) | self.implicit.free_symbols:
            raise DeclarationError(
                "Step and skip of a stack must be linear in U, PREVIOUS, START, RATE and START_RATE, with "
                "TAU and weights that each stage has."
            )

    def clock(self, cycle: int | sp.Expr, stage: int | sp.Expr) -> sp.Expr:
        """The time at which a stage evaluates F: that of its step, or one for all stages of a cycle.

        The middle of a cycle keeps the order 2 of those that have it.
        """
        if self.repeated:
            return stage * self.time / len(self.stages)
        return (cycle + (HALF if self.order == 2 else 0)) * self.time

    @property
    def last_clock(self) -> sp.Expr:
        return self.clock(self.cycles - 1, len(self.stages) - 1)

    def clocks(self) -> Iterator[sp.Expr]:
        """All times at which F is evaluated."""
        if self.repeated:
            return (self.clock(0, stage) for stage in range(len(self.stages)))
        return (self.clock(cycle, 0) for cycle in range(self.cycles))

    def uses(self, symbol: sp.Symbol) -> bool:
        """Whether the step or the skip reads `symbol`."""
        return symbol in self.step.free_symbols | self.skip.free_symbols

    def uses_in_step(self, symbol: sp.Symbol) -> bool:
        return symbol in self.step.free_symbols

    def amplification(self) -> sp.Poly:
        """The polynomial P of one cycle: u+ = P(z) u where tau F(u) = -z u. Exact, in z."""
        if self.product is not None:
            return sp.Poly(self.product, Z)
        now, before = sp.Poly(1, Z), sp.Poly(1, Z)
        minus_z = sp.Poly(-Z, Z)
        update = self.skip.subs(STEP, self.step)
        for weights in self.stages:
            w = weighted(update, {**weights, **self.values})
            new = now * w[U] + minus_z * now * w[RATE] + before * w[PREVIOUS]
            now, before = new + sp.Poly(w[START], Z) + minus_z * w[START_RATE], now
        return now


def weighted(expression: sp.Expr, values: StageWeights) -> dict[sp.Symbol, sp.Expr]:
    """The coefficients of an expression that is linear in states and rates; rates in units of tau."""
    expression = expression.subs(values).subs(values)
    found = {}
    for symbol in LINEAR:
        weight = sp.diff(expression, symbol)
        found[symbol] = sp.simplify(weight / TAU if symbol in (RATE, START_RATE) else weight)
    return found
