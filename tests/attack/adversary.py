"""Attacks on what a certificate calls proved, through the emitted network in float64.

Inputs are modes, checkerboards, spikes, steps and noise of tiny to huge amplitude, and what gradient ascent
makes of them, all of a shape in one batch. Nothing here is shared with the search for counterexamples inside
the package.
"""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp
import torch

import pde2net as p2n
from pde2net.normalise.affine import affine

GROWTH = 1e-10
AMPLITUDES = (1e-6, 1e-2, 0.1, 0.3, 1.0, 3.0, 30.0, 1e6)
NUMBERS = (0.01, 0.3, 1.0, 40.0)  # that are given at the call
SHAPES = {1: ((2,), (3,), (8,), (24,)), 2: ((2, 2), (4, 6), (7, 5)), 3: ((2, 2, 2), (4, 4, 2))}
ITERATIONS = 12
SECONDS = 60  # of processor time for one network: solves without a preconditioner may take minutes

Tensor = torch.Tensor
Violation = Callable[[Tensor], Tensor]


def norm(u: Tensor) -> Tensor:
    """The Euclidean norm of each input of a batch, without overflow."""
    size = u.abs().amax(dim=tuple(range(1, u.ndim)), keepdim=True).clamp(min=1e-300)
    return (u / size).flatten(1).norm(dim=1) * size.flatten()


def growth(u: Tensor, v: Tensor) -> Tensor:
    """‖v‖/‖u‖ - 1; of u = 0, whether v is 0."""
    before, after = norm(u), norm(v)
    return torch.where(before > 0, after / before.clamp(min=1e-300) - 1, after)


@dataclass
class Attack:
    """The network of one certificate under attack; `found` lists claims that were broken, in words."""

    network: p2n.Network
    found: list[str] = field(default_factory=list)
    inputs: int = 0

    def __post_init__(self) -> None:
        self.until = time.process_time() + SECONDS
        self.certificate = self.network.certificate
        self.module = self.network.module().double()
        declared = self.certificate.declaration
        problem, form = declared.problem, self.network.semidiscrete.form
        self.passes = passes(declared.scheme)
        self.names = [str(f.func) for f in problem.fields]
        drawn = random.Random(str(problem))
        self.numbers = {s.name: drawn.choice(NUMBERS) for s in problem.inputs}
        self.channels = problem.channels
        ends = [end for pair in problem.sides.values() for end in pair if end is not None]
        self.at_sides = [float(end.c / end.a) for end in ends if end.a != 0]
        found = affine(form.reaction, form.state) if isinstance(form.reaction, sp.Expr) else None
        if found is not None and found[1].is_number and found[1] != 0 and found[0].is_number:
            self.at_sides.append(float(-found[0] / found[1]))  # a number that pulls everywhere
        self.single = len(problem.unknowns) > 1
        self.includes_zero = "dirichlet" in problem.boundary.values() or form.reaction != 0
        self.bounds = {name: pair for name, pair in problem.bounds.items() if name in self.names}
        self.ranges = [tuple(map(float, pair)) for pair in problem.ranges or ()]
        self.domain = "" if problem.domain is None else str(problem.domain.func)
        reaction = {*map(str, form.reaction.free_symbols)}
        self.targets = [n for n in self.names if n in reaction and n not in self.bounds]
        smallest = max(self.network.semidiscrete.smallest)
        self.shapes = [tuple(max(n, smallest) for n in shape) for shape in SHAPES[len(problem.space)]]

    def run(self) -> list[str]:
        """Attack every proved claim, replay every refutation."""
        for name, violation in self.violations():
            for shape in dict.fromkeys(self.shapes):
                self.judge(name, *self.worst(violation, self.started(shape)))
        if self.proved("energy_decay") and not getattr(self.network.semidiscrete.form, "learned", ()):
            for shape in dict.fromkeys(self.shapes):
                self.attack_energy(self.started(shape))
        self.replay()
        self.train()
        return self.found

    def train(self) -> None:
        """What is kept holds for parameters far from where they started, too."""
        training = self.certificate.training
        kept = () if training is None else training.kept
        for value in (-30.0, -3.0, 0.0, 3.0, 30.0, "0.1 random", "random", "10 random") if kept else ():
            generator = torch.Generator().manual_seed(len(kept))
            with torch.no_grad():
                for parameter in self.module.parameters():
                    if isinstance(value, float):
                        parameter.fill_(value)
                        continue
                    noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                    parameter.copy_(float(value.removesuffix("random") or 1) * noise)
            for name, violation in self.violations():
                if name in kept:
                    self.judge(
                        f"{name}, trained to {value}", *self.worst(violation, self.started(self.shapes[-1]))
                    )

    def violations(self) -> Iterator[tuple[str, Violation]]:
        """For each proved claim by how much a batch of inputs violates it: positive beyond it."""
        if self.proved("l2_stability"):
            yield "l2_stability", lambda u: growth(u, self.apply(u))
        if self.proved("maximum_principle"):
            yield "maximum_principle", self.leaving if self.assumes_range else self.excess
        if self.proved("mean_preservation"):
            yield "mean_preservation", self.mean_change
        yield from self.of_data()
        for name in ("nonexpansive", "well_posed"):
            if self.proved(name):
                factor = self.certificate.claims[name].factor
                if factor is not None and factor.free_symbols:
                    continue  # norms of filters
                each = 1.0 if factor is None else float(min(factor, 10**300))
                if each**self.passes < 1e100:
                    bound = each**self.passes
                    yield name, lambda u, bound=bound: self.separation(u) / bound - 1
                    yield name, lambda u, bound=bound: self.expansion(u) / bound - 1

    def of_data(self) -> Iterator[tuple[str, Violation]]:
        """The input is the field of a fidelity, too."""
        if self.proved("bounded_by_data"):
            yield "bounded_by_data", lambda u: growth(u, self.restored(u))
        for name in ("lipschitz_in_data", "averaged"):
            if not self.proved(name):
                continue
            stated = self.certificate.claims[name].factor
            if stated is None or stated.free_symbols or stated == 0:
                continue
            factor = float(stated)

            def rest(u: Tensor, alpha: float = factor) -> Tensor:
                """R of N = (1 - alpha) I + alpha R."""
                return (self.restored(u) - (1 - alpha) * u) / alpha

            moved, bound = (rest, 1.0) if name == "averaged" else (self.restored, factor)
            yield name, lambda u, m=moved, b=bound: self.separation(u, m) / b - 1
            yield name, lambda u, m=moved, b=bound: self.expansion(u, m) / b - 1

    @property
    def assumes_range(self) -> bool:
        """Whether it is the declared range that the maximum principle is about."""
        claim = self.certificate.claims["maximum_principle"]
        return any(h.name.startswith("declared range") for h in claim.hypotheses)

    def admitted(self, u: Tensor) -> Tensor:
        """The nearest input in the declared ranges; those of one equation hold for all channels."""
        if not self.ranges:
            return u
        ends = self.ranges if len(self.ranges) == u.shape[1] else self.ranges * u.shape[1]
        shape = (1, -1, *[1] * (u.ndim - 2))
        low, high = (torch.tensor([e[i] for e in ends], dtype=u.dtype).reshape(shape) for i in (0, 1))
        return torch.minimum(torch.maximum(u, low), high)

    def leaving(self, u: Tensor) -> Tensor:
        """By how much values leave the declared ranges."""
        v = self.apply(u)
        return self.seen((v - self.admitted(v)).abs() / (1 + u.detach().abs().amax())).flatten(1).amax(1)

    def restored(self, u: Tensor) -> Tensor:
        self.inputs += len(u)
        fields = {**self.fields(u), **dict.fromkeys(self.targets[:1], self.garbage(u))}
        result: Tensor = self.module(self.garbage(u), **fields)
        return self.seen(result)

    def proved(self, name: str) -> bool:
        return str(self.certificate.claims[name].status) == "proved"

    def judge(self, name: str, violation: float, u: Tensor) -> None:
        if violation > GROWTH:
            self.found.append(f"{name}: violated by {violation:.3e} at {u.squeeze().tolist()}")

    # -- inputs --------------------------------------------------------------------------------

    def patterns(self, shape: tuple[int, ...]) -> Tensor:
        """Every pattern at every amplitude, as one batch."""
        axes = np.meshgrid(*[np.arange(n) for n in shape], indexing="ij")
        rng, parity = np.random.default_rng(len(shape)), sum(axes)
        waves = [np.cos(np.pi * (n - 1) * (a + 0.5) / n) for a, n in zip(axes, shape, strict=True)]
        found = [
            (-1.0) ** parity,
            (-1.0) ** axes[0],
            np.where(parity == 0, 1.0, 0.0),
            np.where(parity < sum(shape) / 2, 0.0, 1.0),
            np.sqrt(2) * np.cos(np.pi * axes[0] / 2 + np.pi / 4),  # period 4: worst for central differences
            np.prod(waves, axis=0),
            rng.normal(size=shape),
            rng.uniform(size=shape),
        ]
        batch = [a * np.asarray(p, dtype=float) for p in found for a in AMPLITUDES]
        if self.channels == 1:
            return self.harmful(torch.from_numpy(np.stack(batch))[:, None])
        # One channel alone, then all of them in a mix of its own for each input.
        mix = rng.normal(size=(len(batch), self.channels)) * (rng.random((len(batch), self.channels)) < 0.7)
        mix[: len(batch) // 3] = np.eye(self.channels)[0]
        images = np.stack(batch)[:, None] * mix.reshape(*mix.shape, *[1] * len(shape))
        turned = np.where(rng.random(images.shape[:2]) < 0.5, 1, 0).reshape(*mix.shape, *[1] * len(shape))
        images = turned * images + (1 - turned) * images[..., ::-1]
        return self.harmful(torch.from_numpy(images))

    def harmful(self, images: Tensor) -> Tensor:
        """Those that are not 0 in the domain."""
        inner = self.seen(images)
        return inner[inner.abs().flatten(1).amax(1) > 0]

    def inside(self, shape: tuple[int, ...]) -> Tensor:
        """The cells of the domain, which claims are about: some parts of an image, or all of it."""
        rng = np.random.default_rng(3)
        found = rng.random(shape) < 0.75 if self.domain else np.ones(shape, dtype=bool)
        found[(0,) * len(shape)] = found[(-1,) * len(shape)] = True
        return torch.from_numpy(found)

    def garbage(self, u: Tensor) -> Tensor:
        """`u`, with numbers that nobody should see outside of the domain."""
        if not self.domain:
            return u
        noise = torch.from_numpy(np.random.default_rng(5).normal(0, 1e3, u.shape[2:]))
        return torch.where(self.inside(tuple(u.shape[2:])), u, noise)

    def seen(self, u: Tensor) -> Tensor:
        """`u`, with 0 outside of the domain."""
        return torch.where(self.inside(tuple(u.shape[2:])), u, 0) if self.domain else u

    def started(self, shape: tuple[int, ...]) -> Tensor:
        """The patterns; with declared ranges, at both ends of these, in the upper half, and as they are."""
        u = self.patterns(shape)
        if not self.ranges:
            return u
        axes = tuple(range(2, u.ndim))
        flat = (u - u.amin(axes, keepdim=True)) / (
            u.amax(axes, keepdim=True) - u.amin(axes, keepdim=True) + 1e-9
        )
        far = [1e3 * (flat - 0.5).sign(), 1e3 * (flat + 0.2).round() - 500, u]
        low, high = self.admitted(torch.full_like(u, -50.0)), self.admitted(torch.full_like(u, 50.0))
        return torch.cat([*(self.admitted(p) for p in far), low + (high - low) * flat])

    def fields(self, u: Tensor) -> dict[str, Tensor]:
        """Known fields of any sign, the same for equal shapes."""
        rng = np.random.default_rng(7)
        one = {n: torch.from_numpy(rng.normal(size=(1, 1, *u.shape[2:]))) for n in self.names}
        if "c" in one:  # a mask, or a diffusivity, with a hole in one piece
            one["c"] = torch.ones(1, 1, *u.shape[2:], dtype=torch.float64)
            one["c"][..., : u.shape[-1] // 2 + 1] = 0
        for name, ends in self.bounds.items():
            low, high = (min(max(float(e), -9.0), 9.0) for e in ends)
            drawn = rng.choice(
                [low, low, high, high, (low + high) / 2, low + (high - low) / 7], one[name].shape
            )
            one[name] = torch.from_numpy(drawn)
        shape = (len(u), 1, *u.shape[2:]) if self.single else u.shape
        found = {n: f.expand(shape).contiguous() for n, f in one.items()}
        if self.domain:
            found[self.domain] = self.inside(tuple(u.shape[2:])).double()[None, None]
        return {**found, **self.numbers}

    def apply(self, u: Tensor) -> Tensor:
        self.inputs += len(u)
        result: Tensor = self.module(self.garbage(u), **self.fields(u))
        return self.seen(result)

    # -- violations ------------------------------------------------------------------------------

    def excess(self, u: Tensor) -> Tensor:
        """By how much values leave the range of u, 0 and the field of a fidelity term."""
        cells = self.inside(tuple(u.shape[2:]))
        low, high = u[..., cells].amin(2), u[..., cells].amax(2)  # of each channel
        if self.includes_zero:
            low, high = low.clamp(max=0), high.clamp(min=0)
        for value in self.at_sides:
            low, high = low.clamp(max=value), high.clamp(min=value)
        fields = self.fields(u)
        for name in self.targets:
            own = fields[name][..., cells]
            low, high = torch.minimum(low, own.min()), torch.maximum(high, own.max())
        v = self.apply(u)[..., cells]
        size = torch.maximum(low.abs(), high.abs()).amax(1, keepdim=True).clamp(min=1e-300)
        return (torch.maximum(v.amax(2) - high, low - v.amin(2)) / size).amax(1)

    def mean_change(self, u: Tensor) -> Tensor:
        v = self.apply(u)
        size = torch.maximum(u.abs(), v.abs()).flatten(1).amax(1)  # rounding grows with the output
        if isinstance(self.certificate.declaration.scheme, p2n.Theta):  # and with what is solved for
            size = torch.maximum(size, self.explicit(u.detach()).abs().flatten(1).amax(1))
        changed = (v - u).flatten(2).mean(2).abs().amax(1) / size.clamp(min=1e-300)
        return torch.where(size < 1e150, changed, 0.0)  # products of larger numbers overflow

    def separation(self, u: Tensor, network: Violation | None = None) -> Tensor:
        """Distance to another input before and after."""
        rng = np.random.default_rng(u[0].numel())
        noise = torch.from_numpy(rng.choice([-1.0, 1.0], size=tuple(u.shape[1:])))
        size = u.detach().abs().amax(dim=tuple(range(1, u.ndim)), keepdim=True)
        change = self.seen(u.detach().flip(-1) / 3 + noise * size / 10)
        change = self.admitted(u.detach() + change) - u.detach()
        run = network or self.apply
        moved, before = norm(run(u + change) - run(u)), norm(change)
        return torch.where(before > 1e-6 * size.flatten(), moved / before.clamp(min=1e-300), 0.0)

    def expansion(self, u: Tensor, network: Violation | None = None) -> Tensor:
        """The spectral norm of the Jacobian: row i of it from copy i of the input, in one backward pass."""
        count, cells = len(u), u[0].numel()
        copies = u.detach().repeat_interleave(cells, 0).requires_grad_()
        out = (network or self.apply)(copies).reshape(count, cells, cells)
        (rows,) = torch.autograd.grad(out.diagonal(dim1=1, dim2=2).sum(), copies)
        jacobians = torch.nan_to_num(rows.reshape(count, cells, cells), 0.0, 0.0, 0.0)
        return torch.linalg.matrix_norm(jacobians, 2)

    # -- search ----------------------------------------------------------------------------------

    def worst(self, violation: Violation, start: Tensor) -> tuple[float, Tensor]:
        """The largest violation of a batch, before and after gradient ascent with its own step lengths."""
        u = start
        best, where = torch.full((len(u),), -torch.inf, dtype=u.dtype), u.clone()
        length = torch.full((len(u),), 0.2, dtype=u.dtype)
        for _ in range(ITERATIONS):
            u = u.detach().requires_grad_()
            value = violation(u)
            better = torch.nan_to_num(value.detach(), torch.inf) > best
            best = torch.where(better, torch.nan_to_num(value.detach(), torch.inf), best)
            where = torch.where(_each(better, u), u.detach(), where)
            length = torch.where(better, length, length / 2)
            if not value.requires_grad or time.process_time() > self.until:
                break
            (slope,) = torch.autograd.grad(value.sum(), u, allow_unused=True)
            if slope is None:
                break
            slope = torch.nan_to_num(slope, 0.0, 0.0, 0.0)
            climbed = where + _each(length * norm(where) / norm(slope).clamp(min=1e-300), u) * slope
            u = self.admitted(self.seen(climbed))
        k = int(best.argmax())
        return float(best[k]), where[k]

    @functools.cached_property
    def one(self) -> Any:
        """An explicit step of the same size."""
        declared, scheme = self.certificate.declaration, p2n.Explicit(self.certificate.tau, 1)
        problem = declared.problem.changed(bounds=self.bounds)  # states may leave what is declared of u0
        network = p2n.compile(problem, scheme, declared.grid, on_unstable="ignore")
        return network.module().double()

    def explicit(self, u: Tensor) -> Tensor:
        with torch.no_grad():
            found: Tensor = self.one(u, **self.fields(u))
        return found

    def attack_energy(self, u: Tensor) -> None:
        """E(u1) - E(u0) as the integral of its gradient, (w - step(w))/tau of an explicit step."""
        nodes, weights = np.polynomial.legendre.leggauss(12)
        with torch.no_grad():
            v = self.apply(u)
            direction = v - u
            totals = []
            for panels in (8, 16):
                total, size = torch.zeros(len(u)), torch.zeros(len(u))
                for k in range(panels):
                    for node, weight in zip(nodes, weights, strict=True):
                        w = u + direction * ((k + (node + 1) / 2) / panels)
                        part = ((w - self.explicit(w)) * direction).flatten(1).sum(1)
                        total = total + weight / (2 * panels) * part
                        size = size + weight / (2 * panels) * part.abs()
                totals.append(total)
            coarse, fine = totals
            rounding = 1e-14 * u.abs().flatten(1).amax(1) * direction.abs().flatten(1).sum(1)
            slope = (u - self.explicit(u)).abs().flatten(1).sum(1)
            known = GROWTH * u.abs().flatten(1).amax(1) * slope  # v is known to that part of its size
            growth = fine - 1e-9 * size - 20 * (fine - coarse).abs() - rounding - known
        k = int(torch.nan_to_num(growth, torch.inf).argmax())
        if not float(growth[k]) <= 0:
            self.found.append(f"energy_decay: energy grows by {float(fine[k])} at {u[k].squeeze().tolist()}")

    def image(self, values: object) -> Tensor:
        """A witness as a batch of one."""
        array = torch.tensor(values, dtype=torch.float64)[None]
        return array if self.channels > 1 else array[None]

    def replay(self) -> None:
        """Every refutation must hold when its witness is run through the emitted network."""
        for name, claim in self.certificate.claims.items():
            witness = claim.witness
            if str(claim.status) != "refuted" or name in ("energy_decay", "solver_convergence"):
                continue  # energies and residuals are no outputs of the network
            if "coefficients kept" in witness["description"]:
                continue  # of a network with other coefficients
            u = self.image(witness["u0"])
            given = {n: w for n, w in witness.get("fields", {}).items() if n in self.names}
            fields = {n: self.image(values) for n, values in given.items()}
            if self.single:  # fields of a system have one channel
                fields = {n: f if f.ndim == u.ndim else f[:, None] for n, f in fields.items()}
            if self.domain:  # they are those of a whole image
                fields[self.domain] = torch.ones_like(u[:, :1])
            with torch.no_grad():
                v = self.module(u, **fields)
                if not torch.isfinite(v).all():
                    continue
                if "v0" in witness:
                    w = self.image(witness["v0"])
                    if name in ("lipschitz_in_data", "averaged"):
                        fields |= dict.fromkeys(self.targets[:1], w)
                    broken = bool(norm(self.module(w, **fields) - v) > norm(w - u))
                elif name == "maximum_principle":
                    low, high = witness["extremum"]["range"]
                    broken = bool(v.max() > high or v.min() < low)
                elif name == "mean_preservation":
                    broken = float((v.mean() - u.mean()).abs()) > 1e-12 * float(u.abs().max())
                else:
                    broken = bool(norm(v) > norm(u))
            if not broken:
                self.found.append(f"{name}: refuted, but its witness does no harm in the emitted network")


def passes(scheme: p2n.Scheme) -> int:
    """How often a network repeats what Lipschitz factors are about: steps or cycles."""
    if isinstance(scheme, p2n.DuFortFrankel):
        return 1
    return int(scheme.cycles if isinstance(scheme, p2n.FSI | p2n.FED) else scheme.steps)


def _each(per_input: Tensor, u: Tensor) -> Tensor:
    """One number per input, to be multiplied with the batch."""
    return per_input.reshape(-1, *[1] * (u.ndim - 1))
