"""Statements that check the input of an emitted network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy as sp
from sympy.core.function import AppliedUndef

from pde2net.emit.parse import parse
from pde2net.emit.torch_expressions import number
from pde2net.language.bounds import LINE, Interval, within
from pde2net.language.text.write import sign_text

NUMBERS = parse('''
def per_image(name: str, value: Tensor | float, sign: str, u: Tensor) -> Tensor:
    """A number for all images or one for each, of the shape (1 or batch, 1, ..., 1) and the dtype of u."""
    if value is None or isinstance(value, str | bool):
        raise TypeError(f"{name} is a number, or one for each image, not {value!r}")
    found = torch.as_tensor(value, dtype=u.dtype, device=u.device)
    if found.dim() > 1 or found.numel() not in (1, u.shape[0]):
        shape = tuple(found.shape)
        raise ValueError(f"{name} is a number, or one for each of {u.shape[0]} images, not of shape {shape}")
    if not torch.compiler.is_compiling():
        held = {">": found > 0, ">=": found >= 0, "<": found < 0, "<=": found <= 0, "!=": found != 0}
        if not bool((held.get(sign, True) & found.isfinite()).all()):
            raise ValueError(f"{name} has to be finite{f' and {sign} 0' if sign else ''}, not {value}")
    return found.reshape(-1, *[1] * (u.dim() - 1))
''')

DECLARED = parse('''
def require(name: str, a: Tensor, inside: Tensor, declared: str) -> None:
    """Raise ValueError where values are not what was declared; not while a network is traced."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing() or a.is_meta:
        return
    while torch._C._functorch.is_functorch_wrapped_tensor(inside):  # as results are, where a is not
        inside = torch._C._functorch.get_unwrapped(inside)
    while torch._C._functorch.is_functorch_wrapped_tensor(a):
        a = torch._C._functorch.get_unwrapped(a)
    if not bool(inside.all()):
        place = tuple((~inside).nonzero()[0].tolist())
        raise ValueError(f"{name} was declared to lie in {declared}, and is {a[place].item():.9g} at {place}")
''')

BORDER_CELLS = parse('''
def border_cells(u: Tensor, dim: int, place: int) -> Tensor:
    """1 in the first (place 0) or last (place -1) cells along `dim`, 0 in others: shape (1, 1, *sizes)."""
    cells = torch.arange(u.shape[dim], device=u.device)
    line = (cells == (0 if place == 0 else u.shape[dim] - 1)).to(u.dtype)
    return line.view(-1, *[1] * (u.dim() - 1 - dim)).expand(1, 1, *u.shape[2:])
''')


def declared(field: AppliedUndef, interval: Interval) -> str:
    """What is declared of the values of a field or unknown: "[0, 3]", "(0, oo)"; "" for nothing."""
    lower, upper = within(interval, field)
    if (lower, upper) == LINE:
        return ""
    above, below = _open(field, interval)
    return (
        f"{'(' if above or lower == -sp.oo else '['}{lower}, {upper}{')' if below or upper == sp.oo else ']'}"
    )


def _open(field: AppliedUndef, interval: Interval) -> tuple[bool, bool]:
    """Whether the ends themselves are left out: 0, by the sign of a field."""
    lower, upper = within(interval, field)
    return bool(field.is_positive and lower == 0), bool(field.is_negative and upper == 0)


def declared_check(field: AppliedUndef, interval: Interval, variable: str, elsewhere: str = "") -> list[str]:
    """The statement that checks the values of a field or unknown, if anything is declared of them.

    elsewhere  the condition of cells that may have any
    """
    lower, upper = within(interval, field)
    above, below = _open(field, interval)
    parts = [f"{variable} {'>' if above else '>='} {number(lower)}"] if lower.is_finite else []
    parts += [f"{variable} {'<' if below else '<='} {number(upper)}"] if upper.is_finite else []
    if not parts:
        return []
    said = declared(field, interval)
    inside = parts[0] if len(parts) == 1 else " & ".join(f"({p})" for p in parts)
    inside = f"({inside}) | ({elsewhere})" if elsewhere else inside
    return [f'require("{field.func}", {variable}, {inside}, "{said}")']


def domain_check(field: AppliedUndef, variable: str) -> list[str]:
    """The statements that check the values of a domain."""
    inside = f"({variable} == 0) | ({variable} == 1)"
    return [f'require("{field.func}", {variable}, {inside}, "{{0, 1}}")']


def number_check(symbol: sp.Symbol, variable: str) -> str:
    """The statement that checks a number given at the call, and makes an array of it."""
    sign = sign_text(symbol).strip().removesuffix("0").strip()
    return f'{variable} = per_image("{symbol.name}", {variable}, "{sign}", u)'


def input_checks(
    axes: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    fields: Mapping[str, str],
    channels: int,
    unknowns: Sequence[str] = (),
    domain: str = "",
) -> list[str]:
    """Raise TypeError or ValueError in words for a wrong type, dtype, rank, shape or size.

    `sizes` has the smallest size of each axis, and what sizes are multiples of; `fields` the variable of
    each known field by its name; `unknowns` of a system are its channels; `domain` is one for all channels.
    """
    rank = len(axes) + 2
    shape = f"(batch, {channels}, {', '.join(axes)})"
    lines = [
        "if not isinstance(u, Tensor) or not u.is_floating_point():",
        '    raise TypeError("u must be a floating point tensor: torch.as_tensor(u).float()")',
        f"if u.dim() != {rank} or u.shape[1] != {channels}:",
        "    raise ValueError(",
        f'        f"u must have the shape {shape}, not {{tuple(u.shape)}}; "',
        f'        "{_other_channels(channels, unknowns)}"',
        "    )",
    ]
    if any(size == 1 for size, _ in sizes):
        lines += [
            "if 0 in u.shape[2:]:",
            '    raise ValueError(f"u has no cells: its shape is {tuple(u.shape)}")',
        ]
    for position, (axis, (size, multiple)) in enumerate(zip(axes, sizes, strict=True), start=2):
        if size > 1:
            cells = f"u.shape[{position}]"
            lines += [
                f"if {cells} < {size}:",
                f'    raise ValueError(f"the stencil needs {size} cells along {axis}, not {{{cells}}}")',
            ]
        if multiple > 1:
            cells = f"u.shape[{position}]"
            lines += [
                f"if {cells} % {multiple}:",
                f'    raise ValueError(f"cells along {axis} are a multiple of {multiple}, not {{{cells}}}")',
            ]
    for name, data in fields.items():
        lines += [
            f"if not isinstance({data}, Tensor) or {data}.dtype != u.dtype:",
            f'    raise TypeError(f"{name} must be a tensor of the dtype of u, {{u.dtype}}")',
            f"if {' or '.join(_unequal(data, channels, bool(unknowns) or name == domain))}:",
            f"    raise ValueError({_disagreement(name, data)})",
        ]
    return lines


def _other_channels(channels: int, unknowns: Sequence[str]) -> str:
    """Where channels are declared, or images of one channel go."""
    if unknowns:
        return f"its channels are {', '.join(unknowns)}"
    batch = "images of a batch, or " if channels == 1 else ""
    return f"other channels are {batch}declared by Problem(..., channels=...)"


def _unequal(data: str, channels: int, single: bool) -> list[str]:
    """Conditions under which a known field does not go with u; one channel goes with all."""
    batch = f"{data}.shape[0] not in (1, u.shape[0])"
    if channels == 1:
        return [f"{data}.shape[1:] != u.shape[1:]", batch]
    return [
        f"{data}.dim() != u.dim()",
        f"{data}.shape[2:] != u.shape[2:]",
        batch,
        f"{data}.shape[1] != 1" if single else f"{data}.shape[1] not in (1, {channels})",
    ]


def _disagreement(name: str, data: str) -> str:
    return f'f"{name} has the shape {{tuple({data}.shape)}}, u {{tuple(u.shape)}}: they must agree"'
