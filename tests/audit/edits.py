"""Edits of one value in a JSON document, which must be rejected."""

import copy
import json
import re

import pytest

import pde2net as p2n

NUMBER = re.compile(r"(?<![A-Za-z_0-9.])\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def walk(node, path=()):
    """(path, value) of every leaf."""
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from walk(value, (*path, key))
    else:
        yield path, node


def figures(document):
    """(path, edited value) for each number of the document, also inside of text, and each flag."""
    for path, value in walk(document):
        if isinstance(value, bool):
            yield path, not value
        elif isinstance(value, int):
            yield path, value + 1
        elif isinstance(value, float):
            yield path, value + (1e-3 if value >= 0 else -1e-3) * max(1.0, abs(value))
        elif isinstance(value, str):
            for match in NUMBER.finditer(value):
                yield path, value[: match.start()] + _other(match.group()) + value[match.end() :]


def _other(number):
    if number.isdigit():
        return str(int(number) + 1)
    return number[:-1] + str((int(number[-1]) + 1) % 10) if "e" not in number else number.replace("e", "1e")


def changed(document, path, value):
    """A copy with another value at `path`."""
    document = copy.deepcopy(document)
    node = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return document


def rejected(document, what=""):
    with pytest.raises(p2n.Pde2NetError):
        p2n.recheck(json.dumps(document))
        pytest.fail(f"accepted: {what}")
