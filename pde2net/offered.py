"""Hands functions of later stages to the records of earlier ones; they are imported when they are called."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import Any

from pde2net.later import offer

# function -> module
OFFERED = {
    "energy_of": "pde2net.normalise.energy",
    "explicit_limit": "pde2net.guidance.limit",
    "span_of": "pde2net.scheme.registry",
    "written": "pde2net.language.text.printer",
    "equations_latex": "pde2net.language.text.latex",
    "problem_text": "pde2net.language.text.statements",
    "declaration_text": "pde2net.language.text.statements",
    "claim_text": "pde2net.verify.rendering",
    "reason_text": "pde2net.verify.wording",
    "certificate_text": "pde2net.verify.rendering",
    "certificate_html": "pde2net.verify.rendering",
    "claim_html": "pde2net.verify.rendering",
    "certificate_latex": "pde2net.verify.rendering",
    "certificate_table": "pde2net.verify.rendering",
    "certificate_to_json": "pde2net.verify.serialise",
    "certificate_from_json": "pde2net.verify.serialise",
    "certificate_figure": "pde2net.figures.save",
    "advice_text": "pde2net.guidance.rendering",
    "advice_table": "pde2net.guidance.rendering",
    "advice_html": "pde2net.guidance.rendering",
    "save_trajectory": "pde2net.trajectory.storage",
    "load_trajectory": "pde2net.trajectory.storage",
    "trajectory_table": "pde2net.trajectory.storage",
    "trajectory_movie": "pde2net.trajectory.pictures",
    "trajectory_picture": "pde2net.trajectory.pictures",
    "trajectory_png": "pde2net.trajectory.pictures",
    "trajectory_plot": "pde2net.trajectory.pictures",
}


def call(module: str, function: str, *arguments: Any) -> Any:
    """Import a function and call it."""
    return getattr(import_module(module), function)(*arguments)


for _name, _module in OFFERED.items():
    offer(_name, partial(call, _module, _name))
