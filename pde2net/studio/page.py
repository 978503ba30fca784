"""The page of `pde2net studio`, in NiceGUI."""

from __future__ import annotations

import base64
import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from nicegui import events, run, ui
from numpy.typing import NDArray

from pde2net import gallery
from pde2net.errors import Pde2NetError
from pde2net.studio.session import (
    AS_WRITTEN,
    SCHEMES,
    START,
    Analysis,
    Choice,
    analysed,
    own_picture,
    picture_of,
    ran,
)
from pde2net.trajectory.pictures import trajectory_png
from pde2net.verify.rendering import COLOURS, claim_html, rows

WAIT = 0.4  # seconds after the last change until it is analysed
NEUTRAL = "#6b7280"
DECADE = 10.0  # sliders of parameters go from a tenth of their values to ten times these
TICKS = 100  # of a slider
MONO = "font-mono text-xs whitespace-pre overflow-auto"
FILES = ("equation.pde", "net.py", "certificate.json", "net.onnx", "picture.png")
DIM = "opacity-40"  # what belongs to an earlier text than the one with the error


class Page:
    """One visitor's page."""

    def __init__(self, text: str) -> None:
        self.choice = Choice(text)
        self.analysis: Analysis | None = None
        self.before: dict[str, str] = {}
        self.picture: NDArray[np.float64] = own_picture()
        self.result = b""  # the last run, as PNG
        self.running = False  # whether the network is run again after each change
        self.asked = 0  # answers to earlier questions come too late
        self.build()

    # -- layout ----------------------------------------------------------------------------------

    def build(self) -> None:
        ui.page_title("pde2net studio")
        ui.add_css(".drawn svg { max-width: 100%; height: auto }")
        with ui.header().classes("items-center"):
            ui.label("pde2net studio").classes("text-lg")
            ui.select(list(gallery.names()), value=None, label="gallery", on_change=self.chosen).props(
                "dark dense outlined id=gallery"
            ).classes("w-64")
            self.busy = ui.spinner(color="white").props('data-testid="busy"')
        with ui.row().classes("w-full no-wrap items-start"):
            with ui.column().classes("w-2/5"):
                self.editor = ui.codemirror(self.choice.text, on_change=self.edited, line_wrapping=True)
                self.editor.classes("w-full h-72 border").props('data-testid="editor"')
                self.error = (
                    ui.label()
                    .classes("font-mono text-xs whitespace-pre-wrap text-red-700 w-full")
                    .props('data-testid="error"')
                )
                with ui.row().classes("w-full items-center"):
                    ui.select(
                        [AS_WRITTEN, *SCHEMES], value=AS_WRITTEN, label="scheme", on_change=self.schemed
                    ).classes("w-48")
                    self.limit = ui.label().classes("text-sm").props('data-testid="limit"')
                self.sliders = ui.column().classes("w-full gap-0")
                with ui.row() as self.files:
                    for name in FILES:
                        ui.button(name, on_click=lambda name=name: self.download(name)).props("no-caps dense")
            with ui.column().classes("w-3/5"):
                with ui.tabs() as tabs:
                    names = ("claims", "picture", "graph", "stencil", "source")
                    made = {name: ui.tab(name) for name in names}
                with ui.tab_panels(tabs, value=made["claims"], animated=False).classes("w-full"):
                    with ui.tab_panel(made["claims"]):
                        self.claims = ui.column().classes("w-full gap-1")
                    with ui.tab_panel(made["picture"]):
                        self.pictures()
                    with ui.tab_panel(made["graph"]):
                        self.graph = ui.html("", sanitize=False).classes("w-full overflow-auto")
                    with ui.tab_panel(made["stencil"]):
                        self.stencil = ui.label().classes(MONO).props('data-testid="stencil"')
                    with ui.tab_panel(made["source"]):
                        self.source = ui.label().classes(f"{MONO} w-full").props('data-testid="source"')
        self.timer = ui.timer(WAIT, self.analyse, once=True)

    def pictures(self) -> None:
        with ui.row().classes("items-center"):
            ui.upload(label="a picture of yours", auto_upload=True, on_upload=self.uploaded).classes("w-64")
            ui.button("run", on_click=self.run).props('data-testid="run"')
        self.said = ui.label().classes("text-sm").props('data-testid="said"')
        self.shown = ui.image().classes("w-full").props('data-testid="shown"')

    # -- what changes ----------------------------------------------------------------------------

    def chosen(self, event: events.ValueChangeEventArguments[Any]) -> None:
        self.editor.set_value(gallery.text(event.value))

    def edited(self, event: events.ValueChangeEventArguments[Any]) -> None:
        self.choice = replace(self.choice, text=event.value, values={}, tau=None, repeats=None)
        self.later(sliders=True)

    def schemed(self, event: events.ValueChangeEventArguments[Any]) -> None:
        self.choice = replace(self.choice, scheme=event.value, tau=None, repeats=None)
        self.later(sliders=True)

    def later(self, sliders: bool = False) -> None:
        """Analyse once nothing has changed for a while."""
        self.timer.cancel()
        if sliders:
            self.sliders.clear()
        self.timer = ui.timer(WAIT, self.analyse, once=True)

    async def analyse(self) -> None:
        self.asked += 1
        mine = self.asked
        self.busy.set_visibility(True)
        try:
            found, error = await run.io_bound(_analysed, self.choice)
        finally:
            if mine == self.asked:
                self.busy.set_visibility(False)
        if mine != self.asked:
            return
        self.error.set_text(error)
        for stale in (self.claims, self.limit, self.files):  # are of the text before
            stale.classes(add=DIM if error else "", remove="" if error else DIM)
        for button in self.files.default_slot.children:
            made = cast("ui.button", button)
            made.set_enabled(not error or made.text == FILES[0])
        if found is not None:
            self.show(found)
            if self.running:
                await self.run()

    def show(self, found: Analysis) -> None:
        self.analysis = found
        self.limit.set_text(found.limit)
        self.graph.set_content(f'<div class="drawn">{found.network._repr_svg_()}</div>')
        self.source.set_text(found.source)
        self.stencil.set_text(_stencil(found))
        self.claims.clear()
        certificate = found.network.certificate
        with self.claims:
            for claim, (name, status, largest, why) in zip(
                certificate.claims.values(), rows(certificate), strict=True
            ):
                old = self.before.get(claim.name, status)
                with ui.expansion().classes("w-full").props(f'data-testid="claim {claim.name}"') as row:
                    ui.html(claim_html(claim), sanitize=False)
                with row.add_slot("header"), ui.row().classes("w-full items-center no-wrap"):
                    ui.label(name).classes("w-40 shrink-0")
                    badge = ui.badge(status, color=COLOURS.get(status, NEUTRAL)).classes("shrink-0")
                    badge.props(f'data-testid="status {claim.name}"')
                    if old != status:
                        ui.label(f"was {old}").classes("text-sm italic").props(
                            f'data-testid="was {claim.name}"'
                        )
                    ui.label(_up_to(claim.relation, largest) or why).classes("text-sm ellipsis")
        self.before = found.statuses
        if not self.sliders.default_slot.children:
            self.add_sliders(found)

    def add_sliders(self, found: Analysis) -> None:
        """For the parameters with a value other than 0, on a scale of logarithms, and for the step."""
        with self.sliders:
            for symbol, value in found.declared.problem.parameters.items():
                number = float(value)
                if number:
                    self.slider(
                        symbol.name, number, lambda t, v=number: v * DECADE ** (2 * t - 1), self.valued
                    )
            scheme: Any = found.declared.scheme
            tau = float(found.network.certificate.tau.subs(found.declared.problem.parameters))
            if math.isfinite(tau):
                top = 2 * max(tau, found.largest or tau)
                self.slider("tau", tau, lambda t: max(t, 1 / TICKS) * top, self.stepped, tau / top)
            count = ui.number(scheme.repeated, value=scheme.repeats, min=1, max=10_000, precision=0)
            count.on("change", lambda: self.repeated(count.value)).props('data-testid="repeats"')

    def slider(self, name: str, value: float, scale: Any, changed: Any, start: float = 0.5) -> None:
        with ui.row().classes("w-full items-center no-wrap"):
            ui.label(name).classes("w-20")
            label = ui.label(f"{value:.4g}").classes("w-20").props(f'data-testid="value {name}"')

            def moved(event: events.ValueChangeEventArguments[Any]) -> None:
                number = float(f"{scale(event.value):.3g}")
                label.set_text(f"{number:.4g}")
                changed(name, number)

            ui.slider(min=0, max=1, step=1 / TICKS, value=start, on_change=moved).props(
                f'data-testid="slider {name}"'
            )

    def valued(self, name: str, number: float) -> None:
        self.choice = replace(self.choice, values={**self.choice.values, name: number})
        self.later()

    def stepped(self, _: str, number: float) -> None:
        self.choice = replace(self.choice, tau=number)
        self.later()

    def repeated(self, count: float | None) -> None:
        if count and count >= 1:
            self.choice = replace(self.choice, repeats=int(count))
            self.later()

    # -- pictures and files ----------------------------------------------------------------------

    async def uploaded(self, event: events.UploadEventArguments) -> None:
        try:
            self.picture = picture_of(await event.file.read())
        except Pde2NetError as error:
            ui.notify(str(error), type="negative")
            return
        await self.run()

    async def run(self) -> None:
        if self.analysis is None:
            return
        self.running = True
        self.busy.set_visibility(True)
        png, said = await run.io_bound(_ran, self.analysis, self.picture)
        self.busy.set_visibility(False)
        self.said.set_text(said)
        if png:
            self.result = png
            self.shown.set_source(f"data:image/png;base64,{base64.b64encode(png).decode()}")

    async def download(self, name: str) -> None:
        if self.analysis is None:
            return
        if name == "picture.png":
            data, error = self.result, "" if self.result else "Run the network on a picture first."
        elif name == "equation.pde":
            data, error = self.choice.text.encode(), ""
        else:
            data, error = await run.io_bound(_file, self.analysis, name)
        if error:
            ui.notify(error, type="negative", multi_line=True)
        else:
            ui.download.content(data, name)


def _up_to(relation: str, largest: str) -> str:
    return "for every tau" if largest == "oo" else f"tau {relation} {largest}" if largest else ""


def _analysed(choice: Choice) -> tuple[Analysis | None, str]:
    try:
        found = analysed(choice)
        _ = found.stencil, found.source  # take a while
        return found, ""
    except Pde2NetError as error:
        return None, error.to_author_of_text


def _ran(analysis: Analysis, picture: NDArray[np.float64]) -> tuple[bytes, str]:
    try:
        way, said = ran(analysis, picture)
        mean = [f"{way[name][k, 0]:.4g}" for name in ("mean",) for k in (0, -1)]
        removed = f"mean {mean[0]} -> {mean[1]}, removed {way['removed'][-1, 0]:.4g} (root mean square)"
        return trajectory_png(way), "; ".join(filter(None, (removed, said, way.stopped)))
    except Pde2NetError as error:
        return b"", error.to_author_of_text
    except (ArithmeticError, ValueError, RuntimeError) as error:
        return b"", str(error)


def _file(analysis: Analysis, name: str) -> tuple[bytes, str]:
    network = analysis.network
    try:
        if name == "net.onnx":
            with tempfile.TemporaryDirectory() as folder:
                network.export(Path(folder) / name)
                return (Path(folder) / name).read_bytes(), ""
        text = network.source() if name == "net.py" else network.certificate.to_json()
        return text.encode(), ""
    except Pde2NetError as error:
        return b"", str(error)


def _stencil(found: Analysis) -> str:
    values = found.stencil
    if values is None:
        return "There is no one stencil: coefficients contain t, or what is given at the call."
    head = "u_t around a cell, as weights of its neighbours, where the image is constant:\n\n"
    if values.ndim == 3:
        return head + "\n\n".join(_plane(plane) for plane in values)
    return head + _plane(values.reshape(-1, values.shape[-1]) if values.ndim == 2 else values[None])


def _plane(values: NDArray[np.float64]) -> str:
    return "\n".join("".join(f"{v:10.4g}" for v in row) for row in values)


def serve(text: str | None, port: int, show: bool) -> None:
    """Serve the page to this machine alone, until it is interrupted."""
    start = gallery.text(START) if text is None else text

    ui.page("/")(lambda: Page(start))
    ui.run(
        host="127.0.0.1",
        port=port,
        show=show,
        reload=False,
        title="pde2net studio",
        show_welcome_message=False,
    )
