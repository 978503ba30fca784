"""What is no certificate is refused with one kind of error, in time, and is never run."""

import json
from pathlib import Path

import pytest
from attack.forge import changed, leaves
from genuine import text_of

import pde2net as p2n


def rejected(document, what):
    with pytest.raises(p2n.Pde2NetError):
        p2n.recheck(json.dumps(document))
        pytest.fail(f"accepted: {what}")


HOSTILE = [
    "__import__('os').system('touch /tmp/pde2net_was_here')",
    "open('/tmp/pde2net_was_here', 'w')",
    "exec('1')",
    "().__class__.__bases__[0].__subclasses__()",
    "(lambda: 1)()",
    "[x for x in (1,)]",
    "9**9**9**9",
    "(((2**400)**400)**400)**400",
    "exp(exp(exp(exp(exp(9)))))",
    "(" * 3000 + "1" + ")" * 3000,
    "1" * 5000,
    "1e999999",
    "oo - oo",
    "1/0",
    "",
    "\x00",
    "lambda",
]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_expressions_are_refused(value):
    document = json.loads(text_of("Perona-Malik"))
    for path in (("tau",), ("claims", 0, "limit"), ("ranges", 0, "upper"), ("declaration", "rhs", 0)):
        rejected(changed(document, path, value), path)
    assert not Path("/tmp/pde2net_was_here").exists()


def test_other_json_is_refused():
    text = text_of("heat beyond the limit")
    others = [
        "",
        "[]",
        "null",
        "3",
        '"x"',
        "[" * 100_000,
        '{"a":' * 5000,
        text[:-30],
        text[: len(text) // 2],
        "{}",
    ]
    for other in (*others, None, 3, b"{}", {"format": 1}):
        with pytest.raises(p2n.Pde2NetError):
            p2n.recheck(other)


def test_values_of_other_types_are_refused():
    """Every second value of a certificate, replaced by one of another type."""
    document = json.loads(text_of("heat beyond the limit"))
    others = (None, 1, 1.5, "x", [], {}, True, [[]])
    for i, (path, value) in enumerate(leaves(document)):
        other = others[i % len(others)]
        if path[:3] != ("declaration", "grid", "origin") and other != value and i % 2 == 0:
            rejected(changed(document, path, other), (path, other))
