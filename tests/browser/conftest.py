from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.chromium import ARGUMENTS, chromium
from tests.browser.faults import Faults

SCREENS = {"desk": (1280, 800), "phone": (390, 844)}
_ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Visit:
    """A page as a person sees it, and what went wrong in it that nobody would see."""

    page: Page
    address: str
    faults: Faults = field(init=False)

    def __post_init__(self) -> None:
        self.faults = Faults(self.page, self.address)

    @property
    def narrow(self) -> bool:
        size = self.page.viewport_size
        return bool(size and size["width"] < 1000)

    def open(self) -> None:
        self.page.goto(self.address)
        self.page.wait_for_selector(".notes dt", timeout=60_000)
        self.page.wait_for_selector("#send:not([disabled])", state="attached")  # as a person would see it: ready

    def view(self, name: str) -> None:
        """On a phone: files (side), chat (middle) or evidence (panel)."""
        if self.narrow:
            self.page.click(f'#views [data-view="{name}"]')

    def sample(self) -> None:
        self.view("side")
        self.page.click("#sample:not([disabled])")
        self.page.wait_for_selector(".attached code", timeout=90_000)
        self.view("middle")

    def ask(self, question: str, seconds: float = 90) -> None:
        """Ask and wait for the turn to end. A long tool on a machine shared with other work takes minutes."""
        before = self.page.locator("#history .turn").count()
        self.begin(question)
        self.page.wait_for_function(
            "n => document.querySelectorAll('#history .turn').length > n", arg=before, timeout=1000 * seconds
        )

    def begin(self, question: str) -> None:
        self.page.fill("#question textarea", question)
        self.page.click("#send")

    def answered(self) -> None:
        self.page.wait_for_selector("#history .sentence", timeout=90_000)
        self.page.wait_for_selector("#strip .strip-head", state="attached")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as player:
        opened = player.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture(scope="package")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The scripted page in a process of its own."""
    home = tmp_path_factory.mktemp("home")
    with serving("tests.browser.scripted", str(home)) as found:
        yield found


@contextmanager
def serving(module: str, *rest: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", module, str(port), *rest], cwd=_ROOT)
    found = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client() as client:
            for _ in range(1200):
                assert server.poll() is None, "the server ended"
                try:
                    client.get(found + "/desk/static/desk.js")
                    break
                except httpx.HTTPError:
                    time.sleep(0.1)
            else:
                pytest.fail("the page did not come up")
        yield found
    finally:
        server.kill()  # it would wait for the connections of pages that are still open
        server.wait(20)


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Callable[..., Visit]]:
    """Opens pages; at the end none may have had an error or a request to elsewhere."""
    opened: list[Visit] = []

    def enter(screen: str = "desk", scheme: str = "light", at: str = address) -> Visit:
        width, height = SCREENS[screen]
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light",
            has_touch=screen == "phone", reduced_motion="reduce",
        )  # fmt: skip
        one = Visit(context.new_page(), at)
        one.page.set_default_timeout(20_000)
        one.open()
        opened.append(one)
        return one

    yield enter
    faults = [fault for one in opened for fault in one.faults.found()]
    for one in opened:
        one.page.context.close()
    assert faults == []
