"""Chromium for the tests: the system's own. Without one the tests fail and say what to install; none is skipped."""

from __future__ import annotations

import os
import shutil

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
# Software rendering, and nothing of the browser's own on the network.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--enable-precise-memory-info",
)


def chromium() -> str:
    """Where it is."""
    found = os.environ.get("CHROMIUM") or next((path for name in _NAMES if (path := shutil.which(name))), None)
    if not found:
        pytest.fail("These tests need Chromium. Install it (Debian: apt-get install chromium) or name it in CHROMIUM.")
    return found
