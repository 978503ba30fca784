"""U-nets look like U-nets: grids are rows, encoders descend, decoders ascend, skips run level."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from functools import cache

import numpy as np
import pytest
from drawn_graphs import U_NETS, graph_of
from test_draw import SVG, curve, rectangles

from pde2net.graph.draw import to_svg, to_text
from pde2net.graph.draw.ushape import RIGHT_HAND_SIDE, SOLUTION, UShape, ushape

every = pytest.mark.parametrize("name", U_NETS)


@cache
def picture(name: str) -> ET.Element:
    return ET.fromstring(to_svg(graph_of(name), "A title"))


@cache
def shape_of(name: str) -> UShape:
    return ushape(graph_of(name))


def paths(name: str, kind: str) -> list[np.ndarray]:
    return [curve(p.attrib["d"]) for p in picture(name).iter(f"{SVG}path") if p.get("class") == kind]


def heading(name: str, kind: str) -> list[str]:
    return [t.text or "" for t in picture(name).iter(f"{SVG}text") if t.get("class") == kind]


def roles(name: str) -> list[tuple[int, tuple[str, ...]]]:
    return [(s.level, tuple(p.role for p in s.parts)) for s in shape_of(name).stages]


@every
def test_boxes_lie_apart_and_no_line_runs_through_one(name: str) -> None:
    boxes = rectangles(picture(name), "box")
    for a, b in itertools.combinations(boxes, 2):
        apart = a.x + a.width + 10 <= b.x or b.x + b.width + 10 <= a.x
        assert apart or a.y + a.height + 10 <= b.y or b.y + b.height + 10 <= a.y
    for line in [*paths(name, "edge"), *paths(name, "arc"), *paths(name, "main")]:
        assert not any(box.contains(line, margin=1).any() for box in boxes)


@every
def test_everything_lies_inside_the_picture(name: str) -> None:
    root = picture(name)
    shift = next(e for e in root.iter(f"{SVG}g")).attrib["transform"]
    dx, dy = (float(v) for v in re.findall(r"[\d.]+", shift))
    for box in [*rectangles(root, "box"), *rectangles(root, "frame")]:
        assert box.x + dx >= 0
        assert box.y + dy >= 0
        assert box.x + box.width + dx <= float(root.attrib["width"])
        assert box.y + box.height + dy <= float(root.attrib["height"])


def test_a_v_cycle_descends_to_the_bottleneck_and_ascends() -> None:
    shape = shape_of("v")
    (loop,) = shape.loops
    inside = [s for s in shape.stages if s.loop == loop]
    assert [s.level for s in inside] == [0, 1, 2, 3, 2, 1, 0]
    assert [p.role for p in inside[0].parts] == ["smoother", "residual"]
    assert [p.role for p in inside[3].parts] == ["restriction", "right-hand side", "bottleneck", "correction"]
    assert [p.role for p in inside[-1].parts] == ["prolongation", "correction", "smoother"]
    assert heading("v", "frame") == ["\u00d7 3 cycles"]
    within = [line for line in paths("v", "main") if (np.diff(line[:, 0]) >= -1e-9).all()]
    assert len(paths("v", "main")) - len(within) <= 2  # to the cycle, and from it


@every
def test_skips_carry_solution_and_right_hand_side_level(name: str) -> None:
    shape = shape_of(name)
    place = {p: (k, s.level) for k, s in enumerate(shape.stages) for p in s.parts}
    skips = [f for f in shape.flows if f.carries]
    assert {f.carries for f in skips} == {SOLUTION, RIGHT_HAND_SIDE}
    for flow in skips:
        (k, level), (m, other) = place[flow.source], place[flow.target]
        assert level == other
        assert m > k + 1
    assert set(heading(name, "arc")) == {SOLUTION, RIGHT_HAND_SIDE}
    assert len(paths(name, "arc")) == len(skips)


def test_w_and_full_multigrid_cycles_are_several_us() -> None:
    assert sum("bottleneck" in parts for _, parts in roles("w")) == 1 + 4
    levels = [level for level, _ in roles("fmg")]
    assert levels == [0, 1, 2, 1, 2, 1, 0, 0, 1, 2, 1, 0, 0]
    outer, inner = heading("fmg", "frame")
    assert outer == "\u00d7 2 steps, shared weights"
    assert inner.startswith("cycles until \u2016residual\u2016")


def test_grids_below_the_fourth_are_shown_together() -> None:
    assert max(level for level, _ in roles("all_grids")) == 3
    assert "levels 4 to 12" in heading("all_grids", "heading")


def test_known_data_stand_beside_the_input() -> None:
    shape = shape_of("inpainting")
    first = [p.names for p in shape.stages[0].parts]
    assert ("input",) in first
    assert {("known.f",), ("known.c",)} <= set(first)
    assert len(first) == 4
    to_operator = {f.source.names for f in shape.flows if f.target.role == "operator"}
    assert to_operator == {("input",), ("known.f",), ("known.c",)}
    assert heading("inpainting", "heading").count("operator N") == 1


@every
def test_the_tree_has_a_line_for_each_visit_of_a_grid(name: str) -> None:
    rows = to_text(graph_of(name)).splitlines()
    visits = [row for row in rows if "\u2514\u2500 level" in row]
    assert len(visits) == len(shape_of(name).stages)
    for row, stage in zip(visits, shape_of(name).stages, strict=True):
        assert row.index("\u2514") == 3 * stage.level
