"""Links of pages to files beside docs/ lead to the repository; the text language is the page of grammar/."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
LINK = re.compile(r"(\]\()([^)#:\s]+)([^)]*\))")
INCLUDED = {"text_language.md": "grammar/README.md"}
OWN = {"grammar/README.md": "text_language.md"}


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """MkDocs calls it with the text of each page."""
    source = page.file.src_uri
    folder = posixpath.join("docs", posixpath.dirname(source))
    if source in INCLUDED:
        markdown = (ROOT / INCLUDED[source]).read_text(encoding="utf-8")
        folder = posixpath.dirname(INCLUDED[source])

    def placed(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, match[2]))
        path = posixpath.join("docs", OWN[path]) if path in OWN else path
        if path.startswith("docs/"):
            target = posixpath.relpath(path, posixpath.join("docs", posixpath.dirname(source)))
            return f"{match[1]}{target}{match[3]}"
        kind = "tree" if (ROOT / path).is_dir() else "blob"
        return f"{match[1]}{config.repo_url.rstrip('/')}/{kind}/main/{path}{match[3]}"

    return LINK.sub(placed, markdown)
