"""Which text a network is run from: that of torch, or that with kernels for numba.

    arrays                                      backend="auto"
    ------------------------------------------  ----------------------------------------------------------
    on a GPU, or in half precision              torch
    on the CPU, of a network with kernels       numba from WORTH cells times steps on, or WARM where numba has
                                                compiled this text before
    numba is missing, or there are no kernels   torch, with a warning from WORTH on

"triton" is for GPUs, and asked for by name: how fast it is there was not measured.

Networks are compiled once, some seconds; torch does 1e7 to 3e7 cells times steps in a second. Derivatives
make no difference: both have them, and kernels are as much faster.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

from pde2net.errors import DeclarationError, EmissionError, suggestion

BACKENDS = ("torch", "numba", "triton", "auto")
WORTH, WARM = 10**8, 10**7  # cells times steps


def checked(backend: str) -> str:
    """Raises DeclarationError for what is no backend."""
    if backend not in BACKENDS:
        nearest = suggestion(str(backend), BACKENDS)
        raise DeclarationError(f'backend is "torch", "numba", "triton" or "auto", not {backend!r}.{nearest}')
    return backend


def chosen(
    backend: str, kernels: Callable[[], str], work: float, device: str = "cpu", dtype: str = "float32"
) -> str:
    """ "torch" or "numba", for so much `work`, cells times steps; `kernels` makes the text for numba."""
    if checked(backend) != "auto":
        return backend
    if not device.startswith("cpu") or dtype not in ("float32", "float64") or work < WARM:
        return "torch"
    try:
        warm = is_compiled(kernels())
    except EmissionError as error:
        if work >= WORTH:
            warnings.warn(f"Torch runs this network, not faster kernels. {error}", stacklevel=3)
        return "torch"
    return "numba" if warm or work >= WORTH else "torch"


def is_compiled(source: str) -> bool:
    """Whether numba has compiled a text before, on this machine. Raises EmissionError without numba."""
    from pde2net.emit.execute import cache_folder, generated, require_numba
    from pde2net.emit.kernel_text import separated

    require_numba()
    kernels = generated(separated(source).kernels)
    return any((cache_folder() / "__pycache__").glob(f"{kernels}.*.nbi"))
