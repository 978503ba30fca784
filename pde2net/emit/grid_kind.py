"""What the grids of an emitted U-net need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pde2net.language.borders import BORDERS


@dataclass(frozen=True)
class GridKind:
    """What the grids of one network need.

    margin           cells beyond the border of first-order terms
    half, cells      whether differences are taken at half-points, and at cells
    second           the centre of the stencil of second-order terms, "" if there are none
    adjoint          residuals are restricted by the adjoint of the prolongation
    uneven           rows of the equation differ in size
    coloured         cells are told apart by colour
    coordinates      positions are needed
    time             the annotation of the time of the step, "" if coefficients do not contain it
    """

    boundary: Sequence[str]
    spacing: Sequence[str]
    smallest: Sequence[int]
    margin: Sequence[int]
    half: bool
    cells: bool
    second: str
    adjoint: bool
    uneven: bool
    coloured: bool
    coordinates: bool
    time: str

    @property
    def dimension(self) -> int:
        return len(self.boundary)

    @property
    def reflecting(self) -> bool:
        """Whether the distances of all cells are alike, whatever the last cell holds."""
        return all(BORDERS[b].even for b in self.boundary)

    @property
    def wraps(self) -> bool:
        return any(BORDERS[b].wraps for b in self.boundary)

    @property
    def zero(self) -> bool:
        """Whether u is 0 beyond any border."""
        return any(BORDERS[b].zero for b in self.boundary)
