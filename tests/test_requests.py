"""Requests of docs/requests.md: each has the claims, or the sentence, that it expects; the page is theirs."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent


def program() -> ModuleType:
    """benchmarks/requests.py, under a name that no installed package has."""
    if "requests_of_users" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "requests_of_users", ROOT / "benchmarks" / "requests.py"
        )
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["requests_of_users"] = module
        spec.loader.exec_module(module)
    return sys.modules["requests_of_users"]


OWN = program()


@pytest.mark.parametrize("request_", OWN.REQUESTS, ids=lambda request: request.wish[:40])
def test_request(request_) -> None:
    found = OWN.outcome(request_)
    if found.certificate is None:
        assert request_.refused and request_.refused in found.sentence
        return
    claims = found.certificate.claims
    for name, limit in request_.proved.items():
        assert str(claims[name].status) in ("proved", "linearised"), (name, claims[name].reason)
        assert not limit or str(claims[name].limit) == limit
    reasons = " ".join(claim.reason for claim in claims.values())
    assert not request_.refused or request_.refused in reasons


def test_the_page_is_about_these_requests() -> None:
    """Figures of time apart, the page is what the program writes."""
    page = (ROOT / "docs" / "requests.md").read_text()
    assert page.startswith(OWN.HEAD)
    lines = page[len(OWN.HEAD) :].splitlines()
    wishes = [OWN.cells(request.wish) for request in OWN.REQUESTS]
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines] == wishes
    seconds = [float(re.search(r"\| ([0-9.]+) \|$", line)[1]) for line in lines]
    assert max(seconds) <= 3.0
    first = OWN.outcome(OWN.REQUESTS[6])
    assert next(OWN.rows([first])).rsplit(" | ", 1)[0] == lines[6].rsplit(" | ", 1)[0]
