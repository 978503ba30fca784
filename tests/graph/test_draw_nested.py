"""Stacks with extra skips, cycles and loops: frames in frames, labelled ways of earlier states, ways back."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from drawn_graphs import CELLS, NESTED, STACKS, graph_of
from test_draw import SVG, Box, curve, picture, rectangles, texts

from pde2net.graph.draw import to_text
from pde2net.graph.draw.outline import Edge, Outline, outline

TIMES = "\u00d7"


def labels(name: str, kind: str) -> list[str]:
    return [t.text or "" for t in picture(name).iter(f"{SVG}text") if t.get("class") == kind]


def inside(inner: Box, outer: Box) -> bool:
    corners = np.array([[inner.x, inner.y], [inner.x + inner.width, inner.y + inner.height]])
    return bool(outer.contains(corners).all())


@pytest.mark.parametrize("name", NESTED)
def test_frames_are_nested_or_apart_and_cut_no_box(name: str) -> None:
    frames, boxes = rectangles(picture(name), "frame"), rectangles(picture(name), "box")
    for a, b in [*itertools.combinations(frames, 2), *itertools.product(boxes, frames)]:
        apart = a.x + a.width < b.x or b.x + b.width < a.x or a.y + a.height < b.y or b.y + b.height < a.y
        assert apart or inside(a, b) or inside(b, a)


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("du_fort_frankel", [f"{TIMES} 6, shared weights"]),
        ("fsi", [f"{TIMES} 2 cycles", "once per cycle", f"{TIMES} 5, shared weights"]),
        ("fsi_step", [f"{TIMES} 2 cycles", f"{TIMES} 5, shared weights"]),
        ("fsi_one_cycle", ["once per cycle", f"{TIMES} 5, shared weights"]),
        ("fed", [f"{TIMES} 2 cycles", "once per cycle", f"{TIMES} 6, shared weights"]),
        ("fed_step", [f"{TIMES} 2 cycles", f"{TIMES} 6, shared weights"]),
        ("rkl1", [f"{TIMES} 2 cycles", f"{TIMES} 5, shared weights"]),
        ("rkl2", [f"{TIMES} 2 cycles", "once per cycle", f"{TIMES} 5, shared weights"]),
        ("kacanov", [f"{TIMES} 3, shared weights", "Ka\u010danov iteration", "conjugate gradients"]),
        (
            "kacanov_multigrid",
            [
                f"{TIMES} 3, shared weights",
                "Ka\u010danov iteration",
                "conjugate gradients, preconditioner: multigrid",
            ],
        ),
        ("kacanov_1d", [f"{TIMES} 2, shared weights", "Ka\u010danov iteration"]),
        ("newton", [f"{TIMES} 2, shared weights", "Newton iteration", "BiCGSTAB"]),
        ("fixed_point", ["one block", "fixed point iteration"]),
        ("aos", [f"{TIMES} 3, shared weights"]),
    ],
)
def test_frames_say_what_is_repeated(name: str, frames: list[str]) -> None:
    assert labels(name, "frame") == frames
    tree = to_text(graph_of(name))
    assert all(frame in tree for frame in frames)


@pytest.mark.parametrize(
    ("name", "carried"),
    [
        ("du_fort_frankel", ["u", "u previous"]),
        ("fsi", ["u", "u previous"]),
        ("fed", []),
        ("rkl1", ["u", "u previous"]),
        ("rkl2", ["u", "u previous", "u at start of cycle", "rate at start of cycle"]),
        ("aos", []),
    ],
)
def test_earlier_states_pass_the_layers_on_ways_of_their_own(name: str, carried: list[str]) -> None:
    assert labels(name, "arc") == carried
    arcs = [p.attrib["d"] for p in picture(name).iter(f"{SVG}path") if p.get("class") == "arc"]
    assert len(arcs) == max(len(carried), 0 if name == "aos" else 1)
    lanes = [max(curve(arc)[:, 1]) for arc in arcs]
    assert all(b - a > 15 for a, b in itertools.pairwise(lanes))


@pytest.mark.parametrize("name", STACKS)
def test_ways_of_states_cross_no_frame_that_they_do_not_enter(name: str) -> None:
    root = picture(name)
    once = [f for f, c in zip(rectangles(root, "frame"), labels(name, "frame"), strict=True) if "once" in c]
    for path in root.iter(f"{SVG}path"):
        if path.get("class") == "arc":
            points = curve(path.attrib["d"])
            assert not any(
                frame.contains(points, margin=1).any() for frame in once if not frame.contains(points[:1])
            )


def test_weights_that_differ_between_stages_are_listed() -> None:
    assert "a = 2/3, 6/5, \u2026, 18/11" in texts(picture("fsi"))
    assert "a = 4\u00b7\u03b1\u00b7\u03c4/(2\u00b7\u03b1\u00b7\u03c4 + 1)" in texts(
        picture("du_fort_frankel")
    )
    assert any(re.fullmatch(r"c = [\d.]+, [\d.]+, \u2026, [\d.]+", t) for t in texts(picture("fed")))


@pytest.mark.parametrize(
    ("name", "conditions"),
    [
        (
            "kacanov",
            [
                "until \u2016residual\u2016 \u2264 10\u207b\u2076\u00b7\u2016rhs\u2016, at most 50 times",
                "until \u2016product \u2212 rhs\u2016 \u2264 10\u207b\u2078\u00b7\u2016rhs\u2016, "
                "at most 200 times",
            ],
        ),
        ("fixed_point", ["4 times"]),
        ("aos", []),
    ],
)
def test_loops_go_back_until_their_condition_holds(name: str, conditions: list[str]) -> None:
    assert sorted(labels(name, "loop")) == sorted(conditions)
    tree = to_text(graph_of(name))
    assert all(condition in tree for condition in conditions)


@pytest.mark.parametrize("name", CELLS)
def test_ways_back_run_from_the_result_to_the_variable(name: str) -> None:
    root = picture(name)
    boxes = rectangles(root, "box")
    for path in root.iter(f"{SVG}path"):
        if path.get("class") == "loop":
            points = curve(path.attrib["d"])
            assert points[0, 0] > points[-1, 0]
            for point in (points[0], points[-1]):
                assert any(
                    abs(b.y + b.height - point[1]) < 0.2 and abs(b.x + b.width / 2 - point[0]) < 0.2
                    for b in boxes
                )
            assert not any(b.contains(points, margin=1).any() for b in boxes)


@pytest.mark.parametrize("name", NESTED)
def test_every_edge_of_the_outline_is_drawn(name: str) -> None:
    shown: Outline = outline(graph_of(name))
    lines = sum(p.get("class") in ("edge", "arc") for p in picture(name).iter(f"{SVG}path"))
    assert lines == len(shown.edges)
    names = set(shown.root.names())
    assert all(isinstance(e, Edge) and {e.producer, e.consumer} <= names for e in shown.edges)
