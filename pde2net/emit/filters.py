"""Emits K and K^T of learned operators: convolutions with the same weights, and borders."""

from __future__ import annotations

from collections.abc import Sequence

from pde2net.emit.parse import parse
from pde2net.emit.tree import Definition
from pde2net.graph.network import Graph
from pde2net.graph.nodes import Filter
from pde2net.language.borders import BORDERS


def filters_of(graph: Graph) -> dict[str, Filter]:
    """The learned operators of a graph by name, sorted."""
    nodes = (data["node"] for _, data in graph.nodes(data=True))
    found = {node.operator: node for node in nodes if isinstance(node, Filter)}
    return dict(sorted(found.items()))


def shape(node: Filter, channels: int) -> str:
    """The arguments that say how large the weights of an operator are."""
    return ", ".join(map(str, (node.out_channels, channels, *[node.kernel_size] * len(node.boundary))))


def filter_functions(boundary: Sequence[str], axes: Sequence[str]) -> list[Definition]:
    """`filters(*shape)`, weights to start from without response to constants, as derivatives are;
    `respond(weight, u)`, K u, and `respond_adjoint(weight, p)`, its exact transpose.
    """
    dimension = len(boundary)
    forward: list[str] = []
    backward: list[str] = []
    for axis, border in enumerate(BORDERS[kind] for kind in boundary):
        border.require_plain("Learned filters")
        dim = axis - dimension
        left, right = f"(weight.shape[{dim}] - 1) // 2", f"weight.shape[{dim}] // 2"
        if border.wraps:
            forward.append(f"u = wrapped(u, {dim}, {left}, {right})")
            backward.insert(0, f"out = wrapped_adjoint(out, {dim}, {left}, {right})")
        elif border.zero:
            forward.append(f"u = F.pad(u, beyond({dim}, {left}, {right}))")
            backward.insert(0, f"out = out.narrow({dim}, {left}, out.shape[{dim}] - weight.shape[{dim}] + 1)")
    if backward:
        backward = [f"out = F.conv_transpose{dimension}d(p, weight)", *backward, "return out"]
    return parse(
        _FILTERS,
        wraps=any(BORDERS[kind].wraps for kind in boundary),
        where=_where(boundary, axes),
        dimension=str(dimension),
        forward=forward,
        backward=backward or [f"return F.conv_transpose{dimension}d(p, weight)"],
    )


def _where(boundary: Sequence[str], axes: Sequence[str]) -> str:
    words = {
        "reflecting": "all windows that lie on the grid",
        "periodic": "the windows of all cells of the periodic image",
        "dirichlet": "the windows of all cells, the image 0 outside of the grid",
    }
    if len(set(boundary)) == 1:
        return words[boundary[0]]
    return "; ".join(f"along {axis}, {words[kind]}" for axis, kind in zip(axes, boundary, strict=True))


_FILTERS = '''
def filters(*shape: int) -> Tensor:
    """Random weights of shape (filters, channels, *size), without response to constants if size > 1."""
    weight = nn.init.kaiming_uniform_(torch.empty(shape), a=5**0.5)
    if weight[0, 0].numel() == 1:
        return weight
    return weight - weight.mean(tuple(range(2, weight.dim())), keepdim=True)

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
    return F.conv${dimension}d(u, weight)

def respond_adjoint(weight: Tensor, p: Tensor) -> Tensor:
    """K^T p, the exact transpose of respond: the same filters, mirrored."""
    $backward
'''
