"""One theorem per file."""
