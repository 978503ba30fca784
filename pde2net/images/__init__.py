"""Pictures, arrays and volumes in and out: values in [0, 1] between, the original kind and depth on disk."""

from pde2net.images.files import (
    ARRAYS,
    check_fits,
    check_writable,
    clipped,
    encoded,
    read,
    read_bytes,
    suffix_of,
    write,
)
from pde2net.images.picture import Picture
from pde2net.images.raster import SUFFIXES

__all__ = [
    "ARRAYS",
    "SUFFIXES",
    "Picture",
    "check_fits",
    "check_writable",
    "clipped",
    "encoded",
    "read",
    "read_bytes",
    "suffix_of",
    "write",
]
