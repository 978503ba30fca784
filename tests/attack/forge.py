"""Forged certificates, systematically: every text, figure, status and flag, by every kind of bump.

None of them may be accepted, unless it is the genuine certificate of another declaration (`is_genuine`).
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pde2net as p2n
from pde2net.audit.equality import EXPRESSIONS

Path = tuple[Any, ...]
STATUSES = ("proved", "proved if", "linearised", "refuted", "unknown", "not applicable")
RELATION = re.compile(r"^(.*) (<=|<|>=|>) (.*)$")
NUMBER = re.compile(r"(?<![A-Za-z_0-9.])\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def forgeries(text: str) -> Iterator[tuple[str, str]]:
    """(what was done, the JSON of it) for the certificate in the JSON `text`."""
    document = json.loads(text)
    for path, value in leaves(document):
        for kind, other in bumps(document, path, value):
            yield f"{'.'.join(map(str, path))}: {kind}", json.dumps(changed(document, path, other))
    for kind, other in structures(document):
        yield kind, json.dumps(other)
    for key in ("tau", "claims", "declaration", "source"):
        yield f"{key} twice", text.replace("{", f'{{"{key}": {json.dumps(document[key])},', 1)


def is_genuine(text: str) -> bool:
    """Whether a text is what compile or verify states about the declaration in it."""
    stated = p2n.Certificate.from_json(text)
    declared, training = stated.declaration, stated.training
    names = ("trainable", "shared", "keep_stable") if training is not None else ()
    options: dict[str, Any] = {name: getattr(training, name) for name in names}
    made = p2n.compile(declared.problem, declared.scheme, declared.grid, on_unstable="ignore", **options)
    own = json.loads(made.certificate.to_json())
    given = json.loads(text)
    for document in (own, given):
        document["source"] = None if stated.source is None else document["source"]
        for claim in document["claims"]:
            claim["witness"] = claim["witness"] is not None
    # Under the assumptions of its symbols another text may be the same expression.
    equal = json.loads(stated.to_json()) == json.loads(made.certificate.to_json())
    same_keys = [path for path, _ in leaves(own)] == [path for path, _ in leaves(given)]
    return bool(own == given) or (equal and same_keys)


def leaves(node: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """(path, value) of everything that is no object and no list."""
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from leaves(value, (*path, key))
    else:
        yield path, node


def changed(document: Any, path: Path, value: Any) -> Any:
    """A copy with another value at `path`."""
    document = copy.deepcopy(document)
    node = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return document


def bumps(document: Any, path: Path, value: Any) -> Iterator[tuple[str, Any]]:
    """(kind, another value) for one leaf."""
    if isinstance(value, bool):
        yield "turned", not value
    elif isinstance(value, int):
        yield "one more", value + 1
        yield "as a float", float(value) + 0.5
    elif isinstance(value, float):
        yield "larger", value + 1e-3 * max(1.0, abs(value))
        yield "as text", str(value)
    elif value is None:
        yield "something", "1/3"
    elif path[-1] == "status":
        yield from ((f"as {other}", other) for other in STATUSES if other != value)
    elif path[0] not in ("declaration", "subject") and (path[-1] in EXPRESSIONS or "figures" in path[-2:-1]):
        yield from _expressions(document, value)
    else:
        yield from _texts(value)


def _expressions(document: Any, text: str) -> Iterator[tuple[str, str]]:
    if text in ("True", "False"):
        yield "turned", "False" if text == "True" else "True"
        return
    relation = RELATION.match(text)
    if relation is not None:
        left, sign, right = relation.groups()
        yield from ((kind, f"{left} {sign} {other}") for kind, other in _expressions(document, right))
        yield "strict", f"{left} {'<' if sign == '<=' else '<='} {right}"
        return
    symbols = document["symbols"].items()
    symbol = next((name for name, known in symbols if name.isidentifier() and "real" in known), None)
    if text in ("oo", "-oo"):
        yield "finite", "10**80"
        yield "the other sign", "-oo" if text == "oo" else "oo"
        return
    yield "by 10^-80", f"{text} + 1/10**80"
    yield "infinite", "oo"
    if text != "0":
        yield "the other sign", f"-({text})"
        yield "by a factor", f"({text})*(1 + 1/10**40)"
    if symbol is None:
        return
    s = symbol
    yield "far away", f"{text} + exp(1000*{s} - 200000)"
    yield "elsewhere", f"Piecewise(({text}, {s} < 10**6), ({text} + 1, True))"
    yield "in another case", f"Max({text}, {s}**7/10**9)"
    yield "at other integers", f"{text} + 1000*({s} - 1)**2*({s} - 2)**2*({s} - 3)**2*({s} - 4)**2"
    yield "by an angle", f"{text} + sin(10**6*{s})/10**12"


def _texts(text: str) -> Iterator[tuple[str, str]]:
    yield "one word more", f"{text} indeed"
    words = text.split(" ")
    if len(words) > 2:
        yield "a word less", " ".join([*words[:1], *words[2:]])
    for match in list(NUMBER.finditer(text))[:3]:
        other = str(int(match[0]) + 1) if match[0].isdigit() else match[0] + "1"
        yield f"{other} for {match[0]}", text[: match.start()] + other + text[match.end() :]


def structures(document: Any) -> Iterator[tuple[str, Any]]:
    """Parts left out, doubled, exchanged or added."""
    yield "a key more", {**document, "note": "checked"}
    for key in document:
        yield f"no {key}", {k: v for k, v in document.items() if k != key}
    for path, entries in _lists(document):
        if len(entries) > 0:
            yield f"{path} shorter", changed(document, path, entries[:-1])
            yield f"{path} doubled", changed(document, path, [*entries, entries[0]])
        if len(entries) > 1 and entries[0] != entries[-1]:
            yield f"{path} turned", changed(document, path, entries[::-1])
    claims = document["claims"]
    for i, claim in enumerate(claims):
        for key in ("limit", "factor", "condition", "theorem", "hypotheses", "reason", "status", "witness"):
            for other in claims:
                if other[key] != claim[key]:
                    yield (
                        f"{key} of {other['name']} for {claim['name']}",
                        changed(document, ("claims", i, key), other[key]),
                    )
                    break
        better = {**claim, "status": "proved", "condition": "True", "limit": "oo", "witness": None}
        if better != claim:
            yield f"{claim['name']} proved for every step", changed(document, ("claims", i), better)
    own = {"trainable": [], "shared": False, "keep_stable": False, "owner": "network", "kept": []}
    yield "other training", {**document, "training": None if document["training"] else own}
    yield "another source", {**document, "source": {"sha256": "0" * 64}}


def _lists(document: Any) -> Iterator[tuple[Path, list[Any]]]:
    yield ("ranges",), document["ranges"]
    yield ("claims",), document["claims"]
    for i, claim in enumerate(document["claims"]):
        yield ("claims", i, "hypotheses"), claim["hypotheses"]
