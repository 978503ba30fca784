"""Python identifiers for symbols and nodes."""

from __future__ import annotations

import keyword
import re

_TAKEN = {"torch", "math", "nn", "F", "Tensor", "self", "u", "steps", "block", "blocks", "beyond"}


def identifier(name: str, taken: frozenset[str] = frozenset()) -> str:
    """`name` as an identifier: other characters become "_", reserved words get a trailing "_"."""
    text = re.sub(r"\W", "_", name)
    if not text or text[0].isdigit():
        text = f"_{text}"
    if keyword.iskeyword(text) or text in _TAKEN or text in taken:
        text += "_"
    return text
