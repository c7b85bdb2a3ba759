"""The real assistant with the sample scan of 512 x 512 x 133, end to end: walks every sentence, measures, takes pictures.

Run by `make ui-test`. Figures are printed (pytest -s); where they are held to, the bars are loose, since machines differ.
`SCREENSHOTS=docs/screenshots make ui-test` takes the pictures of the docs anew; else they are compared, loosely.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit, serving
from tests.browser.real import QUESTION
from tests.browser.test_evidence import chip, click_start, serious

pytestmark = [pytest.mark.ui, pytest.mark.timeout(900)]
Enter = Callable[..., Visit]
_KEPT = Path(__file__).resolve().parents[2] / "docs" / "screenshots"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving("tests.browser.real", str(tmp_path_factory.mktemp("real"))) as found:
        yield found


def picture(page: Page, name: str, tmp_path: Path) -> None:
    """Keep a screenshot, or hold it against the one that is kept: the same layout and tones, not the same pixels."""
    wanted = os.environ.get("SCREENSHOTS")
    path = (Path(wanted).resolve() if wanted else tmp_path) / f"{name}.png"
    page.screenshot(path=path)
    if wanted or not (_KEPT / path.name).exists():
        return
    small = [np.asarray(Image.open(file).convert("L").resize((64, 40)), float) for file in (path, _KEPT / path.name)]
    assert np.abs(small[0] - small[1]).mean() < 30, f"{name} looks quite different from docs/screenshots/{name}.png"


def test_the_sample_question_every_sentence_in_two_clicks_and_the_speed(visit: Enter, real: str, tmp_path: Path) -> None:
    one = visit(at=real)
    page = one.page
    picture(page, "first-screen", tmp_path)
    page.get_by_role("button", name="Which vertebrae are fractured").click()
    page.wait_for_selector("#live progress", timeout=240_000)
    picture(page, "in-progress", tmp_path)
    page.wait_for_selector("#history .sentence", timeout=240_000)
    page.wait_for_function("window.consiliumViewer?.volume?.overlay", timeout=60_000)
    page.wait_for_timeout(500)
    picture(page, "sample-question", tmp_path)
    walked = walk(page)
    print("\n".join(walked))
    figures = speed(page)
    print(figures)
    assert serious(page) == []
    assert figures["slice_ms"] < 1200
    assert figures["frames_per_s"] > 8


def walk(page: Page) -> list[str]:
    """For each sentence: the clicks until the panel shows what it stands on, and what that is."""
    lines = []
    for place in range(page.locator("#history [data-sentence]").count()):
        sentence = page.locator("#history [data-sentence]").nth(place)
        name = str(sentence.get_attribute("data-sentence"))
        click_start(page, f'[data-sentence="{name}"]')
        expect(sentence).to_have_class(re.compile("current"))
        shown = page.locator("#strip .strip-label").inner_text()
        tab = page.locator('#panel [role="tab"][aria-selected="true"]').inner_text()
        assert page.locator("#strip .verdict-line").inner_text()
        lines.append(f"| {sentence.inner_text()[:60]}... | 1 | {tab}: {shown} |")
    assert lines
    return lines


def speed(page: Page) -> dict[str, float]:
    """Milliseconds from a click to what it shows (median of the citations), and frames per second while scrolling."""
    slices = []
    chips = page.locator("#history .chip")
    for place in range(min(chips.count(), 15)):
        slices.append(
            page.evaluate(
                """async (n) => {
                const viewer = consiliumViewer.volume, seen = () => JSON.stringify([viewer.image?.handle, viewer.place, document.querySelector('#strip .number')?.textContent]);
                const before = seen(), start = performance.now();
                document.querySelectorAll('#history .chip')[n].click();
                while (seen() === before && performance.now() - start < 3000) await new Promise(requestAnimationFrame);
                await new Promise(requestAnimationFrame); await new Promise(requestAnimationFrame);
                return performance.now() - start; }""",
                place,
            )
        )
        page.wait_for_timeout(250)
    frames = {}
    for layout in ("sagittal", "axial", "three"):
        frames[layout] = page.evaluate(
            """async (layout) => {
            const viewer = consiliumViewer.volume; viewer.setLayout(layout);
            await new Promise(r => setTimeout(r, 300));
            let n = 0; const start = performance.now(), plane = layout === 'three' ? 'sagittal' : layout;
            const count = viewer.image.shape[plane === 'axial' ? 2 : 0];
            while (performance.now() - start < 3000) { viewer.go(plane, (10 + n) % count); await new Promise(requestAnimationFrame); n += 1; }
            return 1000 * n / (performance.now() - start); }""",
            layout,
        )
    page.evaluate("consiliumViewer.volume.setLayout('sagittal')")
    return {
        "slice_ms": statistics.median(slices),
        "slice_worst_ms": max(slices),
        "frames_per_s": min(frames.values()),
        **{f"frames_{name}": value for name, value in frames.items()},
        "heap_mb": page.evaluate("performance.memory.usedJSHeapSize / 1e6"),
        "renderer_mb": renderer_mb(),
    }


def renderer_mb() -> float:
    """Resident memory of the largest renderer among the browser's processes."""
    rows = subprocess.run(["ps", "-eo", "rss,args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return max((int(row.split()[0]) / 1000 for row in rows if "--type=renderer" in row and "chrom" in row), default=0.0)


def test_a_sentence_is_followed_to_its_place_in_a_pdf(visit: Enter, real: str, tmp_path: Path) -> None:
    one = visit(at=real)
    page = one.page
    one.ask(QUESTION)
    one.answered()
    page.wait_for_selector(".pdf-page .box", timeout=30_000)
    page.wait_for_function("document.querySelector('.pdf-page img').naturalWidth > 500")
    page.locator(".pdf-page").scroll_into_view_if_needed()
    assert page.locator(".pdf-page .box").count() >= 1
    picture(page, "sentence-to-pdf", tmp_path)
    took = page.evaluate(
        """async () => { const chips = document.querySelectorAll('#history .chip'); const all = [];
        for (let n = 0; n < Math.min(chips.length, 10); n += 1) {
          document.querySelector('#strip').replaceChildren(); const start = performance.now(); chips[n].click();
          while (!document.querySelector('#strip .strip-head')) await new Promise(requestAnimationFrame);
          all.push(performance.now() - start); }
        return all.sort((a, b) => a - b)[Math.floor(all.length / 2)]; }"""
    )
    print({"text_ms": took})
    assert took < 450


def test_before_and_after_of_the_spine(visit: Enter, real: str, tmp_path: Path) -> None:
    one = visit(at=real)
    page = one.page
    one.sample()
    one.ask("What would T11 of ct2 look like without the fracture?")
    page.wait_for_selector("#history .answer, #history .notice", timeout=240_000)
    one.answered()
    page.wait_for_timeout(1000)
    page.locator('#panel [role="tab"]', has_text="Images").click()
    page.wait_for_selector("#view-image")
    page.select_option("#view-image", "ct2")
    page.wait_for_function("consiliumViewer.volume.overlay && consiliumViewer.volume.image.handle === 'ct2'", timeout=60_000)
    assert "ct3" in page.locator("#view-twin").inner_text()
    page.select_option("#view-twin", "ct3")
    page.wait_for_function("consiliumViewer.volume.twin", timeout=60_000)
    page.evaluate("""() => { const v = consiliumViewer.volume, o = v.overlay, label = Number(Object.keys(o.labels).find(k => o.labels[k] === 'T11'));
        let s = [0, 0, 0, 0], d = o.volume.data, [nx, ny] = o.volume.shape;
        for (let i = 0; i < d.length; i += 7) if (d[i] === label) { s[0] += i % nx; s[1] += Math.floor(i / nx) % ny; s[2] += Math.floor(i / nx / ny); s[3] += 1; }
        v.moveTo(s.slice(0, 3).map(x => Math.round(x / s[3]))); v.setSplit(0.62); }""")
    page.wait_for_timeout(400)
    page.locator(".stage").scroll_into_view_if_needed()
    picture(page, "before-after", tmp_path)


@pytest.mark.parametrize(("screen", "scheme"), [("desk", "dark"), ("phone", "light"), ("phone", "dark")])
def test_each_screen_in_its_colours(visit: Enter, screen: str, scheme: str, tmp_path: Path) -> None:
    one = visit(screen, scheme)
    picture(one.page, f"{screen}-{scheme}-first", tmp_path)
    one.sample()
    one.ask("Which vertebrae are fractured?")
    one.answered()
    chip(one.page, 1).click()
    one.page.wait_for_timeout(600)
    picture(one.page, f"{screen}-{scheme}-evidence", tmp_path)
    assert serious(one.page) == []
    assert one.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_conversation_of_a_hundred_turns_scrolls(visit: Enter) -> None:
    one = visit()
    one.sample()
    one.begin("many")
    one.page.wait_for_function("document.querySelectorAll('#history .turn').length >= 100", timeout=60_000)
    one.page.wait_for_timeout(1000)
    worst, frames = one.page.evaluate(
        """async () => { const chat = document.querySelector('#chat'); let last = performance.now(), worst = 0, n = 0; const start = last;
        const far = chat.scrollHeight; let at = far;
        while (performance.now() - start < 3000) { at -= 120; if (at < 0) at = far; chat.scrollTop = at; await new Promise(requestAnimationFrame);
          const t = performance.now(); worst = Math.max(worst, t - last); last = t; n += 1; }
        return [worst, 1000 * n / (performance.now() - start)]; }"""
    )
    print(
        {
            "scroll_frames_per_s": frames,
            "scroll_worst_ms": worst,
            "heap_mb": one.page.evaluate("performance.memory.usedJSHeapSize / 1e6"),
        }
    )
    assert frames > 8
