"""What goes wrong in a page that nobody would see: errors on its console, errors of its scripts, requests to elsewhere."""

from __future__ import annotations

from playwright.sync_api import ConsoleMessage, Page

_LEAVING = "the page is being left"
# Registered before the page's own scripts, so it is said before they act on it.
_TELL = f"addEventListener('beforeunload', () => console.debug('{_LEAVING}'))"


class Faults:
    """Faults of one page, from the moment it is watched.

    From `beforeunload` until the next document, what the page says is no fault: Gradio aborts the streams that are open
    and reports each of them as an error, though nobody is there any more to miss them.
    """

    def __init__(self, page: Page, address: str) -> None:
        """Call before the first `goto`. `address` is where the page may ask."""
        self._address = address
        self._found: list[str] = []
        self._leaving = False
        self._page = page
        page.add_init_script(_TELL)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._add(str(error)))
        page.on("request", lambda asked: self._request(asked.url))
        page.on("domcontentloaded", lambda _: self._arrived())

    def found(self) -> list[str]:
        """All so far, after a page that is still open has told what it had to tell. Call before its context is closed."""
        if not self._page.is_closed():
            self._page.evaluate("0")
        return list(self._found)

    def _console(self, told: ConsoleMessage) -> None:
        if told.text == _LEAVING:
            self._leaving = True
        elif told.type == "error":
            self._add(told.text)

    def _add(self, fault: str) -> None:
        if not self._leaving:
            self._found.append(fault)

    def _request(self, url: str) -> None:
        if not url.startswith((self._address, "data:", "blob:")):
            self._found.append(f"asked for {url}")

    def _arrived(self) -> None:
        self._leaving = False
