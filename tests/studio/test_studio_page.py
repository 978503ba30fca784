"""The studio in a real browser: a Chromium that is installed; without one, or without its driver, skipped."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pde2net as p2n

pytest.importorskip("nicegui")
driver = pytest.importorskip("playwright.sync_api")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
SECONDS = 120
SHOTS = os.environ.get("PDE2NET_SCREENSHOTS")  # a folder for pictures to look at


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    root = Path(p2n.__file__).parent.parent
    own = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}  # NiceGUI would not serve
    environment = {**own, "PYTHONPATH": str(root), "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pde2net", "studio", "--port", "0", "--no-browser"]
    served = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert served.stdout is not None
        said = served.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", said)
        assert found, said
        wait_for(int(found[1]))
        yield found[0]
    finally:
        served.terminate()
        served.wait()


def wait_for(port: int) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise AssertionError("the page is not served")


@pytest.fixture
def page(address: str) -> Iterator[Any]:
    with driver.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": 1500, "height": 950})
        opened.set_default_timeout(1000 * SECONDS)
        failures: list[str] = []
        opened.on("pageerror", lambda error: failures.append(str(error)))
        opened.goto(address)
        expect(opened, "status l2_stability", "proved")
        yield opened
        assert not failures
        browser.close()


def part(page: Any, name: str) -> Any:
    return page.locator(f'[data-testid="{name}"]')


def expect(page: Any, name: str, text: str) -> None:
    driver.expect(part(page, name)).to_contain_text(text, timeout=1000 * SECONDS)


def shot(page: Any, name: str) -> None:
    if SHOTS:
        page.wait_for_timeout(600)
        page.screenshot(path=f"{SHOTS}/{name}.png")


def write(page: Any, text: str) -> None:
    editor = page.locator(".cm-content")
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(text)


def move(page: Any, name: str, share: float) -> None:
    track = part(page, f"slider {name}").bounding_box()
    page.mouse.click(track["x"] + share * track["width"], track["y"] + track["height"] / 2)


def tab(page: Any, name: str) -> None:
    page.locator(".q-tab", has_text=name).click()


def test_a_step_beyond_the_limit_changes_the_colour_of_claims(page: Any) -> None:
    expect(page, "limit", "l2 stability up to tau = 1/4")
    shot(page, "studio")
    move(page, "tau", 0.9)
    expect(page, "status l2_stability", "refuted")
    expect(page, "was l2_stability", "was proved")
    assert float(part(page, "value tau").inner_text()) > 0.4
    shot(page, "studio-refuted")
    move(page, "tau", 0.3)
    expect(page, "status l2_stability", "proved")
    expect(page, "was l2_stability", "was refuted")


def test_errors_are_shown_with_a_caret(page: Any) -> None:
    write(page, "unknown u(x, y, t)\nequation u_t = laplacan(u)\nscheme explicit(tau = 1/4)")
    expect(page, "error", "laplacian")
    lines = part(page, "error").inner_text().splitlines()
    quoted = next(k for k, line in enumerate(lines) if "laplacan(u)" in line and "equation u_t" in line)
    assert lines[quoted + 1].index("^") == lines[quoted].index("laplacan")
    expect(page, "status l2_stability", "proved")  # the last declaration that could be read stays
    shot(page, "studio-error")
    write(page, "unknown u(x, t)\nequation u_t = laplacian(u)\nscheme explicit(tau = 1/3)")
    driver.expect(part(page, "error")).to_have_text("", timeout=1000 * SECONDS)
    expect(page, "limit", "tau = 1/2")


def test_pictures_graph_stencil_and_source(page: Any, tmp_path: Path) -> None:
    tab(page, "picture")
    part(page, "run").click()
    expect(page, "said", "mean")
    assert part(page, "shown").locator("img").get_attribute("src").startswith("data:image/png")
    shot(page, "studio-picture")
    tab(page, "graph")
    driver.expect(page.locator(".q-tab-panel svg").first).to_be_visible()
    tab(page, "stencil")
    values = [float(v) for v in part(page, "stencil").inner_text().split("\n\n")[1].split()]
    assert values == pytest.approx([0, 1, 0, 1, -4, 1, 0, 1, 0], abs=1e-4)
    tab(page, "source")
    expect(page, "source", "class DiffusionBlock(nn.Module):")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="net.py").click()
    waiting.value.save_as(tmp_path / "net.py")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="certificate.json").click()
    certificate = p2n.Certificate.from_json(Path(waiting.value.path()).read_text())
    p2n.recheck(certificate.to_json(), (tmp_path / "net.py").read_text())


def test_models_and_schemes(page: Any) -> None:
    page.locator(".q-select", has_text="gallery").click()
    page.get_by_role("option", name="tikhonov", exact=True).click()
    expect(page, "status well_posed", "proved")
    expect(page, "status l2_stability", "not applicable")
    page.locator(".q-select", has_text="scheme").click()
    page.get_by_role("option", name="explicit", exact=True).click()
    expect(page, "limit", "frozen stability up to")
    shot(page, "studio-scheme")
