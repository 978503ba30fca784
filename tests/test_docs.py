"""What the pages of docs/ quote is what the code says; their links and the files that they name exist."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import sympy as sp
from support import diffusion, lam

import pde2net as p2n

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("grammar/*.md"), *ROOT.glob("*.md")])
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text() for page in PAGES}
FOLDERS = ("", "pde2net", "pde2net/verify", "docs", "grammar", "tests")
FILE = re.compile(r"\b((?:[\w.]+/)+\w+\.(?:py|lark|ebnf|md|png|pde|svg))\b")


def blocks(page, kind):
    return [m[1] for m in re.finditer(rf"^```{kind}\n(.*?)^```", TEXTS[page], re.M | re.S)]


def test_parts_of_a_certificate_are_quoted_as_they_are():
    problem = diffusion(lambda s: 1 / (1 + s / lam**2), 2, parameters={lam: 0.1})
    certificate = json.loads(p2n.verify(problem, p2n.Explicit(sp.Rational(1, 5), 2)).to_json())
    keys, of_ranges, of_claims = re.findall(r"(?:^\| `.*\n)+", TEXTS["docs/certificate.md"], re.M)
    for table, row in ((keys, certificate), (of_ranges, certificate["ranges"][0])):
        assert set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (.*?) \|", table, re.M)))) == set(row)
    assert set(re.findall(r"^\| `(\w+)`", of_claims, re.M)) == set(certificate["claims"][0])
    bound, hypothesis = map(json.loads, blocks("docs/certificate.md", "json"))
    assert bound in certificate["ranges"]
    assert hypothesis in [h for c in certificate["claims"] for h in c["hypotheses"]]


def test_blocks_of_python_are_run():
    """README's by test_readme.py, those of the others beside what they are about; there are no more."""
    assert sorted(page for page in TEXTS if blocks(page, "python")) == [
        "README.md",
        "docs/blocks.md",
        "docs/domains.md",
        "docs/learning.md",
        "docs/restoring.md",
    ]


@pytest.mark.parametrize("page", TEXTS)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#]+?)\)", TEXTS[page]):
        assert link.startswith("http") or (ROOT / page).parent.joinpath(link).exists(), link


@pytest.mark.parametrize("page", [p for p in TEXTS if p != "CHANGELOG.md"])
def test_files_that_are_named_exist(page):
    for name in FILE.findall(TEXTS[page]):
        assert any((ROOT / folder / name).exists() for folder in FOLDERS), name


def test_nothing_large_is_kept_in_the_repository() -> None:
    """Pictures are the largest files; wheels and data belong elsewhere."""
    if not (ROOT / ".git").exists():
        pytest.skip("only a clone knows what is kept")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert files and not [f for f in files if f.exists() and f.stat().st_size > 2 << 20]
