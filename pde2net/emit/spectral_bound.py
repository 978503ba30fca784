"""Emits a guaranteed, differentiable bound of ‖K‖ for learned filters (docs/theory.md, section 8)."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pde2net.emit.parse import parse
from pde2net.emit.tree import Definition
from pde2net.verify.norms import FilterNorm

LEAST, MOST = "1e-9", "1e9"  # norms that a kept network works with
# Angles per axis and cell of the kernel: the bound exceeds the norm by 1/cos(pi/(2 angles)) per axis, 0.2 %
# where angles are cheap (one channel, up to two axes), else 0.9 %, or 2 % of large matrices.
CHEAP, FINE, COARSE, FEW = 24, 12, 8, 64


def bound_functions(
    dimension: int, norms: Iterable[FilterNorm] = (), channels: Collection[int] = (1, 2)
) -> list[Definition]:
    """`norm_bound(weight)`, the bound of matrices that it rests on, and what prepares its argument.

    channels  those of the filters whose norms are bounded
    """
    numbers = {"dimension": dimension, "fine": FINE, "few": FEW, "coarse": COARSE}
    numbers["single"] = CHEAP if dimension < 3 else FINE
    words = {name: str(number) for name, number in numbers.items()} | {"least": LEAST}
    words["rank"] = str(dimension + 2)
    words["power"] = f" ** {dimension}" if dimension > 1 else ""
    one, several = min(channels) == 1, max(channels) > 1
    bound = parse(_BOUND, one=one, several=several, both=one and several, **words)
    kinds = list(norms)
    scaled = any(norm.scale != 1 for norm in kinds)
    composed = any(len(norm.chain.operators) > 1 for norm in kinds)
    return [*parse(_PREPARED, scaled=scaled, composed=composed, dimension=str(dimension)), *bound]


_PREPARED = '''
def scaled(weight: Tensor, factor: Tensor) -> Tensor:  # if scaled
    """Filters times the roots of factors, one for each."""
    roots = torch.sqrt(factor.clamp(min=1e-30)).to(weight.dtype)
    return roots.view(-1, *[1] * (weight.dim() - 1)) * weight

def composed(weight: Tensor, inner: Tensor) -> Tensor:  # if composed
    """The filters of K2 K1 for those of K2 and of K1."""
    flipped, reach = weight.flip(tuple(range(2, weight.dim()))).double(), weight.shape[-1] - 1
    found = F.conv${dimension}d(inner.double().transpose(0, 1), flipped, padding=reach)
    return found.transpose(0, 1).to(weight.dtype)
'''

_BOUND = '''
def gram_norm(a: Tensor) -> Tensor:  # if several
    """Upper bounds of the spectral norms of matrices, by Gram iteration: with G = a* a,
    ‖a‖² = ‖G‖ = ‖G^(2^t)‖^(2^-t), whose Frobenius norm is at most 1 % larger.
    """
    a = a.mH if a.shape[-2] < a.shape[-1] else a
    gram, bound, power = a.mH @ a, torch.ones((), dtype=torch.float64, device=a.device), 0.5
    rank = gram.shape[-1]
    for _ in range(max(0, math.ceil(math.log2(100 * math.log(rank))) - 2) if rank > 1 else 0):
        scale = torch.linalg.vector_norm(gram, dim=(-2, -1), keepdim=True).clamp(min=1e-150)
        gram = gram / scale
        gram, bound, power = gram @ gram, bound * scale[..., 0, 0] ** power, power / 2
    last = torch.linalg.vector_norm(gram, dim=(-2, -1)).clamp(min=1e-150)
    return bound * last**power

def norms_of_symbol(weight: Tensor, count: int) -> Tensor:  # if several
    """Bounds of ‖W(theta)‖ at `count` angles per axis, half of them along the last."""
    spectrum = torch.fft.rfftn(weight, s=[count] * $dimension, dim=list(range(-$dimension, 0)))
    norms = gram_norm(spectrum.flatten(-$dimension).movedim(-1, -3))
    return norms.view(*norms.shape[:-1], *spectrum.shape[-$dimension:])

def squares_of_symbol(weight: Tensor, count: int) -> Tensor:  # if one
    """‖W(theta)‖² at the same angles for filters of one channel, the transform of what their autocorrelations
    sum to.
    """
    size = weight.shape[-$dimension:]
    banks = weight.reshape(-1, weight.shape[-$rank], *size)
    sums = F.conv${dimension}d(banks.view(1, -1, *size), banks, padding=size[0] - 1, groups=len(banks))
    sums = sums.view(*weight.shape[:-$rank], *sums.shape[2:])
    return torch.fft.rfftn(sums, s=[count] * $dimension, dim=list(range(-$dimension, 0))).abs()

def norm_bound(weight: Tensor) -> Tensor:
    """An upper bound of ‖K‖ on grids of every size, $least at least; differentiable. For weights of shape
    (filters, channels, *size), or a batch of them.

    With W(theta) = sum_j W_j exp(i <j, theta>), ‖K‖ <= sup ‖W(theta)‖, which exceeds the maximum
    over `count` angles per axis by 1/cos(pi (size - 1)/(2 count)) per axis at most; then rounding
    (Delattre, Barthelemy, Araujo, Allauzen, ICML 2023; Ehlich, Zeller, Math. Z. 86, 1964).
    """
    size, entries = weight.shape[-1], weight.flatten(-$dimension)
    filters, channels, taps = entries.shape[-3:]
    fine = $single if channels == 1 else $fine if filters * channels <= $few else $coarse
    count = max(1, fine * (size - 1))
    largest = entries.detach().abs().amax((-3, -2, -1), keepdim=True).double().clamp(min=1e-300)
    entries = entries.double() / largest
    with torch.no_grad():
        symbol = squares_of_symbol if channels == 1 else norms_of_symbol  # if both
        sampled = symbol(entries.view(weight.shape), count)  # if both
        sampled = squares_of_symbol(entries.view(weight.shape), count)  # unless several
        sampled = norms_of_symbol(entries.view(weight.shape), count)  # unless one
        highest = sampled.flatten(-$dimension).argmax(-1)
        angles = torch.stack(torch.unravel_index(highest, sampled.shape[-$dimension:]), -1)
        places = torch.cartesian_prod(*[torch.arange(size, device=weight.device)] * $dimension)
        phases = (angles.double() @ places.double().view(-1, $dimension).T) * (2 * math.pi / count)
        waves = torch.stack((phases.cos(), phases.sin()), -1).unsqueeze(-3)
    bound = torch.linalg.vector_norm(entries @ waves, dim=(-3, -2, -1))  # unless several
    bound = gram_norm(torch.view_as_complex(entries @ waves))  # if several
    edge = math.cos(math.pi * (size - 1) / (2 * count))$power
    rounding = 1 + 1e-10 + 8 * torch.finfo(weight.dtype).eps * math.sqrt(min(filters, channels) * taps)
    return torch.clamp(bound * largest[..., 0, 0, 0] * (rounding / edge), min=$least)
'''
