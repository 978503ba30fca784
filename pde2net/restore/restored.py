"""What restoring an image gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pde2net.network import Network
from pde2net.trajectory.record import Trajectory
from pde2net.verify.certificate import Certificate, Status

if TYPE_CHECKING:
    from pde2net.models import Denoiser

SHOWN = ("l2_stability", "maximum_principle", "mean_preservation", "well_posed", "bounded_by_data")


@dataclass(frozen=True, eq=False)
class Restored:
    """A restored image, with what made it and what is proved of that.

    image       of the kind of the image that was given
    method      its name
    made_by     the network that gives this image for that one in one call, or the trained denoiser
    values      what was estimated, chosen by a rule, or given: sigma, parameters, time
    trajectory  the states of a network, the first and the last

    Functions of NumPy, scikit-image and Matplotlib take the record in place of the image.
    """

    image: Any
    method: str
    made_by: Network | Denoiser
    values: Mapping[str, float]
    trajectory: Trajectory | None = field(default=None, repr=False)

    @property
    def certificate(self) -> Certificate:
        """What is proved; of trained denoisers for their weights, which takes some seconds the first time."""
        return self.made_by.certificate

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The image as an array of NumPy."""
        image = self.image.detach().cpu() if hasattr(self.image, "detach") else self.image
        return np.array(image, dtype=dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        return np.asarray(self).shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.asarray(self).dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __repr__(self) -> str:
        values = ", ".join(f"{name} = {value:.4g}" for name, value in self.values.items())
        size, proved = " x ".join(map(str, self.shape)), "; .certificate proves claims of its weights"
        if isinstance(self.made_by, Network):
            claims = self.certificate.claims
            names = [n.replace("_", " ") for n in SHOWN if claims[n].status == Status.PROVED]
            proved = f"; proved: {', '.join(names) or 'nothing'}"
        return f"Restored({self.method}, {size}; {values}{proved})"

    def _repr_png_(self) -> bytes | None:
        """Before and after, in notebooks."""
        return None if self.trajectory is None else self.trajectory._repr_png_()
