"""Words of the .pde language for signs, schemes and solvers."""

from __future__ import annotations

from typing import Any

SIGNS = {"positive": ">", "negative": "<", "nonnegative": ">=", "nonpositive": "<=", "nonzero": "!="}


def keyword(label: str) -> str:
    """How a text calls a scheme or a solver: du_fort_frankel, fixed_point."""
    return label.lower().replace("-", "_").replace(" ", "_")


def sign_text(symbol: Any) -> str:
    """Its strongest sign."""
    return next((f" {text} 0" for kind, text in SIGNS.items() if getattr(symbol, f"is_{kind}")), "")
