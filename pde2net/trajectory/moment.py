"""What is known at one moment of a run, and rules that end a run early."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from pde2net.language.exact import positive_number


@dataclass(frozen=True, eq=False)
class Moment:
    """A state on the way.

    repeat  steps or cycles that are done; iterations, for a steady state
    time    that they cover; the number of iterations, for a steady state
    state   shape (batch, channels, *spatial)
    start   the state at time 0, likewise
    """

    repeat: int
    time: float
    state: Tensor
    start: Tensor

    @property
    def removed(self) -> Tensor:
        """Root mean square of state - start, for each image."""
        return rms(self.state - self.start)


Rule = Callable[[Moment], bool]


def rms(v: Tensor) -> Tensor:
    """Root mean square over all values of each image."""
    return v.double().square().flatten(1).mean(1).sqrt()


def discrepancy(sigma: float) -> Rule:
    """The rule that ends a run as soon as it has removed as much as there is noise.

    That is at the first state with rms(u - u0) >= sigma for all images of the batch, where u0 is a clean
    image with noise of the standard deviation sigma, in units of u (Morozov, Soviet Math. Dokl. 7, 1966).
    Part of what is removed is detail, so a smaller sigma, which ends earlier, may look better.

    Raises DeclarationError for a sigma that is not positive and finite.
    """
    level = positive_number(sigma, "sigma, the level of the noise,")

    def reached(moment: Moment) -> bool:
        return bool((moment.removed >= level).all())

    reached.__doc__ = f"what is removed has reached the noise, sigma = {level:g}"
    return reached
