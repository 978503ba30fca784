"""The result of compiling: graph, certificate, source and module of one network."""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pde2net.discretise.semidiscretise import Semidiscrete, SemidiscreteSystem
from pde2net.emit.base import Request
from pde2net.emit.emit import emit
from pde2net.errors import DeclarationError, EmissionError
from pde2net.files import write_text
from pde2net.graph.draw import title, to_svg, to_text, write_picture
from pde2net.graph.network import Graph, node_of
from pde2net.graph.nodes import Coordinate
from pde2net.graph.unroll import unrolled
from pde2net.language.schemes import Scheme
from pde2net.program.parts import network
from pde2net.program.reach import reach
from pde2net.scheme.stack import Stack
from pde2net.verify.certificate import Certificate
from pde2net.verify.kept import Kept

if TYPE_CHECKING:
    import dask.array as da
    import torch

    from pde2net.emit.exportable import Exported
    from pde2net.trajectory.moment import Moment, Rule
    from pde2net.trajectory.record import Trajectory

STATES = 10  # that are recorded of a run, by default


@dataclass(frozen=True)
class Network:
    """A compiled network.

    looped       the graph, blocks and cycles as the bodies of loops (grammar/network.ebnf)
    update       the record of the update that the graph was built from
    certificate  what is proved about it
    kept         the condition that it keeps while it is trained
    """

    semidiscrete: Semidiscrete | SemidiscreteSystem
    scheme: Scheme
    looped: Graph
    update: Any
    certificate: Certificate
    trainable: tuple[str, ...] = ()
    shared: bool = True
    kept: Kept | None = None

    @cached_property
    def graph(self) -> Graph:
        """All blocks one after the other, networkx.MultiDiGraph; made when it is asked for (graph.unroll)."""
        return unrolled(self.looped)

    @property
    def architecture(self) -> str:
        """ "residual stack", "recurrent cell" or "u-net"."""
        name: str = self.looped.graph["architecture"]
        return name

    @property
    def several(self) -> bool:
        """Whether it has several channels; otherwise those of a picture are images of a batch."""
        return bool(self.looped.graph["channels"] > 1)

    @cached_property
    def halo(self) -> tuple[int | float, ...]:
        """Cells along each axis, at most, between a result and a value it depends on; inf for implicit steps.

        Raises EmissionError if the width of a Gaussian has no value.
        """
        space = self.semidiscrete.form.space
        if self.architecture != "residual stack":
            return (math.inf,) * len(space)
        whole = network(self.looped, [a.name for a in space])
        return tuple(max(ends) for ends in reach(whole, len(space), self.looped.graph["values"]))

    def map_blocks(
        self, array: Any, *, module: torch.nn.Module | None = None, backend: str = "auto", **fields: Any
    ) -> da.Array:
        """The network applied to a Dask array, or what makes one: a memory map, an array of Zarr.

        Blocks are those of the array, computed with `halo` more cells on each side when they are asked for,
        so that the results are those of the whole array. Its shape is that of the image, or (images,
        channels, *spatial); that of known fields likewise.

        module   a module of this network whose weights are taken; networks that learned need one
        backend  as of `module`; "auto" counts the cells of all blocks

        Raises DeclarationError for implicit networks, whose results depend on all cells, and for arrays and
        fields that do not fit.
        """
        from pde2net.emit.blocks import mapped, shifted

        self._require_free_names(self.map_blocks)
        if math.inf in self.halo:
            raise DeclarationError(
                "Results of implicit steps and multigrid cycles depend on all cells: there are no blocks; "
                "those of explicit, FED, RKL and FSI schemes do not."
            )
        problem = self.semidiscrete.form.problem
        if module is None:
            self._require_filters("map_blocks(array, module=...)")
        nodes = [node_of(self.looped, name) for name in self.looped]
        state = None if module is None else module.state_dict()
        if module is not None:
            self._load(self.module(), module)
        # What a block takes for the border of the image lies among the cells that are cut off.
        least = [int(a in problem.sides) for a in self.semidiscrete.form.space]
        moving = {node.axis for node in nodes if isinstance(node, Coordinate)}
        asked = "torch" if moving and backend == "auto" else backend  # each block has a text of its own
        taken = self.backend(asked, float(math.prod(getattr(array, "shape", ()))))
        plain = self.source(taken)

        def source(first: Sequence[int]) -> str:
            """That of a block whose first cell has these indices."""
            if not any(first[axis] for axis in moving):
                return plain
            return replace(self, looped=shifted(self.looped, first)).source(taken)

        return mapped(
            array,
            fields,
            [str(f.func) for f in problem.fields],
            int(problem.channels),
            [max(int(h), k) for h, k in zip(self.halo, least, strict=True)],
            [problem.boundary[a] == "periodic" for a in self.semidiscrete.form.space],
            [axis in moving for axis in range(len(self.halo))],
            self.semidiscrete.multiple if isinstance(self.semidiscrete, Semidiscrete) else 1,
            source,
            state,
            [s.name for s in problem.inputs],
        )

    @property
    def resumes(self) -> bool:
        """Whether `run` is as fast with states on the way: kernels show none but at ends of equal parts."""
        from pde2net.trajectory.declared import resumes

        return resumes(self.semidiscrete, self.update, self.shared)

    def run(
        self,
        u0: Any,
        *,
        every: int | None = None,
        track: Iterable[str] | Mapping[str, Callable[[Moment], Any]] = ("min", "max", "mean"),
        reference: Any = None,
        until: Rule | None = None,
        keep: bool = True,
        progress: bool = False,
        module: torch.nn.Module | None = None,
        backend: str = "auto",
        **given: Any,
    ) -> Trajectory:
        """The states on the way from u0, and what is measured at each.

        u0         floats of NumPy or torch, (batch, channels, *spatial) or without a batch; an image of one
                   channel without that as well. `given` are known fields likewise, and numbers
        every      how many steps (cycles of FSI and FED) lie between states that are recorded, beside the
                   first and the last; by default there are ten. Of a steady state each iterate of the solver
                   is a state, and `every` counts these, by default 1
        track      names of what to measure: "min", "max", "mean"; "removed", the root mean square of u - u0;
                   "residual", that of u_t; "energy", E(u) - E(u0) with u_t = -grad E(u); "psnr" in dB against
                   `reference`. Or functions of a `p2n.Moment` by names of your own
        until      a rule that ends the run at a recorded state: `p2n.discrepancy(sigma)`, or a function
        keep       whether to keep all states, or the last one alone
        progress   whether to show a bar on stderr
        module     a module of this network whose weights are taken; networks that learned need one
        backend    as of `module`

        The states are those of the scheme, the same as in one call of the module to rounding. Raises
        DeclarationError for what does not fit and for an energy that there is none of. A run whose values are
        not finite any more ends there, with a warning.
        """
        from pde2net.emit.execute import execute
        from pde2net.trajectory.declared import course, part, rate, shape
        from pde2net.trajectory.run import run

        self._require_free_names(self.run)
        if every is not None and (type(every) is not int or every < 1):
            raise DeclarationError(f"every is a positive whole number of steps, not {every!r}.")
        semi, tau = self.semidiscrete, self.certificate.tau
        if module is None:
            self._require_filters("run(u0, module=...)")
        goes = course(semi, self.scheme, self.update, tau, "tau" in self.trainable)
        in_parts = self.resumes
        if isinstance(self.update, Stack) and every is not None and every >= goes.repeats:
            in_parts = True  # all at once
        by_blocks = isinstance(self.update, Stack) and not in_parts  # of which kernels show nothing
        cells, kind = float(math.prod(getattr(u0, "shape", ()))), str(getattr(u0, "dtype", "float32"))
        place = str(getattr(u0, "device", "cpu"))
        taken = "torch" if by_blocks else self.backend(backend, cells, place, kind.removeprefix("torch."))

        @cache
        def repeating(count: int) -> torch.nn.Module:
            request = self.request(taken)
            if count != goes.repeats:
                request = part(request, semi, tau, count)
            made = execute(emit(request))
            if module is not None:
                self._load(made, module)
            return made

        return run(
            repeating(goes.repeats),
            u0,
            given,
            shape(semi, self.looped.graph["channels"]),
            replace(goes, part=repeating) if in_parts else goes,
            lambda tracked: rate(self.request(), semi, tracked),
            every=every or (1 if goes.steady else -(-goes.repeats // STATES)),
            track=track,
            reference=reference,
            until=until,
            keep=keep,
            progress=progress,
        )

    def _require_free_names(self, method: Callable[..., Any]) -> None:
        """Raise DeclarationError for fields and inputs that are called like an option of a method."""
        problem = self.semidiscrete.form.problem
        own = inspect.signature(method).parameters.values()
        options = {option.name for option in own if option.kind != option.VAR_KEYWORD}
        for name in (*(str(f.func) for f in problem.fields), *(s.name for s in problem.inputs)):
            if name in options:
                raise DeclarationError(
                    f'"{name}" is an option of {method.__name__}: call the field or input otherwise, or call '
                    "the module."
                )

    def _require_filters(self, remedy: str) -> None:
        """Raise DeclarationError if filters of the network are still to be learned."""
        problem = self.semidiscrete.form.problem
        missing = [k.name for k in problem.operators if k.name not in problem.arrays]
        if missing:
            lead = f"The filters of the learned operator {missing[0]} have no values:"
            raise DeclarationError(f"{lead} {remedy}.").spelt(
                f"{lead} give it some, operator {missing[0]}(...) = [...], or run trained weights."
            )

    def _load(self, own: torch.nn.Module, module: torch.nn.Module) -> None:
        """Take the weights of a module of this network. Raises DeclarationError for those of another."""
        try:
            own.load_state_dict(module.state_dict())
        except RuntimeError as error:
            raise DeclarationError(
                f"The weights are not those of a module of this network. {error}"
            ) from error

    def source(
        self, backend: str = "torch", *, steps: tuple[int, int] | None = None, check: bool = True
    ) -> str:
        """Standalone Python source that imports torch and math, and what compiles its kernels.

        It has the same bytes on every call.

        backend  "torch"; "numba" for kernels in loops over cells, which imports numba and NumPy too; "triton"
                 for those of a GPU
        steps    of kernels in one pass over memory, and in one that keeps what derivatives need; by default
                 so many that 4096 columns stay in caches of 4 MiB (STEPS in emit/kernels/stack.py)
        check    whether it compares values with declared bounds, signs and domains, which the certificate
                 assumes, and raises ValueError for others. Traced and exported networks compare nothing

        Raises EmissionError if the step, the spacing or a parameter has no value.
        """
        from pde2net.emit.backends import checked

        if checked(backend) == "auto":
            raise DeclarationError(
                'source(backend="torch"), "numba" or "triton": what "auto" chooses depends on the image.'
            )
        if steps is not None and not (
            isinstance(steps, tuple) and len(steps) == 2 and all(type(n) is int and n > 0 for n in steps)
        ):
            raise DeclarationError(f"steps is a pair of numbers of steps, such as (20, 8), not {steps!r}.")
        if steps is not None and backend == "torch":
            raise DeclarationError('steps are those of a pass of kernels: backend="numba" or "triton".')
        asked = backend, steps, check
        if asked not in self._sources:
            self._sources[asked] = emit(self.request(*asked))
        return self._sources[asked]

    @cached_property
    def _sources(self) -> dict[tuple[str, tuple[int, int] | None, bool], str]:
        """Those that were asked for."""
        return {}

    def request(
        self, backend: str = "torch", steps: tuple[int, int] | None = None, check: bool = True
    ) -> Request:
        """What `source` asks for."""
        unknowns, semi = self.semidiscrete.form.problem.unknowns, self.semidiscrete
        return Request(
            graph=self.looped,
            update=self.update,
            certificate=self.certificate,
            axes=tuple(a.name for a in self.semidiscrete.form.space),
            smallest=self.semidiscrete.smallest,
            unknowns=tuple(str(u.func) for u in unknowns) if len(unknowns) > 1 else (),
            trainable=self.trainable,
            shared=self.shared,
            kept=self.kept,
            arrays=self.semidiscrete.form.problem.arrays,
            multiple=semi.multiple if isinstance(semi, Semidiscrete) else 1,
            backend=backend,
            steps=steps,
            check=check,
        )

    def with_digest(self) -> Network:
        """The same network, with a certificate that carries the digest of `source()`, where there is one."""
        try:
            digest = hashlib.sha256(self.source().encode()).hexdigest()
        except EmissionError:  # without values for all symbols there is no source
            return self
        return replace(self, certificate=replace(self.certificate, source=digest))

    def save(self, path: str | Path, certificate: str | Path | None = None) -> None:
        """Write `source()` to `path` and, if that is given, the JSON of its certificate to `certificate`.

        `pde2net recheck certificate.json net.py` checks them together. Each file is written whole or not at
        all. Raises FileError if it cannot be written.
        """
        write_text(path, self.source())
        if certificate is not None:
            write_text(certificate, self.certificate.to_json())

    def export(
        self,
        path: str | Path,
        *,
        size: Sequence[int] | None = None,
        batch: int | None = None,
        dtype: str = "float32",
        module: torch.nn.Module | None = None,
    ) -> Exported:
        """Write the network for other programs: .onnx, or .pt2 for torch.export.load. For inference.

        size    cells along each axis; None for any, where the network has no coarser grids
        batch   the number of images; None for any
        dtype   "float32" or "float64", of all inputs and of the result
        module  a module of this network whose weights are taken; networks with trained parameters need one

        Inputs are u, (batch, channels, *spatial), known fields likewise, of one channel for domains and for
        systems, and numbers, (batch,), by their names; the result, "result", has the shape of u. The file
        says of itself, as strings, the equation, the scheme, the digest of `source()` and the certificate. It
        is run and must give what the module gives, ONNX where onnxruntime is installed; values are not
        compared with what is declared. It is written whole or not at all.

        Raises EmissionError, before anything is tried, for what no file can hold (docs/export.md), and if
        onnx is missing; DeclarationError for options that do not fit; FileError for other suffixes and a
        path that cannot be written.
        """
        from pde2net.emit.export import export
        from pde2net.emit.exportable import checked, metadata
        from pde2net.trajectory.declared import part, repeats

        semi, request = self.semidiscrete, self.request(check=False)
        options = checked(request, path, size, batch, dtype)
        if (semi.form.problem.operators or self.trainable) and module is None:
            raise DeclarationError(
                "This network has trained parameters: export(path, module=...) says of which module; "
                "module=network.module() has the values of the declaration."
            )
        digest = hashlib.sha256(self.source().encode()).hexdigest()
        one = None
        if self.scheme.repeats > 1 and repeats(semi, self.update, self.shared):
            one = part(request, semi, self.certificate.tau, 1)
        return export(
            request,
            one,
            options,
            lambda made: None if module is None else self._load(made, module),
            metadata(request, digest, not self.trainable or self.kept is not None),
        )

    def tuned(self, *size: int, images: int = 1) -> tuple[int, int]:
        """The `steps` of `source("numba", steps=...)` that are fastest here for images of this size.

        They are measured with random images, in single precision, with as many threads as torch has, which
        takes a minute, and remembered beside what numba has compiled. Raises EmissionError without kernels.
        """
        from pde2net.emit.kernels.tune import tuned

        space, problem = self.semidiscrete.form.space, self.semidiscrete.form.problem
        if len(size) != len(space) or not all(type(n) is int and n > 0 for n in (*size, images)):
            axes = ", ".join(map(str, space))
            raise DeclarationError(f"tuned takes positive whole numbers of cells along {axes}.")
        emit(self.request("numba"))
        if self.looped.graph["architecture"] != "residual stack" or self.semidiscrete.form.problem.operators:
            raise EmissionError(
                "Kernels of cells, U-nets and learned filters have no passes of several steps."
            )
        shape = (images, self.looped.graph["channels"], *size)
        arrays = {str(f.func): shape for f in problem.fields} | {s.name: () for s in problem.inputs}
        domain = "" if problem.domain is None else str(problem.domain.func)
        arrays |= {domain: (images, 1, *size)} if domain else {}
        return tuned(lambda steps: self.source("numba", steps=steps), {"u": shape, **arrays}, domain)

    def module(
        self, backend: str = "torch", *, steps: tuple[int, int] | None = None, check: bool = True
    ) -> torch.nn.Module:
        """The torch.nn.Module that `source` with the same options defines, with fresh parameters.

        "auto" is "numba" where that is installed and the network has kernels, else "torch" and a warning.
        "triton" has kernels for a GPU. Raises DeclarationError for another backend, EmissionError if kernels
        are asked for and there are none, or what compiles them is not installed.

        It maps (batch, channels, *spatial) to the same shape, dtype and device; known fields are keyword
        arguments of the same shape, or of one channel. Non-trainable constants are Python floats, so
        `.double()` is exact; trainable ones are float64 scalars.
        """
        from pde2net.emit.execute import execute

        return execute(self.source(self.backend(backend, math.inf), steps=steps, check=check))

    def backend(self, asked: str, cells: float, device: str = "cpu", dtype: str = "float32") -> str:
        """ "torch" or "numba", which "auto" chooses for so many cells of all images (emit/backends.py)."""
        from pde2net.emit.backends import chosen

        passes = len(getattr(self.update, "stages", "-")) * getattr(self.update, "cycles", 1)
        return chosen(asked, lambda: self.source("numba"), cells * passes, device, dtype)

    def __str__(self) -> str:
        """The equation and the graph, in characters for a terminal."""
        return f"{self.semidiscrete.form.problem}\n\n{to_text(self.looped)}"

    def __repr__(self) -> str:
        scheme = self.certificate.subject["scheme"]
        return f"Network({self.architecture}: {self.semidiscrete.form.problem}; {scheme})"

    def _repr_html_(self) -> str:
        """The graph and the certificate, in notebooks."""
        return f"<div>{self._repr_svg_()}{self.certificate._repr_html_()}</div>"

    def _repr_svg_(self) -> str:
        """The graph, drawn in notebooks."""
        return to_svg(self.looped, title(self.semidiscrete.form.problem))

    def draw(self, path: str | Path) -> None:
        """Write the graph, blocks and cycles once: to a picture, .svg, or as text for Graphviz, .dot.

        Raises FileError for other suffixes, and for a path that cannot be written.
        """
        write_picture(self.looped, title(self.semidiscrete.form.problem), path)

    def _repr_latex_(self) -> str:
        """The equation and the certificate, where a notebook shows no drawings."""
        return f"{self.semidiscrete.form.problem._repr_latex_()}\n\n{self.certificate._repr_latex_()}"
