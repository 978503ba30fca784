"""Pictures are checked as pictures: nothing overlaps, overflows or is missing."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import sympy as sp
from drawn_graphs import GRAPHS, NESTED, edge_preserving, graph_of, stack, u
from support import diffusion, equation, lam

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.graph.draw import title, to_svg, to_text
from pde2net.graph.draw.formulas import formula
from pde2net.graph.network import block

SVG = "{http://www.w3.org/2000/svg}"
# Advance of every character of DejaVu Sans Mono, the widest of the fonts asked for, per font size.
MONOSPACED = 0.602


@dataclass(frozen=True)
class Box:
    x: float
    y: float
    width: float
    height: float

    def contains(self, points: np.ndarray, margin: float = 0.0) -> np.ndarray:
        px, py = points.T
        inside_x = (px > self.x + margin) & (px < self.x + self.width - margin)
        return inside_x & (py > self.y + margin) & (py < self.y + self.height - margin)


@cache
def picture(name: str) -> ET.Element:
    return ET.fromstring(to_svg(graph_of(name), "A title"))


def rectangles(root: ET.Element, kind: str) -> list[Box]:
    found = [r for r in root.iter(f"{SVG}rect") if r.get("class") == kind]
    return [Box(*(float(r.attrib[k]) for k in ("x", "y", "width", "height"))) for r in found]


def curve(path: str) -> np.ndarray:
    """Points along an SVG path of M, L, H, V, C and Q pieces."""
    at, points = np.zeros(2), []
    for command, numbers in re.findall(r"([A-Z])([^A-Z]*)", path):
        values = [float(v) for v in numbers.split()]
        if command in "HV":
            values = [values[0], at[1]] if command == "H" else [at[0], values[0]]
        control = [at, *np.reshape(values, (-1, 2))]
        s = np.linspace(0, 1, 40)[:, None]
        while len(control) > 1:
            control = [(1 - s) * a + s * b for a, b in itertools.pairwise(control)]
        points.append(np.broadcast_to(control[0], (40, 2)) if command != "M" else np.reshape(values, (1, 2)))
        at = np.array(values[-2:])
    return np.concatenate(points)


def written(text: ET.Element) -> str:
    """A text with its indices after underscores: u_x, u_sigma_x."""
    parts = [text.text or ""]
    for part in text:
        shown = part.text or ""
        parts.append(f"_{shown.replace(',', '_')}" if part.get("class") == "sub" else shown)
    return "".join(parts)


def texts(root: ET.Element) -> list[str]:
    return [written(e) for e in root.iter(f"{SVG}text")]


every = pytest.mark.parametrize("name", [*GRAPHS, *NESTED])
plain = pytest.mark.parametrize("name", GRAPHS)


@every
def test_boxes_lie_apart_inside_the_picture(name: str) -> None:
    root = picture(name)
    boxes = rectangles(root, "box")
    for a, b in itertools.combinations(boxes, 2):
        apart_x = a.x + a.width + 10 <= b.x or b.x + b.width + 10 <= a.x
        assert apart_x or a.y + a.height + 10 <= b.y or b.y + b.height + 10 <= a.y
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    shift = next(e for e in root.iter(f"{SVG}g")).attrib["transform"]
    dx, dy = (float(v) for v in re.findall(r"[\d.]+", shift))
    for box in [*boxes, *rectangles(root, "frame")]:
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width + dx <= width
        assert box.y + box.height + dy <= height


@every
def test_text_fits_its_box(name: str) -> None:
    for group in picture(name).iter(f"{SVG}g"):
        boxes = rectangles(group, "box")
        if len(boxes) != 1:
            continue
        (box,) = boxes
        for text in group.findall(f"{SVG}text"):
            size = {"line": 12 * MONOSPACED, "heading": 12.5 * 0.6}[text.attrib["class"]]
            half = len(written(text)) * size / 2
            assert float(text.attrib["x"]) - half >= box.x + 4
            assert float(text.attrib["x"]) + half <= box.x + box.width - 4
            assert box.y + 10 < float(text.attrib["y"]) < box.y + box.height - 4


@every
def test_no_line_runs_through_a_box(name: str) -> None:
    root = picture(name)
    boxes = rectangles(root, "box")
    lines = [p.attrib["d"] for p in root.iter(f"{SVG}path") if p.get("class") in ("edge", "arc")]
    assert lines
    for line in lines:
        points = curve(line)
        for box in boxes:
            assert not box.contains(points, margin=1).any()


@every
def test_lines_run_from_left_to_right_between_what_they_join(name: str) -> None:
    """And back between the rows of a picture, level but for round corners."""
    root = picture(name)
    boxes = rectangles(root, "box")
    for path in root.iter(f"{SVG}path"):
        if path.get("class") == "edge":
            points = curve(path.attrib["d"])
            back = np.diff(points[:, 0]) < -1e-9
            for first, last in np.flatnonzero(np.diff(back, prepend=False, append=False)).reshape(-1, 2):
                assert np.ptp(points[first : last + 1, 1]) < 20
            start, end = points[0], points[-1]
            pluses = [(float(c.attrib["cx"]), float(c.attrib["cy"])) for c in root.iter(f"{SVG}circle")]
            for point, side in ((start, 1), (end, 0)):
                at_box = any(
                    abs(b.x + side * b.width - point[0]) < 0.2 and b.y <= point[1] <= b.y + b.height
                    for b in boxes
                )
                at_plus = any(abs(np.hypot(*(point - plus)) - 15) < 0.2 for plus in pluses)
                assert at_box or at_plus


@plain
def test_frames_hold_the_boxes_of_the_blocks_and_no_others(name: str) -> None:
    root, graph = picture(name), graph_of(name)
    frames = rectangles(root, "frame")
    boxes = rectangles(root, "box")
    corners = [np.array([[b.x, b.y], [b.x + b.width, b.y + b.height]]) for b in boxes]
    held = sum(bool(frame.contains(c).all()) for frame in frames for c in corners)
    touched = sum(bool(frame.contains(c).any()) for frame in frames for c in corners)
    skips = len(frames)
    assert held == touched == len(block(graph)) - skips
    repeat = 1
    assert len(boxes) - held == sum(graph.nodes[n]["loop"] is None for n in graph) - repeat


@plain
def test_captions_stay_inside_their_frames_and_frames_apart(name: str) -> None:
    root = picture(name)
    frames = rectangles(root, "frame")
    captions = [t for t in root.iter(f"{SVG}text") if t.get("class") == "frame"]
    lines = [curve(p.attrib["d"]) for p in root.iter(f"{SVG}path") if p.get("class") in ("edge", "arc")]
    for frame, caption in zip(frames, captions, strict=True):
        left, base = float(caption.attrib["x"]), float(caption.attrib["y"])
        area = Box(left, base - 13, len(caption.text or "") * 13 * 0.6, 17)
        assert frame.x < area.x
        assert area.x + area.width < frame.x + frame.width
        assert not any(area.contains(line).any() for line in lines)
    for a, b in itertools.pairwise(frames):
        assert a.x + a.width + 20 <= b.x


def arcs(root: ET.Element) -> int:
    return sum(p.get("class") == "arc" for p in root.iter(f"{SVG}path"))


def test_blocks_with_shared_weights_are_drawn_once() -> None:
    root = picture("perona_malik")
    assert "\u00d7 20, shared weights" in texts(root)
    assert len(rectangles(root, "frame")) == arcs(root) == 1
    again = stack(edge_preserving(u), 50, parameters={lam: sp.Rational(1, 10)})
    other = to_svg(again, "A title").replace("\u00d7 50", "\u00d7 20")
    assert other == to_svg(graph_of("perona_malik"), "A title")


def test_formulas_are_those_of_the_equation() -> None:
    lines = texts(picture("perona_malik"))
    assert "g = 1/(1 + |\u2207u|\u00b2/\u03bb\u00b2)" in lines
    assert "u_x = (\u22121, 1) along x" in lines
    assert "u + \u03c4\u00b7d" in lines
    fourth = "\n".join(texts(picture("fourth_order_3d")))
    assert "(\u22121, 16, \u221230, 16, \u22121)" in fourth
    assert "along each axis" in fourth


K = p2n.LinearOperator("K", 4, 3)


@pytest.mark.parametrize(
    ("rhs", "line"),
    [
        (edge_preserving(u), "u_t = div(1/(1 + |∇u|²/λ²)·∇u)"),
        (-laplacian(laplacian(u)), "u_t = -Δ²u"),
        (-laplacian(laplacian(u) / (1 + laplacian(u) ** 2)), "u_t = -Δ(Δu/((Δu)² + 1))"),
        (-K.adjoint(K(u) ** 3), "u_t = -Kᵀ(K(u)³)"),
        (div(sp.exp(-norm2(grad(u))) * grad(u)), "u_t = div(exp(-|∇u|²)·∇u)"),
    ],
)
def test_titles_are_equations_in_the_notation_of_the_field(rhs: sp.Expr, line: str) -> None:
    assert title(p2n.Problem(equation(rhs, 2))).replace("\N{MINUS SIGN}", "-") == line


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (1 / sp.sqrt(lam**2 + sp.Symbol("a")), "1/√(a + λ²)"),
        (sp.Symbol("a") ** sp.Rational(1, 3), "a^(1/3)"),
        (sp.Symbol("lambda_1") / 2, "λ_1/2"),
        (sp.Symbol("lambda2") * sp.Symbol("b"), "b·λ₂"),
        (sp.Max(sp.Symbol("a"), 0), "max(0, a)"),
        (sp.Piecewise((1, sp.Symbol("a") >= 0), (2, True)), "{1 if a ≥ 0, else 2}"),
    ],
)
def test_formulas_are_mathematics(expression: sp.Expr, text: str) -> None:
    assert formula(expression) == text


def test_an_abbreviated_formula_is_whole_in_its_tooltip() -> None:
    root = picture("long_formula")
    group = next(g for g in root.iter(f"{SVG}g") if "activation" in (g.findtext(f"{SVG}text") or ""))
    assert any(t.endswith("\u2026") for t in texts(group))
    assert len(texts(group)) <= 8
    assert (group.findtext(f"{SVG}title") or "").count("exp(") == 29


def test_markup_in_names_is_text() -> None:
    nasty = sp.Symbol("<b>&\"'", positive=True)
    graph = stack(div(grad(u) / (1 + norm2(grad(u)) / nasty)), parameters={nasty: 1})
    root = ET.fromstring(to_svg(graph, title='</svg><script>&"\x00'))
    assert not list(root.iter(f"{SVG}script"))
    assert any("<b>&\"'" in line for line in texts(root))


PROGRAM = """
import sympy as sp, pde2net as p2n
from pde2net.discretise.semidiscretise import semidiscretise
from pde2net.graph.build import explicit_steps
from pde2net.graph.draw import to_svg, to_text
x, y, t = sp.symbols("x y t", real=True)
u, f = sp.Function("u")(x, y, t), sp.Function("f")(x, y)
rhs = p2n.div(sp.exp(-x**2) * p2n.grad(u)) + p2n.div((1 + u**2) * p2n.grad(u)) + y * (f - u)
grid, scheme = p2n.Grid(gradient="staggered"), p2n.Explicit(tau=sp.Rational(1, 99), steps=2)
graph = p2n.compile(p2n.Problem(sp.Eq(u.diff(t), rhs)), scheme, grid, on_unstable="ignore").looped
print(to_svg(graph), to_text(graph))
"""


def test_the_same_graph_gives_the_same_picture_in_every_process() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "7")
    }
    assert len(outputs) == 1


def test_notebooks_and_terminals_show_networks():
    problem = diffusion(lambda s2: 1 / (1 + s2 / lam**2), 2, parameters={lam: 0.5})
    network = p2n.compile(problem, p2n.Explicit(tau=0.2, steps=2))
    assert str(network).startswith(str(network.certificate.declaration.problem))
    assert to_text(network.looped) in str(network)
    root = ET.fromstring(network._repr_svg_())
    assert texts(root)[0] == "u_t = div(1/(1 + |\u2207u|\u00b2/\u03bb\u00b2)\u00b7\u2207u)"
    latex = network._repr_latex_()
    assert latex.startswith("$") and r"\frac{\partial}{\partial t}" in latex
