"""What a run takes from a compiled network: how it goes, what it is given, and the rate F of u_t = F(u)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import sympy as sp
from torch import Tensor

from pde2net.discretise.semidiscretise import Semidiscrete, SemidiscreteSystem
from pde2net.emit.base import Request
from pde2net.emit.emit import emit
from pde2net.emit.execute import execute
from pde2net.errors import DeclarationError
from pde2net.graph.build import build, explicit_steps
from pde2net.language.schemes import Explicit, Scheme
from pde2net.scheme import explicit
from pde2net.scheme.method import Update
from pde2net.scheme.stack import PREVIOUS, Stack
from pde2net.trajectory.course import Course
from pde2net.trajectory.run import Shape

Semi = Semidiscrete | SemidiscreteSystem


def course(semi: Semi, scheme: Scheme, update: Any, tau: sp.Expr, learned: bool) -> Course:
    """How the network of this update runs.

    learned  whether its step is: then, or where the step is computed from weights, steps are counted
    """
    stages = len(update.stages) if isinstance(update, Stack) and not update.repeated else 1
    if tau == sp.oo:
        return Course(scheme.repeats, stages, "iterations", 0.0)
    time = scheme.duration(tau).subs(semi.form.problem.parameters)
    if learned or not time.is_number:
        return Course(scheme.repeats, stages, scheme.repeated, scheme.repeats)
    return Course(scheme.repeats, stages, "time", float(time))


def resumes(semi: Semi, update: Update, shared: bool) -> bool:
    """Whether the network of this update is a stack that may be run in parts (see Course)."""
    return isinstance(update, Stack) and repeats(semi, update, shared)


def repeats(semi: Semi, update: Update, shared: bool) -> bool:
    """Whether each step, or cycle, is the same function of the state alone."""
    two = isinstance(update, Stack) and update.repeated and update.uses(PREVIOUS)
    return shared and not two and not semi.form.problem.depends_on_time


def part(request: Request, semi: Semi, tau: sp.Expr, count: int) -> Request:
    """What to emit for so many repeats of a network whose repeats are alike."""
    stack: Update = request.update
    if not isinstance(stack, Stack):
        shorter: Update = replace(stack, steps=count)
    elif stack.repeated:
        shorter = replace(stack, stages=stack.stages[:1] * count, time=stack.time / len(stack.stages) * count)
    else:
        shorter = replace(stack, cycles=count)
    return replace(request, graph=build(semi.in_domain, tau, shorter), update=shorter)


def shape(semi: Semi, channels: int) -> Shape:
    """Of images and fields."""
    problem = semi.form.problem
    return Shape(
        channels,
        tuple(a.name for a in semi.form.space),
        tuple(float(h.subs(problem.parameters)) for h in semi.spacing),
        tuple(str(f.func) for f in problem.fields),
        tuple(s.name for s in problem.inputs),
        "" if problem.domain is None else str(problem.domain.func),
    )


def rate(request: Request, semi: Semi, tracked: str) -> Callable[..., Tensor]:
    """F(u, **fields) in double precision, for the tracker of this name. Raises DeclarationError."""
    problem = semi.form.problem
    if problem.depends_on_time or problem.operators or request.trainable:
        raise DeclarationError(
            f'"{tracked}" is tracked for equations whose coefficients do not contain t, with nothing learned.'
        )
    averaged = isinstance(semi, Semidiscrete) and semi.cell is not None and not semi.form.is_linear
    if tracked == "energy" and (problem.energy is None or averaged):
        raise DeclarationError(
            'There is no "energy" to track: the discrete equation is not known to be a gradient flow.'
        )
    graph = explicit_steps(semi.in_domain, sp.S.One, 1)
    step = replace(request, graph=graph, update=explicit.stack(Explicit(1)), kept=None, check=False)
    module = execute(emit(step)).double()
    return lambda u, **given: module(u, **given) - u
