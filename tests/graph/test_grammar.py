"""grammar/: the productions are complete, and the files that the dictionary names exist."""

from __future__ import annotations

import re
from pathlib import Path

from pde2net.graph.nodes import Node
from pde2net.language.schemes import SCHEMES

GRAMMAR = Path(__file__).parents[2] / "grammar"


def productions() -> dict[str, str]:
    text = re.sub(r"\(\*.*?\*\)", "", (GRAMMAR / "network.ebnf").read_text(encoding="utf-8"), flags=re.DOTALL)
    rules = [rule.split("=", 1) for rule in text.split(";") if rule.strip()]
    return {" ".join(name.split()): body for name, body in rules}


def test_every_name_of_the_grammar_is_defined_and_used() -> None:
    found = productions()
    bodies = [re.sub(r'"[^"]*"', "", body) for body in found.values()]
    used = {" ".join(name.split()) for body in bodies for name in re.split(r"[\[\]{}(),|]", body)} - {"", "-"}
    basic = {"expression", "axis", "spacing", "offset", "rational weight"}
    assert used - set(found) == basic
    assert set(found) - used == {"network"}


def test_every_kind_of_node_is_in_the_grammar() -> None:
    words = {word for body in productions().values() for word in re.findall(r'"(\w+)"', body)}
    assert {kind.__name__ for kind in Node.kinds()} <= words


def test_the_dictionary_names_all_schemes_and_files_that_exist() -> None:
    text = (GRAMMAR / "dictionary.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]*)\)", text)
    assert links
    assert [link for link in links if not (GRAMMAR / link).exists()] == []
    flat = text.lower().replace("\u2013", "-")
    for label in SCHEMES:
        assert label.lower().replace("rkl", "runge-kutta-legendre") in flat
    named = {link for link in links if "/scheme/" in link}
    assert {Path(link).name for link in named} >= {
        "explicit.py",
        "du_fort_frankel.py",
        "fsi.py",
        "fed.py",
        "rkl.py",
        "cell.py",
        "unet.py",
    }
