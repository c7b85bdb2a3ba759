"""Screenshots of the docs: taken anew, or held against the ones that are kept."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page

_KEPT = Path(__file__).resolve().parents[2] / "docs" / "screenshots"


def picture(page: Page, name: str, tmp_path: Path) -> None:
    """Keep a screenshot, or hold it against the one that is kept: the same layout and tones, not the same pixels."""
    wanted = os.environ.get("SCREENSHOTS")
    path = (Path(wanted).resolve() if wanted else tmp_path) / f"{name}.png"
    page.screenshot(path=path)
    if wanted or not (_KEPT / path.name).exists():
        return
    small = [np.asarray(Image.open(file).convert("L").resize((64, 40)), float) for file in (path, _KEPT / path.name)]
    assert np.abs(small[0] - small[1]).mean() < 30, f"{name} looks quite different from docs/screenshots/{name}.png"
