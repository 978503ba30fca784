"""The generated parts of a page: what stands between <!-- NAME --> and <!-- end NAME -->."""

from __future__ import annotations

from pathlib import Path


def rewrite(path: Path, name: str, text: str) -> None:
    """Replace what stands between the marks. Raises ValueError if they are missing."""
    page = path.read_text(encoding="utf-8")
    start, end = f"<!-- {name} -->\n", f"<!-- end {name} -->"
    before, found, rest = page.partition(start)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{path} has no part {name}")
    path.write_text(f"{before}{start}\n{text}\n\n{end}{after}", encoding="utf-8")
