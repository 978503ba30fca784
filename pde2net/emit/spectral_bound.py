"""Emits a guaranteed, differentiable bound of ‖K‖ for learned filters (docs/theory.md, section 8)."""

from __future__ import annotations

from collections.abc import Iterable

from pde2net.emit.parse import parse
from pde2net.emit.tree import Definition
from pde2net.verify.norms import FilterNorm

LEAST, MOST = "1e-9", "1e9"  # norms that a kept network works with
# Angles per axis and cell of the kernel, with few and with many channels: the bound exceeds the norm by
# 1/cos(pi/(2 * 12)), 0.9 %, or 1/cos(pi/(2 * 8)), 2 %, per axis.
FEW, FINE, COARSE = 64, 12, 8


def bound_functions(dimension: int, norms: Iterable[FilterNorm] = ()) -> list[Definition]:
    """`norm_bound(weight)`, the bound of matrices that it rests on, and what prepares its argument."""
    power = f" ** {dimension}" if dimension > 1 else ""
    bound = parse(_BOUND, power=power, least=LEAST, few=str(FEW), fine=str(FINE), coarse=str(COARSE))
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
def gram_norm(a: Tensor) -> Tensor:
    """Upper bounds of the spectral norms of matrices, by Gram iteration: with G = a* a,
    ‖a‖² = ‖G‖ = ‖G^(2^t)‖^(2^-t), whose Frobenius norm is at most 1 % larger.
    """
    gram, bound, power = a.mH @ a, torch.ones((), dtype=torch.float64, device=a.device), 0.5
    rank = gram.shape[-1]
    for _ in range(max(0, math.ceil(math.log2(100 * math.log(rank))) - 2) if rank > 1 else 0):
        scale = torch.linalg.vector_norm(gram, dim=(-2, -1), keepdim=True).clamp(min=1e-150)
        gram = gram / scale
        gram, bound, power = gram @ gram, bound * scale[..., 0, 0] ** power, power / 2
    last = torch.linalg.vector_norm(gram, dim=(-2, -1)).clamp(min=1e-150)
    return bound * last**power

def norm_bound(weight: Tensor) -> Tensor:
    """An upper bound of ‖K‖ on grids of every size, $least at least; differentiable.

    With W(theta) = sum_j W_j exp(i <j, theta>), ‖K‖ <= sup ‖W(theta)‖, which exceeds the maximum
    over `count` angles per axis by 1/cos(pi (size - 1)/(2 count)) per axis at most; then rounding
    (Delattre, Barthelemy, Araujo, Allauzen, ICML 2023; Ehlich, Zeller, Math. Z. 86, 1964).
    """
    size, axes = weight.shape[-1], tuple(range(2, weight.dim()))
    fine = $fine if weight.shape[0] * weight.shape[1] <= $few else $coarse
    count = max(1, fine * (size - 1))
    largest = weight.detach().abs().amax().double().clamp(min=1e-300)
    spectrum = torch.fft.rfftn(weight.double() / largest, s=[count] * len(axes), dim=axes)
    spectrum = spectrum.flatten(2).permute(2, 0, 1)
    if spectrum.shape[1] < spectrum.shape[2]:
        spectrum = spectrum.mH
    with torch.no_grad():
        highest = gram_norm(spectrum).argmax().unsqueeze(0)
    edge = math.cos(math.pi * (size - 1) / (2 * count))$power
    taps = spectrum.shape[2] * size ** len(axes)
    rounding = 1 + 1e-10 + 8 * torch.finfo(weight.dtype).eps * math.sqrt(taps)
    bound = gram_norm(spectrum.index_select(0, highest)).squeeze(0) * largest
    return torch.clamp(bound * (rounding / edge), min=$least)
'''
