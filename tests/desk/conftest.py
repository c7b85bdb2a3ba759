"""The real page with the embedded model, in Chromium: what goes wrong unseen (console, requests) fails the test too."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.chromium import ARGUMENTS, chromium
from tests.browser.faults import Faults

ROOT = Path(__file__).resolve().parents[2]
expect.set_options(timeout=45_000)
Open = Callable[..., Page]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as player:
        opened = player.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture(scope="package")
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
    watched: list[Faults] = []
    contexts = []

    def opened(path: str = "", locale: str = "en-US", size: tuple[int, int] = (1280, 800), scheme: str = "light") -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, locale=locale, reduced_motion="reduce",
            color_scheme="dark" if scheme == "dark" else "light",
        )  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(45_000)
        watched.append(Faults(page, address))
        page.goto(f"{address}/{path}")
        page.wait_for_selector("#side", state="attached")
        return page

    yield opened
    faults = [fault for one in watched for fault in one.found()]
    for context in contexts:
        context.close()
    assert faults == []
