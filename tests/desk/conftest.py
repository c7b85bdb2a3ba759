"""The real page with the embedded model, in Chromium: what goes wrong unseen (console, requests) fails the test too."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
)
expect.set_options(timeout=45_000)
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        pytest.fail("These tests need Chromium. Install it (Debian: apt-get install chromium) or name it in CHROMIUM.")
    with sync_playwright() as player:
        opened = player.chromium.launch(executable_path=found, args=list(_ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "CONSILIUM_HOME": str(tmp_path_factory.mktemp("home"))}
    server = subprocess.Popen([sys.executable, "-m", "ui", "serve", "--port", str(port)], cwd=ROOT, env=environment)
    found = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(timeout=30) as client:
            for _ in range(900):
                assert server.poll() is None, "the server ended"
                try:
                    client.get(found)
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            else:
                pytest.fail("the page did not come up")
        yield found
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture
def enter(browser: Browser, address: str) -> Iterator[Open]:
    """Opens a page of the app; at the end none may have had an error or a request to elsewhere."""
    faults: list[str] = []
    contexts = []

    def opened(path: str = "", locale: str = "en-US", size: tuple[int, int] = (1280, 800), scheme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, locale=locale, reduced_motion="reduce",
            color_scheme="dark" if scheme == "dark" else "light",
        )  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(45_000)
        page.on("console", lambda told: faults.append(told.text) if told.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda asked: _from_here(asked.url, address, faults))
        page.goto(f"{address}/{path}")
        page.wait_for_selector("#side", state="attached")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def _from_here(url: str, address: str, faults: list[str]) -> None:
    if not url.startswith((address, "data:", "blob:")):
        faults.append(f"asked for {url}")
