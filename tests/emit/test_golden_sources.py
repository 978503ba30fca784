"""The emitted text of four networks, byte for byte; regenerate.py rewrites it."""

import pytest
from regenerate import GOLDEN, NETWORKS


@pytest.mark.parametrize("make", NETWORKS, ids=lambda make: make.__name__)
def test_golden_source(make):
    assert make().source() == (GOLDEN / f"{make.__name__}.py").read_text()


def test_every_golden_file_has_its_declaration():
    assert sorted(p.stem for p in GOLDEN.glob("*.py")) == sorted(make.__name__ for make in NETWORKS)
