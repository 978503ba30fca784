"""Docstrings are plain text, aligned by hand: they are shown as such."""

from __future__ import annotations

from typing import Any

import griffe


class AsWritten(griffe.Extension):
    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            first, _, rest = obj.docstring.value.partition("\n\n")
            obj.docstring.value = first + (f"\n\n```text\n{rest}\n```" if rest.strip() else "")
