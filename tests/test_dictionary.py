"""The dictionary links what implements each of its rows, and names every scheme."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "grammar" / "dictionary.md").read_text(encoding="utf-8")
ROWS = [
    line
    for line in TEXT.splitlines()
    if line.startswith("| ") and not line.startswith("| ---") and "| file |" not in line
]


def test_every_row_has_its_three_languages_and_a_file() -> None:
    assert len(ROWS) > 30
    for row in ROWS:
        cells = [c.strip() for c in re.split(r"(?<!\\)\|", row)[1:-1]]
        assert len(cells) == 4 and all(cells), row
        links = re.findall(r"\[`([^`]+)`\]\(\.\./pde2net/([^)]+)\)", cells[3])
        assert links, row
        for shown, target in links:
            assert shown.rstrip("/") == target.rstrip("/") and (ROOT / "pde2net" / target).exists(), row


def test_every_scheme_is_in_it() -> None:
    linked = set(re.findall(r"\.\./pde2net/([\w/]+\.py)", TEXT))
    files = {f"scheme/{f.name}" for f in (ROOT / "pde2net" / "scheme").glob("*.py")}
    assert files - {f"scheme/{name}.py" for name in ("__init__", "method", "own", "registry")} <= linked
