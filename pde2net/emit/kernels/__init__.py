"""Text of loops over cells, for numba: the same program as that of the torch module."""
