"""`pde2net run`: a network on pictures, arrays and volumes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pde2net import images
from pde2net.cli.applying import How, Seen, apply, in_blocks, result
from pde2net.cli.channels import (
    check_fields,
    check_scale,
    check_spacing,
    read_fields,
    read_numbers,
    stacked,
    with_spacing,
)
from pde2net.cli.inputs import (
    PIPE,
    Given,
    declaration,
    in_its_words,
    no_pipe,
    number,
    refuse_changes,
)
from pde2net.cli.lasting import network_for
from pde2net.cli.results import check_target, table, targets, whole, write
from pde2net.cli.say import Say
from pde2net.cli.verify import WEIGHTS
from pde2net.cli.wording import course, reached
from pde2net.errors import DeclarationError, Pde2NetError, StabilityError
from pde2net.files import check_output
from pde2net.language.declaration import Declaration
from pde2net.network import Network
from pde2net.trajectory.moment import discrepancy
from pde2net.trajectory.record import Trajectory


@dataclass(frozen=True)
class Choices:
    """The options of `run`, as they were given."""

    stop_at: float | None = None
    until_removed: str | None = None
    every: int | None = None
    track: str | None = None
    table: Path | None = None
    reference: Path | None = None
    tile: int | None = None
    fields: Sequence[str] = ()
    numbers: Sequence[str] = ()
    spacing: str = "declared"
    dtype: str = "float32"
    device: str = "cpu"
    backend: str = "auto"
    on_unstable: str = "error"
    piped: str = "png"

    @property
    def tracked(self) -> tuple[str, ...]:
        return () if self.track is None else tuple(name.strip() for name in self.track.split(","))

    @property
    def sigma(self) -> float | None:
        return None if self.until_removed is None else float(number(self.until_removed, "--until-removed"))


@in_its_words
def run_file(given: Given, sources: Sequence[Path], target: str, choices: Choices, say: Say) -> bool:
    """Run each input and write its result; whether all went well. Of one input errors are raised."""
    _check(given, sources, target, choices)
    runner = _Runner(given, choices, say, several=len(sources) > 1)
    places = targets(sources, target)
    if len(sources) == 1:
        say.data(results=[runner.run(sources[0], places[0])], failed=[])
        return True
    results, failed = [], []
    for source, place in zip(sources, places, strict=True):
        try:
            results.append(runner.run(source, place))
        except StabilityError:
            raise
        except Pde2NetError as error:
            words, kind = given.words(error), type(error).__name__
            failed.append({"input": str(source), "error": words, "kind": kind})
            say.error(words if str(source) in words else f"{source}: {words}", kind)
    say.data(results=results, failed=failed)
    return not failed


def _check(given: Given, sources: Sequence[Path], target: str, choices: Choices) -> None:
    """Raise DeclarationError or FileError for options that exclude each other."""
    ways = {
        "--every": choices.every is not None,
        "--track": choices.track is not None,
        "--until-removed": choices.until_removed is not None,
        f"OUTPUT {Path(target).suffix}": whole(target),
    }
    for name in (name for name, there in ways.items() if there and choices.tile is not None):
        raise DeclarationError(f"--tile computes blocks, which have no states on the way: leave out {name}.")
    if choices.stop_at is not None and given.steps is not None:
        raise DeclarationError("--stop-at chooses the number of steps: leave out --steps.")
    if choices.every is not None and target == PIPE:
        raise DeclarationError("--every writes several files, and stdout takes one result.")
    if choices.reference is not None and "psnr" not in choices.tracked:
        raise DeclarationError("--reference is what psnr compares with: add --track psnr.")
    if "psnr" in choices.tracked and choices.reference is None:
        raise DeclarationError("--track psnr compares with an image: add --reference PATH.")
    if choices.table is not None:
        if choices.track is None:
            raise DeclarationError("--table is that of --track: add --track mean, say.")
        if len(sources) > 1:
            raise DeclarationError("--table is that of one INPUT.")
        check_output(choices.table, (".csv",), (given.file, *sources))
    for source in map(str, sources):
        no_pipe(given, source, "INPUT")
    if [*map(str, sources)].count(PIPE) > 1:
        raise DeclarationError("stdin has one INPUT.")


@dataclass
class _Runner:
    """Runs one input after the other; the network is compiled once for each spacing of cells."""

    given: Given
    choices: Choices
    say: Say
    several: bool
    networks: dict[Any, Network] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.module = None
        if self.given.file.suffix == WEIGHTS:
            from pde2net.learn import checkpoint

            refuse_changes(self.given, self.given.file)
            if self.choices.stop_at is not None or self.choices.spacing != "declared":
                option = "--spacing" if self.choices.stop_at is None else "--stop-at"
                raise DeclarationError(
                    f"{option} goes with declarations: the steps of trained weights are their own."
                )
            network = checkpoint.network(self.given.file)
            self.declared = network.certificate.declaration
            self.networks[self.declared.grid] = network
            self.module = checkpoint.module(self.given.file).eval()
        else:
            self.declared = declaration(self.given)

    def run(self, source: Path, target: str) -> dict[str, Any]:
        """Read, check everything, run, write, and report time and range."""
        choices, say = self.choices, self.say
        declared = self.declared
        picture = stacked(_read(source), source, declared)
        paths = [entry.partition("=")[2] for entry in choices.fields]
        inputs: list[str | Path] = [self.given.file, source, *paths]
        check_target(target, picture, inputs, choices.piped)
        fields = read_fields(choices.fields, declared, picture)
        numbers = read_numbers(choices.numbers, declared)
        seen = self._seen(target, declared, source, picture)
        if choices.spacing == "declared":
            check_spacing(declared, picture, source, say)
        else:
            grid = with_spacing(choices.spacing, declared, picture, source)
            declared = Declaration(declared.problem, declared.given, grid)
        network = self._network(declared)
        check_scale(network, picture, source, say)
        check_fields(fields, picture, say)
        how = How(choices.dtype, choices.device, choices.backend, self.module)
        way: Trajectory | None = None
        if choices.tile is None:
            way, seconds = apply(network, picture.channels, fields, numbers, how, say, seen)
            final = result(network, way.final)
            self._tell_removed(way, final - picture.channels, network)
        else:
            final, seconds = in_blocks(network, picture.channels, fields, numbers, how, choices.tile, say)
        written = write(target, network, final, way, picture, inputs, choices.piped, say)
        if choices.table is not None and way is not None:
            way.to_csv(choices.table)
            written.append(str(choices.table))
        went = course(network) if way is None or not way.stopped else reached(network, way)
        self._report(source, went, seconds, picture.channels, final, way, network, written)
        return {
            "input": str(source),
            "output": written,
            "course": went,
            "seconds": seconds,
            "before": _range(picture.channels),
            "after": _range(final),
            "stopped": "" if way is None else way.stopped,
            "track": [] if way is None or not choices.tracked else way.rows,
        }

    def _network(self, declared: Declaration) -> Network:
        if declared.grid not in self.networks:
            self.networks[declared.grid] = network_for(
                self.given, declared, self.choices.stop_at, self.choices.on_unstable, self.say
            )
        return self.networks[declared.grid]

    def _seen(self, target: str, declared: Declaration, source: Path, picture: images.Picture) -> Seen:
        choices, reference = self.choices, None
        if choices.reference is not None:
            beside = choices.reference / source.name  # a folder may be a series of DICOM itself
            path = beside if beside.exists() else choices.reference
            found = stacked(_read(path), path, declared).channels
            if found.shape != picture.channels.shape:
                raise DeclarationError(
                    f"--reference {path} has the shape {found.shape}, the input "
                    f"{picture.channels.shape}; they must agree."
                )
            reference = found
        until = None if choices.sigma is None else discrepancy(choices.sigma)
        keep = choices.every is not None or whole(target)
        return Seen(choices.every, choices.tracked, reference, until, keep)

    def _tell_removed(self, way: Trajectory, removed: NDArray[np.float64], network: Network) -> None:
        """Warn if less was removed than there is noise."""
        if self.choices.sigma is None or way.stopped:
            return
        axes = None if network.several else tuple(range(1, removed.ndim))
        least = float(np.sqrt((removed**2).mean(axis=axes)).min())
        self.say.warn(
            f"at the end {least:.4g} is removed, less than --until-removed {self.choices.until_removed}: "
            "take more --steps."
        )

    def _report(
        self,
        source: Path,
        went: str,
        seconds: float,
        before: NDArray[np.float64],
        after: NDArray[np.float64],
        way: Trajectory | None,
        network: Network,
        written: Sequence[str],
    ) -> None:
        say = self.say
        say.remark(f"{f'{source}: ' if self.several else ''}{went}, in {seconds:.2f} s")
        for name, array in (("before", before), ("after", after)):
            say.remark(f"{name:<7} min {array.min():.4f}  mean {array.mean():.4f}  max {array.max():.4f}")
        if way is not None and way.stopped:
            say.remark(f"stopped since {way.stopped}")
        if way is not None and self.choices.tracked and self.choices.table is None:
            say.answer(*table(way, network))
        say.remark(*(name for name in written if name != PIPE))


def _read(source: Path) -> images.Picture:
    if str(source) == PIPE:
        return images.read_bytes(sys.stdin.buffer.read(), "<stdin>")
    return images.read(source)


def _range(values: NDArray[np.float64]) -> dict[str, float]:
    return {"min": float(values.min()), "mean": float(values.mean()), "max": float(values.max())}
