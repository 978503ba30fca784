"""The classes of a grid and of its axes: positions, distances, areas and volumes of cells, known data."""

GRID = '''
class Axis:
    """The cells of a grid along one axis: `stride` of the finest grid each, `rest` in the last one.

    Positions are in cells of the finest grid, whose centres are 0, 1, ...
    """

    def __init__(self, cells: int, stride: int, boundary: str) -> None:
        self.cells, self.stride, self.boundary = cells, stride, boundary
        self.size = -(-cells // stride)
        self.rest = cells - (self.size - 1) * stride
        self.whole = self.rest / stride

    def coarser(self) -> Axis:
        return Axis(self.cells, 2 * self.stride, self.boundary)

    def centres(self, like: Tensor) -> Tensor:  # unless margin
        """Their positions."""
        inner = self.stride * torch.arange(self.size - 1, dtype=like.dtype, device=like.device)
        last = like.new_full((1,), self.cells - (self.rest + 1) / 2)
        return torch.cat((inner + (self.stride - 1) / 2, last))

    def centres(self, like: Tensor, margin: int = 0) -> Tensor:  # if margin
        """Their positions, and `margin` more on both sides, the nearest where u = 0."""
        inner = self.stride * torch.arange(self.size - 1, dtype=like.dtype, device=like.device)
        last = like.new_full((1,), self.cells - (self.rest + 1) / 2)
        beyond = self.stride * torch.arange(margin, dtype=like.dtype, device=like.device)
        inner = inner + (self.stride - 1) / 2
        return torch.cat((-1 - beyond.flip(0), inner, last, self.cells + beyond))

    def volumes(self, like: Tensor) -> Tensor:
        """Of the cells, relative to a whole one."""
        line = like.new_ones(self.size)
        line[-1] = self.whole
        return line

    def distances(self, like: Tensor$margin, half: bool) -> Tensor | float:  # if distances
        """Of the centres i and i + 1 (half), or half that of i - 1 and i + 1."""
        if self.boundary == "reflecting" or self.stride == 1:
            return self.stride
        q = self.centres(like)  # if wraps_alone
        q = self.centres(like, margin)  # if margin
        if self.boundary == "periodic":  # if wraps
            q = torch.cat((q[-1:] - self.cells, q, q[:1] + self.cells))
            return torch.diff(q)[1:] if half else (q[2:] - q[:-2]) / 2
        gaps = torch.diff(q) if half else (q[2:] - q[:-2]) / 2  # if margin
        return F.pad(gaps, (0 if half else 1, 1), value=self.stride)  # if margin
        return self.stride  # if zero_alone

    def shares(self, fine: Axis, like: Tensor) -> tuple[Tensor | float, Tensor | float]:
        """The weight of a cell in the values at the two finer centres in it, by linear interpolation;

        the rest is that of the neighbour to the left, and to the right.
        """
        if self.whole == 1$inside:
            return 0.75, 0.75
        q, p = self.centres(like), fine.centres(like)
        before, after = q[:1] - self.stride, q[-1:] + self.stride
        if self.boundary == "periodic":  # if wraps
            before, after = q[-1:] - self.cells, q[:1] + self.cells
        if self.boundary == "dirichlet":  # if zero
            before, after = torch.full_like(before, -1), torch.full_like(after, self.cells)
        left, right = torch.cat((before, q[:-1])), torch.cat((q[1:], after))
        odd = F.pad(p[1::2], (0, fine.size % 2))
        return (p[::2] - left) / (q - left), (right - odd) / (right - q)

class Grid:
    """A grid: its cells, and what is known on it.

    known   data that the operator needs
    volume  of the cells, relative to a whole one; None if all are whole
    rows    how much the equation of a cell counts in means; None for equal weights
    kept    how much of a correction a cell takes: none if it is known  # if uneven
    held    what is added to the operator, so that cells are tied to known ones as on the finer grid  # if uneven
    time    of the step  # if time
    """

    def __init__(self, axes: tuple[Axis, ...], u: Tensor) -> None:
        self.axes, self.like = axes, u.new_empty(0)
        self.sizes = tuple(a.size for a in axes)
        self.finest = all(a.stride == 1 for a in axes)
        self.known: dict[str, Tensor] = {}
        self.volume: Tensor | None = None
        if any(a.whole < 1 for a in axes):
            lines = [self.along(a.volumes(u), i) for i, a in enumerate(axes)]
            self.volume = math.prod(lines, start=self.ones())
            self.areas = [self.volume / line for line in lines]
        self.rows = self.volume
        if self.volume is not None:  # if margin
            self.wide_volume = F.pad(self.volume, $sides, value=1)
            self.wide_areas = [F.pad(a, $sides, value=1) for a in self.areas]
        gaps = [$gaps, True) for $pair]  # if half_gaps
        self.edges = $metric  # if half
        gaps = [$gaps, False) for $pair]  # if cell_gaps
        self.centred = $metric  # if cells
        lines = (self.along(torch.arange(n, device=u.device), i) for i, n in enumerate(self.sizes))  # if coloured
        self.odd = (sum(lines) % 2).bool()  # if coloured
        self.kept = self.held = self.passed = self.ones()  # if uneven
        self.time: $time = 0.0  # if time

    def along(self, line: Tensor, axis: int) -> Tensor:
        """A line as an array that varies along one axis."""
        return line.view(-1, *(1,) * (len(self.axes) - 1 - axis))

    def ones(self) -> Tensor:  # unless margin
        return self.like.new_ones(1, 1, *self.sizes)

    def ones(self, margins: tuple[int, ...] = ()) -> Tensor:  # if margin
        sizes = (n + 2 * m for n, m in zip(self.sizes, margins)) if margins else self.sizes
        return self.like.new_ones(1, 1, *sizes)

    def centres(self, axis: int$all_margins) -> Tensor:  # if coordinates
        """The positions of the cells along `axis`, in cells of the finest grid."""
        line = self.axes[axis].centres(self.like)  # unless margin
        return self.along(line, axis).expand(self.sizes)  # unless margin
        margins = margins or (0,) * len(self.axes)  # if margin
        line = self.along(self.axes[axis].centres(self.like, margins[axis]), axis)  # if margin
        return line.expand([n + 2 * m for n, m in zip(self.sizes, margins)])  # if margin

    def reciprocal(self, line: Tensor | float, axis: int) -> Tensor | float:  # if distances
        return self.along(1 / line, axis) if isinstance(line, Tensor) else 1 / line

    def slopes(self, p: tuple[Tensor, ...]) -> tuple[Tensor, ...]:  # if half
        """Differences over the distances of the cells of this grid, from those of the finest grid."""
        return p if self.finest else tuple(a * b for a, b in zip(p, self.edges))

    def centred_slopes(self, p: tuple[Tensor, ...]) -> tuple[Tensor, ...]:  # if cells
        """Differences over the distances of the cells of this grid, from those of the finest grid."""
        return p if self.finest else tuple(a * b for a, b in zip(p, self.centred))

    def adjoint(self, transpose: Callable[..., Tensor], p: tuple[Tensor, ...]$wide) -> Tensor:  # if first
        """K^T of fluxes through the faces of the cells, over their lengths and volumes."""
        if self.finest:
            return transpose(*p)
        p = tuple(a / b.stride for a, b in zip(p, self.axes))
        if self.volume is None:
            return transpose(*p)
        p = tuple(a * b for a, b in zip(p, self.areas))  # unless margin
        return transpose(*p) / self.volume  # unless margin
        areas = self.wide_areas if wide else self.areas  # if margin
        p = tuple(a * b for a, b in zip(p, areas))  # if margin
        return transpose(*p) / (self.wide_volume if wide else self.volume)  # if margin

    def border(self, axis: int) -> Tensor:  # if near
        """What second differences have more of u at a cell, since zeros are nearer than the next cells."""
        a = self.axes[axis]
        line = self.like.new_zeros(a.size)
        if a.boundary == "dirichlet":
            line[0] = (1 - a.stride) / (1 + a.stride)
            line[-1] = 1 - 2 * a.stride / (a.rest + 1)
        return self.along(line, axis)

    def curvatures(self, p: tuple[Tensor, ...]$seen) -> tuple[Tensor, ...]:  # if second
        """Second differences over lengths and volumes of this grid, from those of the finest grid."""
        if self.finest:
            return p
        if factors:  # if near
            p = tuple(a + f * self.border(i) * u for i, (a, f) in enumerate(zip(p, factors)))
        p = tuple(a / b.stride**2 for a, b in zip(p, self.axes))
        if self.volume is None:
            return p
        return tuple(a * b / self.volume for a, b in zip(p, self.areas))

    def second_adjoint(self, transpose: Callable[..., Tensor], p: tuple[Tensor, ...]$more) -> Tensor:  # if second
        """K^T of fluxes through the faces of cells, over their lengths and volumes, for second differences."""
        if self.finest:
            return transpose(*p)
        p = tuple(a / b.stride**2 for a, b in zip(p, self.axes))
        if self.volume is not None:
            p = tuple(a * b for a, b in zip(p, self.areas))
        out = transpose(*p)
        for i, (a, f) in enumerate(zip(p, factors)):  # if near
            line = self.border(i)
            out = out + f * (line * (line + 2 * $second) if squares else line) * a
        return out if self.volume is None else out / self.volume

    def weigh(self, rows: Tensor, kept: Tensor) -> None:  # if uneven
        """Set the weights of rows, and how much of a correction each cell takes.

        Where all weights of a mean are 0, as nothing diffuses there, they are alike.
        """
        rows = rows.clamp_min(torch.finfo(rows.dtype).tiny ** 0.5)
        self.rows = rows * (self.ones() if self.volume is None else self.volume)
        self.kept, self.held = kept, torch.zeros_like(kept)

    def hold(self, tied: Tensor, own: Tensor, fine: Grid | None) -> None:  # if uneven
        """Tie cells to known ones as strongly as the cells of the finer grid are.

        A tie is passed on in series with the half cell to the centre, of which the diagonal `own` tells.
        """
        if fine is not None:
            inherited = restrict(fine.passed, fine, self, fine.rows)
            self.held = (inherited - tied).clamp_min(0)
            tied = torch.maximum(inherited, tied)
        self.passed = quotient(tied * own, own + len(self.axes) * tied)

    def tie(self, value: Tensor, v: Tensor | float) -> Tensor:  # if uneven
        """The operator of this grid at v, from that without ties."""
        return value if self.finest else value + self.held * v
'''  # noqa: E501  emitted lines are shorter
