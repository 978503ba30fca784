"""What is proved about a module with the weights that it has."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from pde2net.compiler import analyse
from pde2net.errors import CertificateError, DeclarationError, Pde2NetError
from pde2net.guidance.trial import deciding
from pde2net.language.problem import Problem
from pde2net.language.schemes import Scheme
from pde2net.language.spline import SplineFlux
from pde2net.learn import checkpoint
from pde2net.learn.agreement import alike, require_same_result
from pde2net.learn.declared import declaration_of, declared_network
from pde2net.learn.rebuilt import rebuilt
from pde2net.learn.values import parts
from pde2net.network import Network
from pde2net.scheme.cell import Cell
from pde2net.scheme.registry import trainable_tables
from pde2net.scheme.stack import ALPHA, TAU
from pde2net.verify.certificate import Certificate, Claim, Status, because
from pde2net.verify.subject import values_line

if TYPE_CHECKING:
    from torch import nn

# Claims that hold for blocks one after the other if they hold for each.
OF_EACH = (
    "l2_stability",
    "nonexpansive",
    "maximum_principle",
    "mean_preservation",
    "well_posed",
    "frozen_stability",
    "bounded_by_data",
)
ROUNDING = sp.Rational(1, 2**20)  # steps are rounded to the type of the module, float32 as a rule
POSITIVE = (Status.PROVED, Status.PROVED_IF, Status.LINEARISED)


def certify(module: nn.Module | str | Path) -> Certificate:
    """The claims about a module, or the one in a file of weights, for the weights as they are.

    The declaration that the source of the module carries is verified with the values of its parameters, which
    are exact binary fractions, in place of those to start from; norms of filters are enclosed with all
    rounding bounded (docs/theory.md, 8.8). Where blocks have weights of their own, a claim is proved if it is
    for each of them and carries over to their composition. What a network keeps for all weights stays proved.

    Raises CertificateError if a claim that is stated to be proved is not now, if the condition of stability
    is violated, if a value has not the sign that was declared or is not finite, and if the module is not the
    network of its declaration; DeclarationError for modules without one, FileError for files that are none.
    """
    if isinstance(module, str | Path):
        module = checkpoint.module(module)
    text = declaration_of(module)
    if text is None:
        raise DeclarationError(
            "This module carries no declaration: it is none of pde2net, or nothing of it is trained or "
            "learned, and verify says what holds."
        )
    network = declared_network(text)
    own = rebuilt(module, network)
    tables = set(network.trainable) & trainable_tables(network.update)
    rows = _values(own)
    found = [_certified(network, row, own, k, bool(tables)) for k, row in enumerate(rows)]
    stated = network.certificate
    claims = {n: _joined(claim, [c.claims[n] for c in found], network) for n, claim in stated.claims.items()}
    for name, claim in claims.items():
        if tables and name != "consistency" and claim.status != Status.NOT_APPLICABLE:
            claims[name] = _unknown(claim, "trained tables")
    if len(found) == 1 and not _kept(network):
        return replace(found[0], claims=claims)
    return _of_weights(replace(stated, claims=claims), own)


def _of_weights(certificate: Certificate, module: nn.Module) -> Certificate:
    """A certificate whose declaration does not hold the weights that it is about: it names them."""
    training = certificate.training
    assert training is not None  # certificates of modules that carry a declaration have one
    digest = hashlib.sha256()
    for name, value in sorted(module.named_parameters()):
        digest.update(name.encode() + value.detach().double().cpu().numpy().astype("<f8").tobytes())
    named = replace(training, weights=digest.hexdigest())
    problem = certificate.declaration.problem
    given = {s.name: v for s, v in problem.parameters.items() if s.name not in training.trainable}
    rows = {"parameters": values_line(given), "training": str(named)}
    return replace(certificate, training=named, subject={**certificate.subject, **rows})


def _values(module: nn.Module) -> list[dict[str, Any]]:
    """The values of each part as exact numbers, arrays as nested lists of them."""
    found = []
    for part in parts(module):
        row = {}
        for name, value in part.items():
            array = value.detach().double().cpu().numpy()
            if not np.isfinite(array).all():
                raise CertificateError(f"{name} has values that are not finite: nothing holds for them.")
            row[name] = _exact(array.tolist())
        found.append(row)
    return found


def _exact(value: Any) -> Any:
    return [_exact(v) for v in value] if isinstance(value, list) else sp.Rational(value)


def _certified(
    network: Network, values: Mapping[str, Any], module: nn.Module, part: int, tables: bool
) -> Certificate:
    """What is proved for these values, those of one part of the module."""
    try:
        _, graph, certificate = analyse(*_with(network, values, sp.S.Zero))
        above = [
            n for n, c in certificate.claims.items() if _kept(network, n) and c.said("exceeds") is not None
        ]
        if above:  # a step that is computed to be at its limit may be above it by rounding
            lower = analyse(*_with(network, values, ROUNDING))[2].claims
            claims = {**certificate.claims, **{n: lower[n] for n in above}}
            certificate = replace(certificate, claims=claims)
    except Pde2NetError as error:
        raise CertificateError(f"For the weights as they are, nothing is proved: {error}") from error
    if not tables and deciding(certificate.claims).status in POSITIVE:
        require_same_result(network, graph, alike(module, part), values)
    return certificate


def _with(network: Network, values: Mapping[str, Any], room: sp.Rational) -> tuple[Problem, Scheme, Any]:
    """The declaration with other values. Splines keep the bounds of their slopes, which claims rest on.

    A step that was to be the largest is the one that the module has: it was found for other values. `room`
    is the share of a kept step that is left for rounding.
    """
    declared = network.certificate.declaration
    problem, scheme = declared.problem, declared.scheme
    learned = problem.learned
    plain = dict(problem.parameters)
    plain |= {s: values[s.name] for s in problem.symbols if s.name in values and s.name not in learned}
    given = {name: problem.arrays[name].nested() for name in problem.arrays}
    given |= {n: values[n] for n, t in learned.items() if n in values and not isinstance(t, SplineFlux)}
    made = problem.changed(parameters={**plain, **given})
    chosen = {"tau": values.get(TAU.name), "alpha": values.get(ALPHA.name)}
    if room:
        alpha, tau = chosen["alpha"], chosen["tau"]
        tau = scheme.tau if tau is None and alpha is not None else tau
        chosen = {"tau": tau and tau * (1 - room), "alpha": alpha and alpha * (1 + room / 2)}
    start = {"tau": network.certificate.tau, "alpha": getattr(network.update, "values", {}).get(ALPHA)}
    for name in (n for n, value in chosen.items() if value is None and hasattr(scheme, n)):
        number = None if start[name] is None else sp.sympify(start[name]).subs(problem.parameters)
        if getattr(scheme, name) is None and number is not None and number.is_number:
            chosen[name] = number
    options = {n: value for n, value in chosen.items() if value is not None and hasattr(scheme, n)}
    return made, replace(scheme, **options), declared.grid


def _joined(stated: Claim, found: Sequence[Claim], network: Network) -> Claim:
    """One claim about all blocks. Raises CertificateError where it was stated and does not hold now."""
    kept = _kept(network, stated.name) and stated.status == Status.PROVED
    decides = deciding(network.certificate.claims).name == stated.name
    due = stated.status == Status.PROVED or (decides and stated.status in POSITIVE)
    for k, claim in enumerate(found):
        lost = claim.status not in POSITIVE if not kept else claim.said("exceeds") is not None
        if due and lost:
            where = f" in block {k + 1}" if len(found) > 1 else ""
            name = stated.name.replace("_", " ")
            raise CertificateError(f"{name} is not proved{where} for the weights as they are. {claim.reason}")
    if kept or (len(found) > 1 and stated.status not in POSITIVE):
        return stated
    if len(found) == 1:
        # A descent computes its step from a bound of its own, which is a little larger.
        computed = isinstance(network.update, Cell) and network.update.values
        return replace(found[0], factor=None) if computed else found[0]
    if stated.name not in OF_EACH:
        return _unknown(stated, "own values")
    open_ = [claim for claim in found if claim.status != Status.PROVED]
    return open_[0] if open_ else replace(found[0], factor=None)


def _kept(network: Network, name: str | None = None) -> bool:
    """Whether a claim, or any, is kept for all weights."""
    training = network.certificate.training
    return training is not None and (bool(training.kept) if name is None else name in training.kept)


def _unknown(claim: Claim, rule: str) -> Claim:
    return Claim(claim.name, Status.UNKNOWN, theorem=claim.theorem, because=because(rule))
