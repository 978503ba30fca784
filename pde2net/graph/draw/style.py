"""Fonts, lines and the colour of each role."""

from __future__ import annotations

from types import MappingProxyType

TITLE = 18.0
HEADING, LINE, STEP = 12.5, 12.0, 17.0
# Widths of a character in units of the font size; generous, for fonts that a viewer substitutes.
HEADING_WIDTH, LINE_WIDTH = 0.66, 0.62

STYLE = """
text { font-family: "DejaVu Sans", Verdana, Helvetica, Arial, sans-serif; fill: #1f2933; }
text.heading { font-size: 12.5px; font-weight: bold; }
text.line, text.caption { font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: 12px; }
text.caption { fill: #52606d; }
text.title { font-size: 18px; font-weight: bold; }
text.frame { font-size: 13px; font-weight: bold; fill: #52606d; }
path.edge { fill: none; stroke: #616e7c; stroke-width: 1.4; }
path.arc { fill: none; stroke: #1f2933; stroke-width: 2; }
path.main { fill: none; stroke: #c05621; stroke-width: 2.4; }
path.loop { fill: none; stroke: #6b46c1; stroke-width: 2; }
text.legend { font-size: 12px; fill: #52606d; }
tspan.sub { font-size: 75%; }
text.arc { font-size: 12px; font-weight: bold; }
text.loop { font-size: 12px; font-weight: bold; fill: #553c9a; }
rect.frame { fill: #f5f7fa; stroke: #9aa5b1; stroke-width: 1.2; }
rect.box { stroke-width: 1.4; }
circle.box { stroke-width: 2; }
path.plus { stroke: #1f2933; stroke-width: 2; }
"""

TIPS = (
    ("tip", "#616e7c", 7),
    ("arc-tip", "#1f2933", 6),
    ("loop-tip", "#6b46c1", 6),
    ("main-tip", "#c05621", 6),
)

# role -> fill, border; of all roles but those of loops, which are frames
COLOURS = MappingProxyType(
    {
        "input": ("#ffffff", "#1f2933"),
        "output": ("#ffffff", "#1f2933"),
        "known field": ("#fffbea", "#b9912b"),
        "coordinate": ("#fffbea", "#b9912b"),
        "convolution": ("#dceefb", "#2b6cb0"),
        "transposed convolution": ("#c3ddf7", "#1a4f8b"),
        "filter": ("#dceefb", "#2b6cb0"),
        "transposed filter": ("#c3ddf7", "#1a4f8b"),
        "spline": ("#fde8d7", "#c05621"),
        "activation": ("#fde8d7", "#c05621"),
        "coefficient": ("#fdf3d8", "#b7791f"),
        "Gaussian": ("#e0e7ff", "#4c51bf"),
        "sum over channels": ("#fefcbf", "#975a16"),
        "quotient": ("#fdf3d8", "#b7791f"),
        "smoother": ("#dceefb", "#2b6cb0"),
        "bottleneck": ("#c3ddf7", "#1a4f8b"),
        "restriction": ("#fde8d7", "#c05621"),
        "prolongation": ("#e3f4e7", "#2f855a"),
        "correction": ("#e3f4e7", "#2f855a"),
        "nearest combination": ("#d6f5f2", "#2c7a7b"),
        "edge mean": ("#e3f4e7", "#2f855a"),
        "channel": ("#fce7f3", "#97266d"),
        "channels": ("#fce7f3", "#97266d"),
        "sum": ("#edf2f7", "#4a5568"),
        "value": ("#edf2f7", "#4a5568"),
        "rate of one unknown": ("#f0fff4", "#276749"),
        "rate": ("#f0fff4", "#276749"),
        "skip": ("#ffffff", "#1f2933"),
        "step": ("#ffffff", "#1f2933"),
        "right-hand side": ("#edf2f7", "#4a5568"),
        "residual": ("#fed7e2", "#b83280"),
        "product": ("#edf2f7", "#4a5568"),
        "operator": ("#edf2f7", "#4a5568"),
        "squared adjoint": ("#c3ddf7", "#1a4f8b"),
        "multigrid cycle": ("#c3ddf7", "#1a4f8b"),
        "tangent": ("#fde8d7", "#c05621"),
        "mean": ("#edf2f7", "#4a5568"),
        "state": ("#e9d8fd", "#6b46c1"),
        "trial": ("#e9d8fd", "#6b46c1"),
        "iterate": ("#e9d8fd", "#6b46c1"),
        "linear solve": ("#e9d8fd", "#6b46c1"),
        "tridiagonal solve": ("#d6f5f2", "#2c7a7b"),
        "pad": ("#eceff3", "#7b8794"),
        "crop": ("#eceff3", "#7b8794"),
    }
)
OTHERS = ("#ffffff", "#7b8794")


def colours(role: str) -> tuple[str, str]:
    """Fill and border of a role; roles of pointwise nodes are free, so there may be others."""
    return COLOURS.get(role, OTHERS)
