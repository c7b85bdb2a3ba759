"""How quick the page is, as docs/desk.md tells it: python -m tests.browser.measure [--without-scan] prints a table.

The real page with the embedded model in a process of its own, Chromium without a graphics card. Times are the page's own
clock, from the click to two frames after the evidence is in sight.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.chromium import ARGUMENTS, chromium
from tests.browser.conftest import Visit, serving
from tests.browser.paper import QUESTION, write_paper

_DESK = {"width": 1280, "height": 800}
# From the click until the cited words are marked, selected and within what is seen of the panel.
_TEXT = """async (n) => {
  const chip = document.querySelectorAll('#history .chip')[n], id = chip.dataset.evidence.split(':').pop();
  const seen = () => {
    const mark = document.querySelector(`#sources .card.selected#evidence-${CSS.escape(id)} mark`);
    if (!mark || document.querySelector('#strip .number')?.textContent !== id) return false;
    const at = mark.getBoundingClientRect(), panel = document.querySelector('#panel').getBoundingClientRect();
    return at.height > 0 && at.top < panel.bottom && at.bottom > panel.top;
  };
  const start = performance.now();
  chip.click();
  while (!seen() && performance.now() - start < 5000) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame); await new Promise(requestAnimationFrame);
  return performance.now() - start; }"""
_PAGE = """async (n) => {
  document.querySelectorAll('.pdf-page').forEach((page) => page.remove());
  const start = performance.now();
  document.querySelectorAll('#history .chip')[n].click();
  const drawn = () => document.querySelector('.card.selected .pdf-page .box') && document.querySelector('.card.selected .pdf-page img')?.complete;
  while (!drawn() && performance.now() - start < 5000) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame); await new Promise(requestAnimationFrame);
  return performance.now() - start; }"""
_SLICE = """async (n) => {
  const viewer = consiliumViewer.volume, seen = () => JSON.stringify([viewer.image?.handle, viewer.place, document.querySelector('#strip .number')?.textContent]);
  const before = seen(), start = performance.now();
  document.querySelectorAll('#history .chip')[n].click();
  while (seen() === before && performance.now() - start < 3000) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame); await new Promise(requestAnimationFrame);
  return performance.now() - start; }"""
_FRAMES = """async (layout) => {
  const viewer = consiliumViewer.volume; viewer.setLayout(layout);
  await new Promise(r => setTimeout(r, 300));
  let n = 0; const start = performance.now(), plane = layout === 'three' ? 'sagittal' : layout;
  const count = viewer.image.shape[plane === 'axial' ? 2 : 0];
  while (performance.now() - start < 3000) { viewer.go(plane, (10 + n) % count); await new Promise(requestAnimationFrame); n += 1; }
  return 1000 * n / (performance.now() - start); }"""


def paint_ms(browser: Browser, address: str, visits: int) -> dict[str, list[float]]:
    """Of visits with nothing kept: the first paint with words in it, the first screen, and when it takes a question."""
    told: dict[str, list[float]] = {"first paint": [], "first screen": [], "ready for a question": []}
    for _ in range(visits):
        context = browser.new_context(viewport=_DESK)  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(address)
        page.wait_for_function("document.querySelector('.brand')?.checkVisibility()", polling="raf")
        told["first screen"].append(page.evaluate("performance.now()"))
        page.wait_for_function("document.querySelector('#send:not([disabled])')", polling="raf")
        told["ready for a question"].append(page.evaluate("performance.now()"))
        painted = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
        told["first paint"].append(page.evaluate(painted))
        context.close()
    return told


def text_ms(page: Page, rounds: int = 3) -> list[float]:
    """Click on a citation to its marked words in sight, for all passages of the answers shown, each but the one shown."""
    took = []
    for _ in range(rounds):
        for place in range(page.locator("#history .chip").count()):
            took.append(float(page.evaluate(_TEXT, place)))
            page.wait_for_timeout(150)
    return took


def page_ms(page: Page, rounds: int = 5) -> list[float]:
    """Click on a citation of a PDF to its page drawn with the words boxed; from the second time on the browser has kept it."""
    took = []
    for _ in range(rounds):
        took.append(float(page.evaluate(_PAGE, 0)))
        page.wait_for_timeout(150)
    return took


def slice_ms(page: Page, most: int = 15) -> list[float]:
    """Click on a citation to its slice with the overlay."""
    took = []
    for place in range(min(page.locator("#history .chip").count(), most)):
        took.append(float(page.evaluate(_SLICE, place)))
        page.wait_for_timeout(250)
    return took


def frames_per_s(page: Page) -> dict[str, float]:
    """While scrolling, by layout."""
    told = {layout: float(page.evaluate(_FRAMES, layout)) for layout in ("sagittal", "axial", "three")}
    page.evaluate("consiliumViewer.volume.setLayout('sagittal')")
    return told


def renderer_mb() -> float:
    """Resident memory of the largest renderer among the browser's processes."""
    rows = subprocess.run(["ps", "-eo", "rss,args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return max((int(row.split()[0]) / 1000 for row in rows if "--type=renderer" in row and "chrom" in row), default=0.0)


def _row(name: str, bar: str, took: Sequence[float], unit: str = "ms") -> str:
    middle, worst = statistics.median(took), max(took)
    return f"| {name} | {bar} | {middle:.0f} / {worst:.0f} {unit} | {len(took)} |"


def _texts(browser: Browser, address: str, folder: Path) -> list[str]:
    one = Visit(browser.new_context(viewport=_DESK).new_page(), address)  # type: ignore[arg-type]
    one.open()
    one.page.set_input_files("#drop input[type=file]", str(write_paper(folder / "paper.pdf")))
    one.page.wait_for_selector(".attached code", timeout=120_000)
    one.ask(QUESTION, 300)
    one.answered()
    pages = page_ms(one.page)
    one.ask("What does the literature say about grading vertebral fractures?", 300)
    one.page.wait_for_timeout(500)
    words = text_ms(one.page)
    one.page.context.close()
    return [
        _row("click on a citation to its marked words", "150 ms", words),
        _row("the same, to its page of a PDF", "–", pages),
    ]


def _scans(browser: Browser, address: str) -> list[str]:
    one = Visit(browser.new_context(viewport=_DESK).new_page(), address)  # type: ignore[arg-type]
    one.open()
    one.sample()
    one.ask("Which vertebrae are fractured and how badly?", 500)
    one.page.wait_for_function("window.consiliumViewer?.volume?.overlay", timeout=120_000)
    rows = [_row("click on a citation to its slice, the sample CT of 512 x 512 x 133", "400 ms", slice_ms(one.page))]
    frames = frames_per_s(one.page)
    told = " / ".join(f"{value:.0f}" for value in frames.values())
    rows.append(f"| scrolling, sagittal / axial / three planes at once | 25 frames/s | {told} | 3 s each |")
    rows.append(f"| memory of the page's process with both CTs and masks | 400 MB | {renderer_mb():.0f} MB | 1 |")
    one.page.context.close()
    return rows


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    real = "tests.browser.real"
    with tempfile.TemporaryDirectory() as home, sync_playwright() as player, serving(real, home) as address:
        browser = player.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
        painted = paint_ms(browser, address, 10)
        bars = {"first paint": "2,000 ms"}
        rows = [_row(f"opening the page: {name}", bars.get(name, "–"), took) for name, took in painted.items()]
        rows += _texts(browser, address, Path(home))
        if "--without-scan" not in arguments:
            rows += _scans(browser, address)
        browser.close()
    print("| | bar | median / worst | times |\n|---|---|---|---|")
    print("\n".join(rows))
    print(f"\nload before the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main(sys.argv[1:])
