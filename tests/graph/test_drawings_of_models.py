"""Every model of the gallery in every family of schemes: texts fit boxes, boxes a page, nothing is missing.

Widths of texts are those of DejaVu, which the pictures ask for and matplotlib brings along.
"""

from __future__ import annotations

import ast
import itertools
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import sympy as sp
from matplotlib import get_data_path
from matplotlib.ft2font import FT2Font, LoadFlags
from test_draw import SVG, Box, rectangles

import pde2net as p2n
import pde2net.graph.build as build_folder
from pde2net.discretise.semidiscretise import semidiscretise, semidiscretise_system
from pde2net.errors import DeclarationError, FileError
from pde2net.graph.build import build
from pde2net.graph.draw import FORMATS, title, to_dot, to_svg, write_picture
from pde2net.graph.draw.style import COLOURS
from pde2net.graph.draw.ushape import is_u_shaped
from pde2net.graph.network import Graph, is_carried, node_of
from pde2net.graph.nodes import Cycle, Iterate, Node, Operator, Repeat, State
from pde2net.normalise.recognise import recognise, recognise_system
from pde2net.scheme.registry import update_of

GALLERY = sorted((Path(__file__).parents[2] / "examples" / "gallery").glob("*.pde"))
FAMILIES = {
    "stack": p2n.FSI(tau=sp.Rational(1, 10), cycle_length=4, cycles=2),
    "cell": p2n.Implicit(tau=1, steps=2),
    "U-net": p2n.Multigrid(tau=1),
}
REFUSED = {("gray_scott", "U-net"), ("lysaker", "U-net")}  # a system, Hessians
PAGE = 1600
FONTS = {
    kind: FT2Font(f"{get_data_path()}/fonts/ttf/DejaVu{name}.ttf")
    for kind, name in (("bold", "Sans-Bold"), ("mono", "SansMono"), ("plain", "Sans"))
}
SIZES = {
    "title": ("bold", 18),
    "heading": ("bold", 12.5),
    "frame": ("bold", 13),
    "arc": ("bold", 12),
    "loop": ("bold", 12),
    "line": ("mono", 12),
    "caption": ("mono", 12),
    "legend": ("plain", 12),
}

every = pytest.mark.parametrize(
    ("name", "family"),
    [
        pytest.param(file.stem, family, id=f"{file.stem}-{family}")
        for file, family in itertools.product(GALLERY, FAMILIES)
        if (file.stem, family) not in REFUSED
    ],
)


def built(problem: p2n.Problem, scheme: p2n.Explicit, grid: p2n.Grid) -> Graph:
    """The graph alone, without a certificate."""
    if len(problem.equations) > 1:
        semi = semidiscretise_system(recognise_system(problem), grid)
    else:
        semi = semidiscretise(recognise(problem), grid)
    return build(semi, sp.nsimplify(scheme.tau), update_of(scheme, None))


@cache
def graph_of(name: str, family: str) -> Graph:
    (file,) = (f for f in GALLERY if f.stem == name)
    declared = p2n.load(file)
    return built(declared.problem, FAMILIES[family], declared.grid)


@cache
def picture(name: str, family: str) -> ET.Element:
    (file,) = (f for f in GALLERY if f.stem == name)
    return ET.fromstring(to_svg(graph_of(name, family), title(p2n.load(file).problem)))


@cache
def advance(kind: str, character: str) -> float:
    """The width of a character in units of the font size; every character that is used is in the font."""
    font = FONTS[kind]
    assert font.get_char_index(ord(character)), f"{character!r} is not in DejaVu {kind}"
    font.set_size(100, 72)
    return float(font.load_char(ord(character), flags=LoadFlags.NO_HINTING).linearHoriAdvance) / 65536 / 100


def extent(text: ET.Element) -> tuple[float, float]:
    """The left and the right end; indices are as large as what they belong to, at most."""
    kind, size = SIZES[text.attrib["class"]]
    width = size * sum(advance(kind, c) for c in "".join(text.itertext()))
    left = float(text.attrib["x"]) - (width / 2 if text.get("text-anchor") == "middle" else 0.0)
    return left, left + width


def groups(root: ET.Element) -> list[ET.Element]:
    return [g for g in root.iter(f"{SVG}g") if "data-role" in g.attrib]


def shift(root: ET.Element) -> tuple[float, float]:
    dx, dy = re.findall(r"[\d.]+", next(e for e in root.iter(f"{SVG}g")).attrib["transform"])
    return float(dx), float(dy)


@every
def test_texts_lie_in_their_boxes(name: str, family: str) -> None:
    for group in groups(picture(name, family)):
        for box in rectangles(group, "box"):
            for text in group.findall(f"{SVG}text"):
                left, right = extent(text)
                assert box.x + 3 < left and right < box.x + box.width - 3, "".join(text.itertext())
                assert box.y + 10 < float(text.attrib["y"]) < box.y + box.height - 4


@every
def test_everything_lies_on_a_page(name: str, family: str) -> None:
    root = picture(name, family)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert width <= PAGE
    dx, dy = shift(root)
    moved = set(next(e for e in root.iter(f"{SVG}g")).iter(f"{SVG}text"))
    for text in root.iter(f"{SVG}text"):
        left, right = extent(text)
        x, y = (dx, dy) if text in moved else (0.0, 0.0)
        assert left + x >= 0 and right + x <= width
        assert 10 <= float(text.attrib["y"]) + y <= height - 4
    for box in [*rectangles(root, "box"), *rectangles(root, "frame")]:
        assert box.x + dx >= 0 and box.x + box.width + dx <= width
        assert box.y + dy >= 0 and box.y + box.height + dy <= height
    for swatch in rectangles(root, "swatch"):
        assert swatch.x + swatch.width <= width and swatch.y + swatch.height <= height


@every
def test_boxes_and_what_is_written_beside_them_lie_apart(name: str, family: str) -> None:
    root = picture(name, family)
    boxes = rectangles(root, "box")
    for group in groups(root):
        for circle in group.iter(f"{SVG}circle"):
            x, y, r = (float(circle.attrib[k]) for k in ("cx", "cy", "r"))
            boxes.append(Box(x - r, y - r, 2 * r, 2 * r))
            boxes += [around(t) for t in group.findall(f"{SVG}text")]
    boxes += [around(t) for t in root.iter(f"{SVG}text") if t.get("class") in ("frame", "loop")]
    for a, b in itertools.combinations(boxes, 2):
        apart = a.x + a.width <= b.x or b.x + b.width <= a.x
        assert apart or a.y + a.height <= b.y or b.y + b.height <= a.y


def around(text: ET.Element) -> Box:
    left, right = extent(text)
    return Box(left, float(text.attrib["y"]) - 11, right - left, 14)


@every
def test_every_node_has_a_box_of_the_colour_of_its_role(name: str, family: str) -> None:
    graph, root = graph_of(name, family), picture(name, family)
    expected = {n for n in graph if is_shown(graph, n)}
    found = set()
    for group in groups(root):
        found |= set(group.attrib["data-nodes"].split())
        fill, border = COLOURS[group.attrib["data-role"]]
        (shape,) = (e for e in group if e.get("class") == "box")
        assert (shape.attrib["fill"], shape.attrib["stroke"]) == (fill, border)
        assert group.findall(f"{SVG}text")
        if not is_u_shaped(graph):
            (node,) = group.attrib["data-nodes"].split()
            assert node_of(graph, node).role == group.attrib["data-role"]
    assert found == expected
    legend = ["".join(t.itertext()) for t in root.iter(f"{SVG}text") if t.get("class") == "legend"]
    assert sorted(legend) == sorted({g.attrib["data-role"] for g in groups(root)})
    colours = [
        (r.attrib["fill"], r.attrib["stroke"]) for r in root.iter(f"{SVG}rect") if r.get("class") == "swatch"
    ]
    assert colours == [COLOURS[role] for role in legend]


def is_shown(graph: Graph, name: str) -> bool:
    """All but loops, which are frames, the states that they carry, and bodies of operators on all grids."""
    node, loop = node_of(graph, name), graph.nodes[name]["loop"]
    if isinstance(node, Repeat | Cycle) or is_carried(graph, name):
        return False
    if is_u_shaped(graph) and isinstance(node, Iterate | State):
        return False
    return loop is None or not isinstance(node_of(graph, loop), Operator)


def test_every_role_has_a_colour() -> None:
    """Also those that no model of the gallery has; of loops there are frames."""
    of_kinds = {kind.__dataclass_fields__["role"].default for kind in Node.kinds()}
    given = {role for role in of_kinds if isinstance(role, str)}
    for path in Path(build_folder.__file__).parent.glob("*.py"):
        calls = (n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call))
        for call in calls:
            if getattr(call.func, "id", "") == "Pointwise" and isinstance(call.args[1], ast.Constant):
                given.add(call.args[1].value)
    assert "rate of one unknown" in given
    assert given - set(COLOURS) == {"repeat", "previous state", "cycle"}


def test_a_role_of_ones_own_is_drawn_and_in_the_legend() -> None:
    graph = graph_of("perona_malik", "stack").copy()
    (name,) = (n for n in graph if node_of(graph, n).role == "activation")
    graph.nodes[name]["node"] = replace(node_of(graph, name), role="squashing")
    root = ET.fromstring(to_svg(graph))
    assert "squashing" in {g.attrib["data-role"] for g in groups(root)}
    assert "squashing" in [
        "".join(t.itertext()) for t in root.iter(f"{SVG}text") if t.get("class") == "legend"
    ]


@pytest.mark.parametrize(("name", "family"), sorted(REFUSED))
def test_what_has_no_drawing_has_no_network(name: str, family: str) -> None:
    with pytest.raises(DeclarationError):
        graph_of(name, family)


@every
def test_the_text_for_graphviz_has_the_same_nodes(name: str, family: str) -> None:
    text = to_dot(graph_of(name, family), "a title")
    nodes = re.findall(r'^ +"((?:[^"\\]|\\.)*)" \[label=', text, re.M)
    assert len(nodes) == len(set(nodes)) == len(groups(picture(name, family)))
    ends = re.findall(r'^  "((?:[^"\\]|\\.)*)" -> "((?:[^"\\]|\\.)*)"', text, re.M)
    assert {end for pair in ends for end in pair} <= set(nodes)
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    assert outside.count("{") == outside.count("}") == text.count("subgraph") + 1
    frames = [r for r in picture(name, family).iter(f"{SVG}rect") if r.get("class") == "frame"]
    assert text.count("subgraph") == len(frames)


def test_files_are_written_in_the_format_of_their_suffix(tmp_path: Path) -> None:
    graph = graph_of("perona_malik", "stack")
    for suffix, render in FORMATS.items():
        write_picture(graph, "a title", tmp_path / f"graph{suffix}")
        assert (tmp_path / f"graph{suffix}").read_text(encoding="utf-8") == render(graph, "a title")
    with pytest.raises(FileError, match=r"graph\.png: its name must end in \.svg or \.dot\."):
        write_picture(graph, "a title", tmp_path / "graph.png")
