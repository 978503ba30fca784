"""The borders of an axis: how cells outside of the grid are made of those inside.

    u[i] = factor * u[inside(i)] + source    for i < 0 and i >= n

inside(i) is i mod n where the axis wraps, else the mirror image of i at the border, -1 - i or 2 n - 1 - i.
What holds for a border follows from this rule alone; docs/theory.md, section 2, derives the operators.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from pde2net.errors import DeclarationError, suggestion


@dataclass(frozen=True)
class Border:
    """One row of the rule.

    name     the word of declarations
    closure  the word of differences at cells
    shape    what u is beyond the border, in emitted text
    said     the same in the docstrings of differences
    known_as what others call it, for hints
    """

    name: str
    closure: str
    shape: str
    said: str
    wraps: bool = False
    factor: int = 1
    source: sp.Expr = sp.S.Zero
    known_as: tuple[str, ...] = ()

    @property
    def keeps_constants(self) -> bool:
        """Whether constants go on as constants, K 1 = 0: then K^T keeps the mean, and no flux is lost."""
        return self.factor == 1 and self.source == 0

    @property
    def even(self) -> bool:
        """Whether u is mirrored as it is, so that no flux crosses the border."""
        return self.keeps_constants and not self.wraps

    @property
    def zero(self) -> bool:
        """Whether u is 0 outside."""
        return self.factor == 0 and self.source == 0

    @property
    def suffix(self) -> str:
        """What ends the names of emitted functions."""
        return "" if self.even else f"_{self.closure}"

    def require(self, derived: bool, what: str) -> None:
        """Raises DeclarationError, naming `what` has no theory at this border, unless it is `derived`."""
        if not derived:
            raise DeclarationError(f'{what} are not derived for the border "{self.name}".')

    def require_plain(self, what: str) -> None:
        """The same where u must go on as constants do, or by 0."""
        self.require(self.keeps_constants or self.zero, what)


BORDERS = {
    border.name: border
    for border in (
        Border(
            *("reflecting", "reflecting", "even", "even beyond the border, so no flux crosses it"),
            known_as=("neumann", "no-flux", "symmetric", "mirror"),
        ),
        Border("periodic", "periodic", "periodic", "periodic", wraps=True, known_as=("circular", "wrap")),
        Border("dirichlet", "zero", "zero", "zero outside of the grid", factor=0, known_as=("zero", "zeros")),
    )
}


def nearest(word: str) -> str:
    """What is said after a word that is no border: the one that is meant, or all of them."""
    other = next((b.name for b in BORDERS.values() if word.lower() in b.known_as), None)
    return suggestion(word, BORDERS) if other is None else f' It is called "{other}" here.'


def closing(closure: str) -> Border:
    """The border of the differences with that closure."""
    return next(b for b in BORDERS.values() if b.closure == closure)
