"""The channels of what `run` reads: an input, and known fields that go with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from pde2net import images
from pde2net.cli.inputs import entry, number
from pde2net.cli.say import Say
from pde2net.cli.wording import counted
from pde2net.errors import DeclarationError, FileError, suggestion
from pde2net.language.declaration import Declaration
from pde2net.language.expressions import shown
from pde2net.language.grid import Grid
from pde2net.network import Network
from pde2net.normalise.form import SystemForm

Value = TypeVar("Value")
ITSELF = "INPUT"  # in place of a path
MOST_CHANNELS = 4  # of an array whose channels are filtered one by one


def stacked(picture: images.Picture, source: Path, declared: Declaration) -> images.Picture:
    """The picture as channels of shape (channels, *spatial), as many as the unknown has if it has several.

    An array with one axis more than the equation has its channels along the last one, as arrays of pictures
    do; along the first one, if only that has as many as the equation (or, for an equation of one channel,
    which is applied to each, if only that is at most 4 long). Raises FileError if the input has another
    number of axes or channels than the equation.
    """
    problem = declared.problem
    several = problem.channels
    wanted = str(several) if several > 1 else f"at most {MOST_CHANNELS}"
    picture = _along_first(
        picture, source, problem.space, wanted, lambda n: n == several if several > 1 else n <= MOST_CHANNELS
    )
    if several > 1 and len(picture.channels) != several:
        names = "" if len(problem.unknowns) == 1 else f" ({', '.join(str(u.func) for u in problem.unknowns)})"
        found = counted(len(picture.channels), "channel")
        raise FileError(f"{source} has {found}, the equation {several}{names}.")
    return picture


def _along_first(
    picture: images.Picture,
    source: str | Path,
    space: Sequence[sp.Symbol],
    wanted: str,
    fits: Callable[[int], bool],
) -> images.Picture:
    """The picture with the axis of channels of its array in front: the last if that `fits`, or the first."""
    channels, first = picture.channels, False
    extra = channels.ndim == len(space) + 2 and len(channels) == 1
    if extra:
        last, first = fits(channels.shape[-1]), fits(channels.shape[1])
        first = first and not last
        if first or last:
            channels = channels[0] if first else np.moveaxis(channels[0], -1, 0)
    if channels.ndim - 1 != len(space):
        axes = ", ".join(a.name for a in space)
        rule = (
            f" Its shape is {channels.shape[1:]}; an axis of channels is the last one, or else the first "
            f"one, of length {wanted}."
        )
        raise FileError(
            f"{source} has dimension {channels.ndim - 1}, the equation {len(space)} (in {axes})."
            f"{rule if extra else _other_space(channels.ndim - 1, space)}"
        )
    return replace(picture, channels=channels, first=first)


def _other_space(dimension: int, space: Sequence[sp.Symbol]) -> str:
    """How an equation gets the dimension of an input."""
    names = [a.name for a in space]
    more = [a for a in "xyz" if a not in names][: dimension - len(names)]
    if not 0 < dimension - len(names) == len(more):
        return ""
    return f" One in ({', '.join(names + more)}) takes it: unknown u({', '.join(names + more)}, t)."


def read_fields(
    entries: Sequence[str], declared: Declaration, picture: images.Picture
) -> dict[str, NDArray[np.float64]]:
    """Known fields by name, each of one channel, which goes with all of `picture`, or of as many.

    Raises DeclarationError for missing or extra ones, FileError for bad files.
    """
    problem = declared.problem
    count = len(picture.channels) if len(problem.unknowns) == 1 else 1

    def read(name: str, path: str) -> NDArray[np.float64]:
        if path == ITSELF:
            return picture.channels
        return _field(path, problem.space, count, picture.channels.shape[1:])

    return _named(entries, [str(f.func) for f in problem.fields], "known field", "--field", "PATH", read)


def read_numbers(entries: Sequence[str], declared: Declaration) -> dict[str, float]:
    """Numbers that the network is given at the call, by name.

    Raises DeclarationError for missing or extra ones, and for what is no finite number.
    """

    def read(name: str, text: str) -> float:
        return float(number(text, f'The input "{name}"'))

    return _named(entries, [s.name for s in declared.problem.inputs], "input", "--input", "NUMBER", read)


def _named(
    entries: Sequence[str],
    known: Sequence[str],
    what: str,
    option: str,
    value: str,
    read: Callable[[str, str], Value],
) -> dict[str, Value]:
    """What each of the `known` names is given by entries NAME=VALUE, as it is read."""
    found: dict[str, Value] = {}
    for given in entries:
        name, text = entry(given, option, value)
        if name not in known:
            hint = suggestion(name, known) or " It has none."
            raise DeclarationError(f'The equation has no {what} "{name}".{hint}')
        if name in found:
            raise DeclarationError(f'The {what} "{name}" is given twice.')
        found[name] = read(name, text)
    missing = [name for name in known if name not in found]
    if missing:
        raise DeclarationError(
            f"The equation needs the {what}{'s' * (len(missing) > 1)} {', '.join(missing)}: add "
            + " ".join(f"{option} {name}={value}" for name in missing)
        )
    return found


def _field(path: str, space: Sequence[sp.Symbol], count: int, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """A known field of shape (1 or count, *shape)."""
    wanted = "1" if count == 1 else f"1 or {count}"
    values = _along_first(images.read(path), path, space, wanted, lambda n: n in (1, count)).channels
    if values.shape[1:] != shape:
        raise FileError(f"{path} has the shape {values.shape[1:]}, the input {shape}; they must agree.")
    if len(values) not in (1, count):
        raise FileError(f"{path} has {counted(len(values), 'channel')}; here a known field has {wanted}.")
    return values


LEAST = 0.005  # of the range of values: contrasts below it are those of other values


def check_scale(network: Network, picture: images.Picture, source: Path, say: Say) -> None:
    """Warn where contrasts that are meant for pictures, with values in [0, 1], meet others."""
    form, values = network.semidiscrete.form, network.semidiscrete.form.problem.parameters
    forms = form.parts if isinstance(form, SystemForm) else (form,)
    if not picture.beyond or all(f.is_linear for f in forms) or not values:
        return
    low, high = picture.channels.min(), picture.channels.max()
    if all(LEAST * (high - low) <= abs(v) for v in values.values() if v.is_number):
        return
    given = ", ".join(f"{s} = {shown(v)}" for s, v in values.items())
    say.warn(
        f"the values of {source} range from {low:.6g} to {high:.6g}, not over [0, 1] as in pictures, "
        f"and the equation is nonlinear: is {given} meant for them?"
    )


def check_spacing(declared: Declaration, picture: images.Picture, source: Path, say: Say) -> None:
    """Warn where the cells of a volume are other distances apart than those of the grid."""
    problem, found = declared.problem, _spacing(picture, len(declared.problem.space))
    spacing = [h.subs(problem.parameters) for h in declared.grid.spacings(problem.space)]
    if found and found != spacing and not any(h.free_symbols for h in spacing):
        own, grid = (" x ".join(f"{float(h):g}" for h in each) for each in (found, spacing))
        say.warn(
            f"the voxels of {source} are {own}, the grid has the spacing {grid}: --spacing file takes theirs."
        )


def with_spacing(asked: str, declared: Declaration, picture: images.Picture, source: Path) -> Grid:
    """The grid with the distances between the cells of a volume, or with those that are given.

    Raises FileError if the file has none, DeclarationError for what is neither.
    """
    space = declared.problem.space
    if asked == "file":
        found = _spacing(picture, len(space))
        if not found:
            few = ",".join(["1"] * len(space))
            raise FileError(
                f"--spacing file: {source} does not say how far its cells are apart; --spacing {few} does."
            )
    else:
        found = [number(text, "--spacing") for text in asked.split(",")]
        found = found * len(space) if len(found) == 1 else found
        if len(found) != len(space) or not all(h > 0 for h in found):
            axes = ", ".join(map(str, space))
            raise DeclarationError(
                f"--spacing is declared, file, or positive numbers along {axes}, not {asked}."
            )
    return replace(declared.grid, spacing=dict(zip(space, found, strict=True)))


def _spacing(picture: images.Picture, dimension: int) -> list[sp.Expr]:
    """Those along the axes of space, as the decimals that are meant; empty where they are not known."""
    found = [sp.Rational(str(np.float32(h))) for h in picture.spacing[:dimension]]
    return found if len(found) == dimension and all(h > 0 for h in found) else []


def check_fields(fields: Mapping[str, NDArray[np.float64]], picture: images.Picture, say: Say) -> None:
    """Warn of known fields whose values lie neither in [0, 1] nor in the range of the input."""
    low, high = min(0.0, picture.channels.min()), max(1.0, picture.channels.max())
    found = ranges({k: v for k, v in fields.items() if v.min() < low or v.max() > high})
    if found:
        say.warn(f"known fields have other values than pictures, [0, 1], and than the input.{found}")


def ranges(fields: Mapping[str, NDArray[np.float64]]) -> str:
    """A sentence with the ranges of the fields that leave [0, 1], if there are such."""
    found = [
        f"{name} from {values.min():.6g} to {values.max():.6g}"
        for name, values in fields.items()
        if values.min() < 0 or values.max() > 1
    ]
    return f" The values range, of {', of '.join(found)}." if found else ""
