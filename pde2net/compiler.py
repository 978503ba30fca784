"""The pipeline, top to bottom: declaration, divergence form, operators, graph, certificate, source."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Sequence, Set
from dataclasses import replace
from typing import Any

import sympy as sp

from pde2net import deadline
from pde2net.discretise.semidiscretise import Semidiscrete, semidiscretise, semidiscretise_system
from pde2net.errors import (
    DeclarationError,
    GridWarning,
    StabilityError,
    StabilityWarning,
    known_options,
    suggestion,
)
from pde2net.graph.build import build
from pde2net.graph.build.operator import hides_checkerboard
from pde2net.graph.network import Graph, banks_of, parameters
from pde2net.language.assumptions import check_symbol
from pde2net.language.declaration import Declaration
from pde2net.language.grid import Grid
from pde2net.language.linear_operator import LinearOperator
from pde2net.language.problem import Problem
from pde2net.language.schemes import Scheme
from pde2net.language.spline import Spline
from pde2net.language.stored import scheme_expressions
from pde2net.language.symbols import Input
from pde2net.network import Network
from pde2net.normalise.recognise import recognise, recognise_system
from pde2net.program.names import is_argument
from pde2net.scheme.cell import Cell
from pde2net.scheme.registry import trainable_tables
from pde2net.scheme.stack import ALPHA, Stack
from pde2net.scheme.unet import UNet
from pde2net.verify.certificate import Certificate, Status
from pde2net.verify.constants import Constants, asked
from pde2net.verify.engine import Witnesses, certify, gather_until, instability
from pde2net.verify.evaluation import evaluation, steady_evaluation
from pde2net.verify.facts import Facts
from pde2net.verify.given_filters import with_given_filters
from pde2net.verify.kept import computed, kept, signed, trained_symbols
from pde2net.verify.plan import Plan, SystemPlan, planned
from pde2net.verify.system import certify_system, gather_system, planned_system
from pde2net.verify.training import trained
from pde2net.verify.unstable import told

ON_UNSTABLE = ("error", "warn", "ignore")
ONE_GRID = (
    'Coarse grids do not see the checkerboard, for which gradient="central" vanishes: the network has one '
    'grid, and its linear systems are solved there. gradient="forward" or "staggered" allows several grids.'
)
COMPUTED = (
    "with a learned operator asks for a {} that is computed from its weights: that is what keep_stable=True "
    "does. Or give a number."
)


def analyse(problem: Problem, scheme: Scheme, grid: Grid) -> tuple[Plan | SystemPlan, Graph, Certificate]:
    """All stages but emission."""
    _check_types(problem, scheme, grid)
    with deadline.recorded() as names:
        plan, graph, certificate, _ = _analysed(problem, scheme, grid)
    return plan, graph, _timed(certificate, names)


def _analysed(
    problem: Problem,
    scheme: Scheme,
    grid: Grid,
    stated: Witnesses | None = None,
    trained: Collection[str] = (),
) -> tuple[Plan | SystemPlan, Graph, Certificate, Facts | None]:
    """The same, and the facts about a single equation; `stated` as in `network`, `trained` names."""
    if len(problem.equations) > 1:
        return (*_analyse_system(problem, scheme, grid, stated), None)
    semi = semidiscretise(recognise(problem), grid)
    facts = with_given_filters(gather_until(semi, scheme), semi, trained)
    plan = planned(semi, scheme, facts)
    graph = build(semi, plan.tau, plan.update)
    values = steady_evaluation(graph, semi, plan.tau)
    certificate = certify(plan, graph, facts, values, stated)
    _require_proved(scheme, certificate)
    graph = graph if problem.domain is None else build(semi.in_domain, plan.tau, plan.update)
    return plan, graph, certificate, replace(facts, given=(*facts.given, *values.given))


def _analyse_system(
    problem: Problem, scheme: Scheme, grid: Grid, stated: Witnesses | None
) -> tuple[Plan | SystemPlan, Graph, Certificate]:
    within = None if problem.ranges is None else recognise_system(problem, within=True)
    semi = semidiscretise_system(recognise_system(problem), grid, within)
    facts = gather_system(semi, scheme)
    plan = planned_system(semi, scheme, facts)
    graph = build(semi, plan.tau, plan.update)
    certificate = certify_system(plan, graph, facts, evaluation(graph, semi), stated)
    _require_proved(scheme, certificate)
    if problem.domain is not None:
        graph = build(semi.in_domain, plan.tau, plan.update)
    return plan, graph, certificate


def _require_proved(scheme: Scheme, certificate: Certificate) -> None:
    """A largest step was asked for, and taken from limits that hold where the network has values."""
    if scheme.tau is not None:
        return
    claims = [certificate.claims[name] for name in ("l2_stability", "frozen_stability")]
    if all(claim.status == Status.UNKNOWN for claim in claims):
        raise StabilityError(f"The largest proved step is asked for, but none is proved. {claims[0].reason}")


@known_options
def verify(
    problem: Problem | Declaration, scheme: Scheme | None = None, grid: Grid | None = None
) -> Certificate:
    """What is provable about the network of `problem`, `scheme` and `grid`; imports no torch.

    A declaration, of `p2n.load`, `p2n.parse` or the gallery, has the scheme and the grid that are not given.

    Raises EquationError for equations that are no diffusion PDE, DeclarationError for choices that
    do not fit together, and StabilityError if tau=None and no step is proved.
    """
    return analyse(*_declared(problem, scheme, grid))[2]


@known_options
def compile(  # noqa: A001  the public name of the interface
    problem: Problem | Declaration,
    scheme: Scheme | None = None,
    grid: Grid | None = None,
    on_unstable: str = "error",
    trainable: Any = (),
    shared: bool = True,
    keep_stable: bool = False,
    lipschitz: Any = None,
    averaged: Any = None,
) -> Network:
    """Compile to a network with its certificate; a declaration as for `verify`.

    on_unstable  what to do if the certificate refutes stability: "error" raises StabilityError with
                 the limit and a remedy, "warn" warns once (StabilityWarning), "ignore" goes on
    trainable    parameters and learned operators (objects or names) that become nn.Parameters: one, or
                 several in a list; also "tau", and the weights of the scheme: "extrapolation" (FSI),
                 "factors" (FED), "mu", "nu", "kappa", "gamma" (RKL, RKC)
    shared       whether all blocks share the trainable parameters (True) or each has its own; weights of the
                 scheme are those of a cycle, and all cycles share them
    keep_stable  whether the network computes its step or scales its filters such that the condition of l2
                 stability (with a source term, of frozen stability) holds for all values of its parameters.
                 Parameters of a declared sign keep it; with shared=False, the blocks of a cycle of FSI, FED,
                 RKL and RKC have the same parameters

    lipschitz    a constant C >= 1 that keep_stable keeps for results as functions of the data f of a fidelity
    averaged     the same for the factor alpha in (0, 1) of `averaged`, of explicit steps with a monotone flux

    The module takes and returns (batch, channels, *spatial). The certificate has the digest of its source,
    unless a symbol is left without a value. Raises as `verify` does, and DeclarationError if there is no
    condition to keep. Warns with GridWarning if multigrid is left with one grid.
    """
    if not isinstance(keep_stable, bool):
        raise DeclarationError(f"keep_stable is True or False, not {keep_stable!r}.")
    if on_unstable not in ON_UNSTABLE:
        raise DeclarationError(
            f'There is no on_unstable="{on_unstable}".{suggestion(str(on_unstable), ON_UNSTABLE)}'
        )
    problem, scheme, grid = _declared(problem, scheme, grid)
    _check_types(problem, scheme, grid)
    constants = asked(lipschitz, averaged, keep_stable)
    options = _several(trainable), bool(shared), keep_stable
    made = network(problem, scheme, grid, *options, constants=constants)
    refuted = instability(made.certificate)
    if refuted is not None and on_unstable != "ignore":
        if on_unstable == "error":
            raise told(StabilityError, refuted, made.certificate)
        warnings.warn(told(StabilityWarning, refuted, made.certificate), stacklevel=3)
    semi, several = made.semidiscrete, isinstance(made.update, UNet) and made.update.levels != 1
    if several and isinstance(semi, Semidiscrete) and hides_checkerboard(semi):
        warnings.warn(ONE_GRID, GridWarning, stacklevel=3)
    return made


def network(
    problem: Problem,
    scheme: Scheme,
    grid: Grid,
    trainable: Sequence[Any] = (),
    shared: bool = True,
    keep_stable: bool = False,
    stated: Witnesses | None = None,
    constants: Constants | None = None,
) -> Network:
    """The network of `compile`, stable or not, without warnings.

    With `stated`, these counterexamples by the names of claims stand in place of a search, to derive a
    certificate again from its JSON.
    """
    with deadline.recorded() as ran_out:
        plan, graph, certificate, facts = _analysed(
            problem, scheme, grid, stated, [str(entry) for entry in trainable]
        )
        _check_inputs(plan, graph)
        names = _trainable(graph, plan, trainable)
        norms = set(facts.filter_norms) if isinstance(facts, Facts) else set()
        _check_parametrised(problem, plan, names, keep_stable, shared, norms)
        if names and not shared:  # drawings say so
            graph = graph.copy()
            graph.graph["shared"] = False
        condition = None
        if keep_stable:
            if facts is None or not isinstance(plan, Plan):
                raise DeclarationError(
                    "keep_stable=True keeps the condition of one equation, not yet of a system."
                )
            condition = kept(plan, facts, names, constants or Constants())
        elif isinstance(plan, Plan) and isinstance(plan.update, Cell) and plan.update.values:
            assert facts is not None
            condition = computed(plan, facts, trained_symbols(plan, names))
        keeps = condition if keep_stable else None
        certificate = _timed(trained(certificate, plan, names, shared, keeps, constants), ran_out)
    return Network(plan.semi, scheme, graph, plan.update, certificate, names, shared, condition).with_digest()


def _check_inputs(plan: Plan | SystemPlan, graph: Graph) -> None:
    """Numbers that are given at the call stand in fluxes and reactions, where each image has its own."""
    values = (graph.graph["values"].get(s, s) for s in parameters(graph))
    found = plan.tau.free_symbols.union(*(value.free_symbols for value in values))
    for symbol in sorted((s for s in found if isinstance(s, Input)), key=str):
        raise DeclarationError(
            f"{symbol} is given when the network is called, and may be another number for each image: steps, "
            "spacings, the width of a Gaussian and parameters of the scheme, such as alpha, cannot depend on "
            "it. Give numbers for them."
        )


def _timed(certificate: Certificate, ran_out: Iterable[str]) -> Certificate:
    """The certificate, which says what there was no time for."""
    return replace(certificate, ran_out=tuple(sorted(set(ran_out))))


def _several(trainable: Any) -> tuple[Any, ...]:
    """One parameter or operator, or several; a name is one, not its letters."""
    if isinstance(trainable, str | sp.Basic | LinearOperator | Spline):
        return (trainable,)
    if not isinstance(trainable, Iterable):
        raise DeclarationError(
            f"trainable takes parameters and learned operators, trainable=[lam, K], not {trainable!r}."
        )
    return tuple(trainable)


def _trainable(graph: Graph, plan: Plan | SystemPlan, chosen: Iterable[Any]) -> tuple[str, ...]:
    tables, declared = trainable_tables(plan.update), {s.name for s in plan.semi.form.problem.symbols}
    known = {s.name for s in parameters(graph)} | tables
    known |= {n for n, thing in plan.semi.form.problem.learned.items() if not isinstance(thing, Input)}
    if plan.tau != sp.oo:
        known.add("tau")
    fixed = {s.name for bank in banks_of(graph) for s in bank.symbols}
    names = []
    for entry in chosen:
        name = str(entry)
        if name not in known:
            raise DeclarationError(f'There is no parameter "{name}" to train.{suggestion(name, known)}')
        if name in tables and name in declared:
            raise DeclarationError(
                f'"{name}" is a parameter of the equation and a weight of the scheme; rename the parameter.'
            )
        if name in fixed:
            raise DeclarationError(
                f'"{name}" is a part of the operator K, whose weights stand in the source as numbers; '
                "parameters of fluxes and reactions can be trained, and filters with LinearOperator."
            )
        if any(s.name == name and s.is_integer for s in plan.semi.form.problem.symbols):
            raise DeclarationError(
                f'"{name}" is declared an integer, which training would not keep: it keeps signs. Declare '
                "the sign alone, or do not train it."
            )
        names.append(name)
    return tuple(sorted(set(names)))


def _check_parametrised(
    problem: Problem,
    plan: Plan | SystemPlan,
    names: tuple[str, ...],
    keep: bool,
    shared: bool,
    norms: Set[sp.Symbol],
) -> None:
    """What only a network that keeps its condition can do, and what it cannot."""
    has_cycles = isinstance(plan.update, Stack) and not plan.update.repeated
    if problem.depends_on_time and "tau" in names and not shared and has_cycles:
        raise DeclarationError(
            "Coefficients depend on t, and the time of a cycle is not defined where its blocks have steps of "
            "their own: use shared=True."
        )
    damping = plan.update.values.get(ALPHA, sp.S.Zero) if isinstance(plan.update, Stack) else sp.S.Zero
    if norms & damping.free_symbols and not keep:
        raise DeclarationError(f"alpha = None {COMPUTED.format('damping')}").spelt(
            f"A network without alpha and {COMPUTED.format('damping')}"
        )
    if norms & plan.tau.free_symbols and not keep:
        raise DeclarationError(f"tau = None {COMPUTED.format('step')}").spelt(
            f"tau = largest {COMPUTED.format('step')}"
        )
    for symbol, value in problem.parameters.items():
        if keep and symbol.name in names and value == 0 and symbol.is_real and signed(symbol):
            raise DeclarationError(
                f"keep_stable=True keeps the declared sign of {symbol} by training its logarithm, so it "
                "cannot start at 0; give another value."
            )


def _declared(
    problem: Problem | Declaration, scheme: Scheme | None, grid: Grid | None
) -> tuple[Problem, Scheme, Grid]:
    """The parts of what is declared, in place of those that are not given."""
    if isinstance(problem, Declaration):
        return problem.problem, problem.scheme if scheme is None else scheme, grid or problem.grid
    if scheme is None:
        raise DeclarationError("A problem needs a scheme: Explicit(tau=..., steps=...), say.")
    return problem, scheme, grid or Grid()


def _check_types(problem: Any, scheme: Any, grid: Any) -> None:
    for value, kind, what in (
        (problem, Problem, "problem must be a Problem(sp.Eq(u.diff(t), ...))"),
        (scheme, Scheme, "scheme must be a scheme such as Explicit(tau=..., steps=...)"),
        (grid, Grid, "grid must be a Grid(spacing=...)"),
    ):
        if not isinstance(value, kind):
            raise DeclarationError(f"{what}, not {value!r}.")
    for name in (str(field.func) for field in problem.fields):
        # Keyword arguments of the module, under the name that they were declared with.
        if not is_argument(name):
            raise DeclarationError(
                f'The known field "{name}" cannot be passed to the module by that name: Python has no such '
                "arguments; rename it."
            )
    sizes = (*grid.spacings(problem.space), *grid.origins(problem.space), *scheme_expressions(scheme))
    known = {s.name: s for s in problem.symbols}
    for symbol in (*problem.symbols, *sorted(set().union(*(e.free_symbols for e in sizes)), key=str)):
        check_symbol(symbol)
        if known.setdefault(symbol.name, symbol) != symbol:
            raise DeclarationError(
                f'Two symbols are called "{symbol}", with other assumptions in the equation than in the '
                "scheme or the grid; declare each symbol once."
            )
