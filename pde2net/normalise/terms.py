"""The kinds of terms of a divergence form, records that answer for themselves what later stages ask.

A term is m (-D* Phi(D u)), D the gradient (first order), a weighted sum of second derivatives (second
order) or learned filters. `semidiscretise` adds the operator of each weight.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Set
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar

import sympy as sp

from pde2net.language.calculus import hessian, norm2
from pde2net.language.linear_operator import Chain, LinearOperator
from pde2net.language.problem import Problem

# The argument of a diffusivity g(s2), s2 = |D u|^2.
SQUARED = sp.Symbol("s2", nonnegative=True)
LENGTH = sp.Symbol("|D u|", nonnegative=True)  # its root


@dataclass(frozen=True)
class Notation:
    """The equation of `problem` and the symbols for its unknown.

    state      symbol of u
    slopes     symbols of the first derivatives of u, one per axis
    curvature  symbol of D u in second-order terms
    """

    problem: Problem
    state: sp.Symbol
    slopes: tuple[sp.Symbol, ...]
    curvature: sp.Symbol

    @property
    def space(self) -> tuple[sp.Symbol, ...]:
        return self.problem.space


@dataclass(frozen=True)
class Component:
    """A part of a flux: entry i is coefficient * responses[i].

    coefficient  free of derivatives: a function of u, position and known fields
    responses    one expression in the entries of D u per weight: per axis for a gradient, else one
    groups       for each set of entries that share a diffusivity, responses[i] = w_i g(s2) p_i with
                 s2 the sum of the squared entries of the set; None where it has no such form
    """

    coefficient: sp.Expr
    responses: tuple[sp.Expr, ...]
    groups: tuple[RadialGroup, ...] | None


@dataclass(frozen=True)
class RadialGroup:
    """axes, their constant weights, and the diffusivity g as an expression in SQUARED."""

    axes: tuple[int, ...]
    weights: tuple[sp.Expr, ...]
    diffusivity: sp.Expr


def symbols_in(record: Any) -> set[sp.Symbol]:
    """All symbols in a term, whatever its kind."""
    if isinstance(record, sp.Basic | sp.MatrixBase):
        return set(record.free_symbols)
    parts = [getattr(record, f.name) for f in fields(record)] if is_dataclass(record) else record
    return set().union(*map(symbols_in, parts)) if isinstance(parts, list | tuple) else set()


class Term(ABC):
    """What a term of any kind answers about itself.

    order        of the derivatives in D: 1 or 2; 0 for filters that are no differences
    mixed        whether D* Phi(D u) couples directions, frozen weights included
    no_diagonal  why linear systems have no diagonal preconditioner; empty if they have one
    """

    order: ClassVar[int]
    mixed: ClassVar[bool]
    no_diagonal: ClassVar[str] = ""
    prefactor: sp.Expr

    @property
    @abstractmethod
    def parts(self) -> tuple[Component, ...]:
        """The parts of the flux; none for fluxes that are no functions of single entries of D u."""

    @abstractmethod
    def labels(self, space: tuple[sp.Symbol, ...]) -> tuple[str, ...]:
        """The name of the operator of each weight."""

    @abstractmethod
    def magnitude(self, form: Notation, axes: tuple[int, ...]) -> str:
        """The argument s of g(s^2) in a group of `axes`, in print."""

    def energy(self, form: Notation) -> Iterator[sp.Expr | None]:
        """Parts of W with the term as -dE/du without its prefactor, E = int W dx; None if there is no W."""
        yield None

    @property
    def along_axes(self) -> bool:
        """Whether weight i multiplies the derivative along axis i, so that A is a sum over the axes."""
        return self.order == 1 and not self.mixed

    @property
    def learned(self) -> tuple[LinearOperator, ...]:
        """Operators in D whose filters are trained."""
        return ()

    @property
    def preconditioner(self) -> str:
        """The best one that linear systems take: "none", "diagonal" or "multigrid"."""
        return "none" if self.no_diagonal else "multigrid"

    @property
    def fluxes(self) -> tuple[sp.Expr, ...]:
        """What may depend on time: the flux in symbols of slopes, evaluated at every step."""
        return tuple(r for c in self.parts for r in c.responses)

    def constant(self, varying: Set[sp.Symbol]) -> tuple[tuple[str, sp.Expr], ...]:
        """What may not, each with its name; `varying` are the symbols of u and of known data."""
        mixed = tuple(("The flux", r) for r in self.fluxes if r.free_symbols & varying)
        return (*(("The coefficient", c.coefficient) for c in self.parts), *mixed)

    @property
    def weights_of_flux(self) -> tuple[sp.Expr, ...] | None:
        """What multiplies slopes in the flux, in SQUARED; None if the flux is no such product."""
        if any(c.groups is None for c in self.parts):
            return None
        inner = tuple(g.diffusivity for c in self.parts for g in c.groups or ())
        return (*(c.coefficient for c in self.parts), *inner)


class GradientTerm(Term):
    """A term with D = grad."""

    order = 1

    def labels(self, space: tuple[sp.Symbol, ...]) -> tuple[str, ...]:
        return tuple(f"K_{axis}" for axis in space)

    def magnitude(self, form: Notation, axes: tuple[int, ...]) -> str:
        names = ", ".join(str(form.slopes[a]) for a in axes)
        if len(axes) == 1:
            return f"|{names}|"
        return f"|∇{form.state}|" if len(axes) == len(form.slopes) else f"|({names})|"


@dataclass(frozen=True)
class FirstOrder(GradientTerm):
    """prefactor * div(F), F the sum of the components."""

    mixed = False
    prefactor: sp.Expr
    components: tuple[Component, ...]

    @property
    def parts(self) -> tuple[Component, ...]:
        return self.components

    def energy(self, form: Notation) -> Iterator[sp.Expr]:
        """1/2 int_0^{|p|²} g of a radial flux g(|p|²) p, int_0^p Phi of one in a single slope."""
        for component in self.parts:
            radial = [g for g in component.groups or () if len(g.axes) > 1]
            for group in radial:
                squares = [form.slopes[i] ** 2 for i in group.axes]
                if len(set(group.weights)) == 1:
                    inner = primitive(group.diffusivity, SQUARED, sp.Add(*squares))
                    yield component.coefficient * group.weights[0] * inner / 2
                else:
                    weighted = [w * s for w, s in zip(group.weights, squares, strict=True)]
                    yield component.coefficient * group.diffusivity * sp.Add(*weighted) / 2
            for i in sorted(set(range(len(form.slopes))).difference(*(g.axes for g in radial))):
                p = form.slopes[i]
                yield component.coefficient * primitive(component.responses[i], p, p)


@dataclass(frozen=True)
class Tensor(GradientTerm):
    """prefactor * div(D grad u), D a symmetric matrix of coefficients; they may contain `projection`s."""

    mixed = True
    parts = ()
    prefactor: sp.Expr
    matrix: tuple[tuple[sp.Expr, ...], ...]

    def constant(self, varying: Set[sp.Symbol]) -> tuple[tuple[str, sp.Expr], ...]:
        return tuple(("The entry of a diffusion tensor", e) for e in self.weights_of_flux)

    @property
    def weights_of_flux(self) -> tuple[sp.Expr, ...]:
        return tuple(e for row in self.matrix for e in row)

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        return {s for e in self.weights_of_flux for s in e.free_symbols}


class ScalarTerm(Term):
    """A term whose flux has one weight: Phi(q) = g(q^2) q for each entry q of D u.

    flux         Phi as an expression in the symbol of q
    diffusivity  g as an expression in SQUARED, or None
    """

    name: ClassVar[str]  # of D
    flux: sp.Expr
    diffusivity: sp.Expr | None

    @abstractmethod
    def argument(self, form: Notation) -> sp.Symbol:
        """The symbol of q."""

    def labels(self, space: tuple[sp.Symbol, ...]) -> tuple[str, ...]:
        return (self.name,)

    def magnitude(self, form: Notation, axes: tuple[int, ...]) -> str:
        return f"|{self.labels(form.space)[0]} {form.state}|"

    @property
    def parts(self) -> tuple[Component, ...]:
        one, g = sp.S.One, self.diffusivity
        return (Component(one, (self.flux,), None if g is None else (RadialGroup((0,), (one,), g),)),)


@dataclass(frozen=True)
class SecondOrder(ScalarTerm):
    """-prefactor * D(Phi(D u)), D the sum of weights[i] d^2/dx_i^2.

    slope  in one dimension, D = slope d/dx + weights[0] d^2/dx^2, and D* has the slope negated
    """

    order = 2
    mixed = False
    name = "D"
    prefactor: sp.Expr
    weights: tuple[sp.Expr, ...]
    flux: sp.Expr
    diffusivity: sp.Expr | None
    slope: sp.Expr = sp.S.Zero

    def argument(self, form: Notation) -> sp.Symbol:
        return form.curvature

    def magnitude(self, form: Notation, axes: tuple[int, ...]) -> str:
        used = [a for a, w in zip(form.space, self.weights, strict=True) if w != 0]
        plain = not self.mixed and self.slope == 0 and {w for w in self.weights if w != 0} == {sp.S.One}
        names = {len(form.space): f"|Δ{form.state}|", 1: f"|{form.state}_{used[0]}{used[0]}|"}
        return names.get(len(used) if plain else 0, super().magnitude(form, axes))

    def energy(self, form: Notation) -> Iterator[sp.Expr]:
        """int_0^q Phi."""
        u = form.problem.unknown
        seconds = (w * sp.Derivative(u, (a, 2)) for w, a in zip(self.weights, form.space, strict=True))
        inside = sp.Add(*seconds, self.slope * sp.Derivative(u, form.space[0]))
        yield primitive(self.flux, form.curvature, inside)

    @property
    def preconditioner(self) -> str:
        return super().preconditioner if self.slope == 0 else "diagonal"

    def constant(self, varying: Set[sp.Symbol]) -> tuple[tuple[str, sp.Expr], ...]:
        weights = tuple(("The weight of a second derivative", w) for w in self.weights)
        return (*weights, ("The weight of a first derivative", self.slope))


@dataclass(frozen=True)
class Hessian(SecondOrder):
    """-prefactor * sum_ij d_i d_j (g(|H u|^2) u_ij), H u the matrix of all u_ij, in two dimensions or more.

    That is -D*(Phi(D u)) for D u with the entries of H u; `weights` are 1, and `flux` is that of one entry
    which the others vanish beside.
    """

    mixed = True
    name = "H"
    no_diagonal = 'A Hessian takes linear systems with preconditioner="none".'

    def energy(self, form: Notation) -> Iterator[sp.Expr]:
        yield primitive(self.diffusivity, SQUARED, norm2(hessian(form.problem.unknown))) / 2


@dataclass(frozen=True)
class Learned(ScalarTerm):
    """-K^T Phi(K u) with learned operators K = K_n ... K_1; `response` is the symbol of K u."""

    order = 0
    mixed = True
    no_diagonal = 'Learned operators take linear systems with preconditioner="none".'
    prefactor = sp.S.One
    chain: Chain
    response: sp.Symbol
    flux: sp.Expr
    diffusivity: sp.Expr | None

    def argument(self, form: Notation) -> sp.Symbol:
        return self.response

    def labels(self, space: tuple[sp.Symbol, ...]) -> tuple[str, ...]:
        return (str(self.chain),)

    @property
    def learned(self) -> tuple[LinearOperator, ...]:
        return self.chain.operators


def primitive(function: sp.Expr, variable: sp.Symbol, end: sp.Expr) -> sp.Expr:
    """int_0^end function d(variable); only its derivative matters, so the constant may be another one."""
    found = sp.integrate(function, variable)
    at_zero = found.subs(variable, 0)
    constant = sp.S.Zero if at_zero.has(sp.nan, sp.zoo, sp.oo) else at_zero
    result: sp.Expr = (found - constant).subs(variable, end)
    return result
