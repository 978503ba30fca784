"""From a declaration to its divergence form."""
