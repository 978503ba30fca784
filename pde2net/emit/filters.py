"""Emits K and K^T of learned operators: convolutions with the same weights, and borders."""

from __future__ import annotations

from collections.abc import Sequence

from pde2net.discretise.filters import CONTINUED, Parity
from pde2net.emit.parse import parse
from pde2net.emit.tree import Definition
from pde2net.graph.network import Graph
from pde2net.graph.nodes import Filter, TransposedFilter
from pde2net.language.borders import BORDERS


def filters_of(graph: Graph) -> dict[str, Filter]:
    """The learned operators of a graph by name, sorted."""
    nodes = (data["node"] for _, data in graph.nodes(data=True))
    found = {node.operator: node for node in nodes if isinstance(node, Filter)}
    return dict(sorted(found.items()))


def shape(node: Filter) -> str:
    """The arguments that say how large the weights of an operator are."""
    return ", ".join(map(str, (node.out_channels, node.channels, *[node.kernel_size] * len(node.boundary))))


def has_odd(inner: Parity) -> bool:
    """Whether some of the channels that are filtered go on as odd ones."""
    return any(sign < 0 for channel in inner for sign in channel)


def suffix(node: Filter | TransposedFilter) -> str:
    """What the names of functions for an operator end in."""
    return f"_{CONTINUED}" if CONTINUED in node.boundary else ""


def filter_functions(nodes: Sequence[Filter], axes: Sequence[str], made: bool) -> list[Definition]:
    """`respond(weight, u)`, K u, and `respond_adjoint(weight, p)`, its transpose, for each kind of border.

    If weights are to be `made`, `filters(*shape)`, those to start from.
    """
    boundaries = {suffix(node): node.boundary for node in nodes}
    found = parse(_STARTS) if made else []
    split = list(map(is_split, nodes))
    if any(split):
        found += parse(_SPLIT, dimension=str(len(axes)), some=not all(split))
    for name, boundary in sorted(boundaries.items()):
        found += _responses(boundary, axes, name, any(split))
    return found


def _responses(boundary: Sequence[str], axes: Sequence[str], name: str, split: bool) -> list[Definition]:
    """Those for one kind of border, whose names end in `name`; `split` calls the functions for CPUs."""
    convolved, transposed = convolving(len(boundary), split)
    forward, backward = borders(boundary)
    if name:
        return parse(
            _CONTINUED, convolved=convolved, transposed=transposed, forward=forward, backward=backward
        )
    if backward:
        backward = [f"out = {transposed}(p, weight)", *backward, "return out"]
    return parse(
        _FILTERS,
        wraps=any(BORDERS[kind].wraps for kind in boundary),
        where=_where(boundary, axes),
        convolved=convolved,
        forward=forward,
        backward=backward or [f"return {transposed}(p, weight)"],
    )


def convolving(dimension: int, split: bool) -> tuple[str, str]:
    """The functions that convolve where filters lie on the image, and the transpose."""
    if split:
        return "convolved", "convolved_adjoint"
    return f"F.conv{dimension}d", f"F.conv_transpose{dimension}d"


def is_split(node: Filter) -> bool:
    """Whether convolutions have a form for CPUs."""
    return node.channels == 1 and node.kernel_size > 2 and len(node.boundary) > 1


def borders(boundary: Sequence[str], array: str = "u", sides: str = "sides") -> tuple[list[str], list[str]]:
    """Statements that continue an array beyond the border, and the transpose of that for `out`.

    sides  the variable that says which channels go on as odd ones
    """
    forward: list[str] = []
    backward: list[str] = []
    for axis, kind in enumerate(boundary):
        dim = axis - len(boundary)
        if kind == CONTINUED:
            reach = f"weight.shape[-1] // 2, {sides}"
            forward.append(f"{array} = mirrored({array}, {dim}, {reach})")
            backward.append(f"out = mirrored_adjoint(out, {dim}, {reach})")
            continue
        border = BORDERS[kind]
        border.require_plain("Learned filters")
        left, right = f"(weight.shape[{dim}] - 1) // 2", f"weight.shape[{dim}] // 2"
        if border.wraps:
            forward.append(f"{array} = wrapped({array}, {dim}, {left}, {right})")
            backward.insert(0, f"out = wrapped_adjoint(out, {dim}, {left}, {right})")
        elif border.zero:
            forward.append(f"{array} = F.pad({array}, beyond({dim}, {left}, {right}))")
            backward.insert(0, f"out = out.narrow({dim}, {left}, out.shape[{dim}] - weight.shape[{dim}] + 1)")
    return forward, backward


def _where(boundary: Sequence[str], axes: Sequence[str]) -> str:
    words = {
        "reflecting": "all windows that lie on the grid",
        "periodic": "the windows of all cells of the periodic image",
        "dirichlet": "the windows of all cells, the image 0 outside of the grid",
    }
    if len(set(boundary)) == 1:
        return words[boundary[0]]
    return "; ".join(f"along {axis}, {words[kind]}" for axis, kind in zip(axes, boundary, strict=True))


_STARTS = '''
def filters(*shape: int) -> Tensor:
    """Weights of shape (filters, channels, *size) to start from, with ‖K‖ = 1 in the limit of large grids.

    Filters of one channel are cosines of the discrete transform, low frequencies first, without the
    constant; others, and what there are more, are random and without response to constants.
    """
    size, axes = shape[-1], len(shape) - 2
    weight = nn.init.kaiming_uniform_(torch.empty(shape, dtype=torch.float64), a=5**0.5)
    if size > 1:
        weight = weight - weight.mean(tuple(range(2, weight.dim())), keepdim=True)
    waves = torch.cartesian_prod(*[torch.arange(size)] * axes).view(-1, axes)
    waves = waves[waves.square().sum(1).sort(stable=True).indices[1:]]
    places = (torch.arange(size, dtype=torch.float64) + 0.5) * math.pi / size
    for kernel, wave in zip(weight if shape[1] == 1 else (), waves, strict=False):
        cosine = torch.ones((), dtype=torch.float64)
        for k in wave:
            cosine = cosine.unsqueeze(-1) * torch.cos(k * places)
        kernel[0] = cosine / torch.linalg.vector_norm(cosine)
    spectrum = torch.fft.fftn(weight, s=[4 * size] * axes, dim=tuple(range(2, weight.dim())))
    largest = torch.linalg.matrix_norm(spectrum.flatten(2).permute(2, 0, 1), ord=2).amax()
    return (weight / largest).to(torch.get_default_dtype())
'''

# oneDNN is slow where a convolution has one channel to compute: K^T, and the gradient of K with respect to u.
_SPLIT = '''
def convolved(u: Tensor, weight: Tensor) -> Tensor:
    """F.conv${dimension}d. On CPUs, the rows of filters of one channel become channels, one shifted copy of u
    for each: convolutions of several channels are faster, most of all backward.
    """
    if u.device.type != "cpu":  # unless some
        return F.conv${dimension}d(u, weight)
    if u.device.type != "cpu" or weight.shape[1] > 1:  # if some
        return F.conv${dimension}d(u, weight)
    size, n = weight.shape[2], u.shape[2] - weight.shape[2] + 1
    copies = torch.cat([u.narrow(2, j, n) for j in range(size)], 1)
    return F.conv${dimension}d(copies, weight.transpose(1, 2))

def convolved_adjoint(p: Tensor, weight: Tensor) -> Tensor:
    """F.conv_transpose${dimension}d, likewise: what each row of the filters gives is shifted and added."""
    if p.device.type != "cpu":  # unless some
        return F.conv_transpose${dimension}d(p, weight)
    if p.device.type != "cpu" or weight.shape[1] > 1:  # if some
        return F.conv_transpose${dimension}d(p, weight)
    rows = F.conv_transpose${dimension}d(p, weight.transpose(1, 2)).split(1, 1)
    total, *more = [F.pad(row, beyond(-$dimension, j, len(rows) - 1 - j)) for j, row in enumerate(rows)]
    for row in more:
        total = total + row
    return total
'''

_CONTINUED = '''
def mirrored(u: Tensor, dim: int, reach: int, sides: Tensor | None) -> Tensor:
    """u with `reach` more cells at both ends of `dim`: its mirror image, times 1 or -1 as `sides` says."""
    first, last = u.narrow(dim, 0, reach).flip(dim), u.narrow(dim, u.shape[dim] - reach, reach).flip(dim)
    if sides is not None:
        signs = sides[:, dim].to(u.dtype).view(-1, *[1] * (u.dim() - 2))
        first, last = signs * first, signs * last
    return torch.cat((first, u, last), dim)

def mirrored_adjoint(p: Tensor, dim: int, reach: int, sides: Tensor | None) -> Tensor:
    """The transpose of mirrored: what is beyond the border is added to its mirror image."""
    n = p.shape[dim] - 2 * reach
    first, last = p.narrow(dim, 0, reach).flip(dim), p.narrow(dim, reach + n, reach).flip(dim)
    if sides is not None:
        signs = sides[:, dim].to(p.dtype).view(-1, *[1] * (p.dim() - 2))
        first, last = signs * first, signs * last
    start, end = beyond(dim, 0, n - reach), beyond(dim, n - reach, 0)
    return p.narrow(dim, reach, n) + F.pad(first, start) + F.pad(last, end)

def respond_continued(weight: Tensor, u: Tensor, sides: Tensor | None = None) -> Tensor:
    """K u, on the windows of all cells; u goes on as its mirror image, odd where `sides` is -1."""
    $forward
    return $convolved(u, weight)

def respond_continued_adjoint(weight: Tensor, p: Tensor, sides: Tensor | None = None) -> Tensor:
    """K^T p, the exact transpose of respond_continued: the same filters, mirrored."""
    out = $transposed(p, weight)
    $backward
    return out
'''

_FILTERS = '''
def wrapped(u: Tensor, dim: int, left: int, right: int) -> Tensor:  # if wraps
    """u with `left` and `right` more cells along `dim`, from the other side."""
    last = u.narrow(dim, u.shape[dim] - left, left)
    return torch.cat((last, u, u.narrow(dim, 0, right)), dim)

def wrapped_adjoint(p: Tensor, dim: int, left: int, right: int) -> Tensor:  # if wraps
    """The transpose of wrapped: what is beyond the border is added to the other side."""
    n = p.shape[dim] - left - right
    last = F.pad(p.narrow(dim, 0, left), beyond(dim, n - left, 0))
    first = F.pad(p.narrow(dim, left + n, right), beyond(dim, 0, n - right))
    return last + p.narrow(dim, left, n) + first

def respond(weight: Tensor, u: Tensor) -> Tensor:
    """K u, the filters on $where."""
    $forward
    return $convolved(u, weight)

def respond_adjoint(weight: Tensor, p: Tensor) -> Tensor:
    """K^T p, the exact transpose of respond: the same filters, mirrored."""
    $backward
'''
