"""docs/export.md says what comes out: a part of its table in the gate, all of it in make test-long."""

import pytest
from emit.export_families import FAMILIES
from emit.export_table import CHECKS, Tried, outcome, printed

SAID = printed()
QUICK = [
    ("explicit", "jacrev"),
    ("explicit", "torch.export, any size"),
    ("FSI", "vmap"),
    ("RKL", "jvp"),
    ("AOS", "vmap"),
    ("implicit, Kačanov, tol", "torch.export, any size"),
    ("implicit, Kačanov, tol", "jvp"),
    ("implicit, fixed point, Anderson", "jacrev"),
    ("steady, descent, tol", "autocast"),
    ("multigrid, cycles", "torch.export, any size"),
    ("multigrid, tol", "pickle"),
    ("system", "torch.export, any size"),
    ("channels", "torch.export, any size"),
    ("smoothing", "torch.export, any size"),
    ("known fields and masks", "torch.export, any size"),
    ("numbers at the call", "torch.export, any size"),
    ("domain", "torch.export, any size"),
    ("borders with values and flux", "vmap"),
    ("coefficients of t", "torch.export, any size"),
    ("weights of each block", "torch.export, any size"),
    ("weights of each block", "state_dict"),
    ("learned operators", "state_dict"),
    ("learned operators", "torch.compile"),
]


def test_rows_of_the_page_are_families_with_all_checks():
    assert list(SAID) == [name for name in FAMILIES if name in SAID]
    assert all(list(row) == list(CHECKS) for row in SAID.values())


@pytest.mark.parametrize("name,check", QUICK)
def test_the_quick_part_of_the_page(name, check):
    """What the page does not have yet passes, or is refused in words."""
    found = outcome(Tried(FAMILIES[name]), check)
    assert found == SAID[name][check] if name in SAID else not found or found.endswith(".")


@pytest.mark.long
def test_the_page_has_all_families():
    assert list(SAID) == list(FAMILIES)


@pytest.mark.long
@pytest.mark.parametrize("name", FAMILIES)
def test_the_page(name):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    tried = Tried(FAMILIES[name])
    assert {check: outcome(tried, check) for check in CHECKS} == SAID[name]
