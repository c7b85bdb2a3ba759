"""What is this statement based on? Answered from the page alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit
from tests.ui.fake_assistant import png

Enter = Callable[..., Visit]


def tab(page: Page) -> str:
    return str(page.locator('#panel [role="tab"][aria-selected="true"]').inner_text()).lower()


def grey(page: Page) -> int:
    """Mean grey of the sagittal canvas: 0 while nothing is drawn."""
    return int(page.evaluate(
        """() => { const c = document.querySelector('canvas[data-plane="sagittal"]');
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        let s = 0; for (let i = 0; i < d.length; i += 4) s += d[i]; return s / (d.length / 4); }"""
    ))  # fmt: skip


def chip(page: Page, number: int) -> Locator:
    return page.locator(f'#history .chip[data-evidence$=":{number}"]')


def click_start(page: Page, selector: str) -> None:
    """Click the first letters of running text, which may go on over several lines."""
    page.locator(selector).scroll_into_view_if_needed()
    at = page.locator(selector).evaluate("e => { const r = e.getClientRects()[0]; return [r.x + 3, r.y + r.height / 2]; }")
    page.mouse.click(*at)


@pytest.fixture
def asked(visit: Enter) -> Visit:
    one = visit()
    one.sample()
    one.ask("Which vertebrae are fractured?")
    one.answered()
    return one


def test_one_click_on_any_sentence_shows_what_it_stands_on_or_that_nothing_does(asked: Visit) -> None:
    page, shown = asked.page, []
    for place in range(6):
        click_start(page, f'[data-sentence="turn1:{place}"]')
        page.wait_for_function("n => document.querySelectorAll('.sentence.current').length === 1 && "
                               "document.querySelector('.sentence.current').dataset.sentence.endsWith(':' + n)", arg=place)  # fmt: skip
        shown.append((tab(page), page.locator("#strip .verdict-line").inner_text()))
    assert [name for name, _ in shown][:4] == ["images", "sources", "record", "sources"]
    assert shown[2][1] == "Contradicted by what it cites: 1.8 is not in the evidence."
    assert shown[4][1] == "Not supported: nothing found says so"
    assert "Nothing stands behind this sentence" not in page.locator("#strip").inner_text()
    assert "No evidence needed" in page.locator("#strip").inner_text()
    looks = {
        page.locator(f'[data-sentence="turn1:{n}"]').evaluate("e => getComputedStyle(e).borderBottomStyle")
        for n in (2, 3, 4)
    }
    assert looks == {"dashed"}
    assert page.locator('[data-sentence="turn1:0"]').evaluate("e => getComputedStyle(e).borderBottomWidth") == "0px"


def test_a_citation_of_a_pdf_shows_the_page_with_the_quote_boxed(asked: Visit) -> None:
    page = asked.page
    chip(page, 2).click()
    expect(page.locator("#sources .card.selected mark")).to_contain_text("A graded fracture doubled the risk")
    expect(page.locator(".pdf-page .box")).to_have_count(2)
    page.wait_for_function("document.querySelector('.pdf-page img').naturalWidth > 500")
    sheet, box = page.locator(".pdf-page .sheet").bounding_box(), page.locator(".pdf-page .box").first.bounding_box()
    assert sheet is not None
    assert box is not None
    assert sheet["x"] < box["x"] < box["x"] + box["width"] < sheet["x"] + sheet["width"]
    assert (box["x"] - sheet["x"]) / sheet["width"] == pytest.approx(72 / 612, abs=0.02)


def test_a_file_that_is_dropped_before_the_page_is_ready_is_not_lost(visit: Enter, tmp_path: Path) -> None:
    one = visit()
    (tmp_path / "early.png").write_bytes(png())
    one.page.context.clear_cookies()
    one.page.evaluate("localStorage.clear()")
    one.page.goto(one.address)
    one.page.wait_for_selector("#drop input[type=file]", state="attached")
    one.page.set_input_files("#drop input[type=file]", str(tmp_path / "early.png"))
    expect(one.page.locator(".attached code")).to_have_text("xray1", timeout=20_000)


def test_a_finding_shows_its_slice_with_the_overlay_and_the_cross_on_its_level(asked: Visit) -> None:
    page = asked.page
    chip(page, 1).click()
    canvas = page.locator('canvas[data-plane="sagittal"]')
    expect(canvas).to_have_attribute("aria-label", re.compile(r"ct1 .*sagittal 23 / 48, W 1800 L 400 HU, overlay mask1"))
    assert grey(page) > 10
    assert "L1" in page.locator("output.under").first.inner_text()
    assert "HU" in page.locator("output.under").first.inner_text()


def test_arrow_keys_walk_the_citations(asked: Visit) -> None:
    page = asked.page
    chip(page, 1).click()
    page.locator("#history .chip").first.focus()
    for number in ("2", "3", "4"):
        page.keyboard.press("ArrowRight")
        expect(page.locator("#strip .number")).to_have_text(number)
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#strip .number")).to_have_text("3")
    expect(page.locator("#strip .walk .quiet")).to_have_text("3 / 4")


def test_a_step_opens_its_call_and_hostile_text_stays_text(asked: Visit) -> None:
    page = asked.page
    page.locator("#history [data-step]").first.click()
    expect(page.locator("#steps .card.call.selected")).to_contain_text("Graded 5 vertebrae.")
    chip(page, 4).click()
    expect(page.locator("#sources .card.selected h3")).to_contain_text("<script>window.hacked=1</script>")
    assert page.evaluate("window.hacked") is None
    turning = "[\u202a-\u202e\u2066-\u2069]"
    assert page.evaluate("mark => !new RegExp(mark).test(document.body.innerText)", turning), (
        "a source turns our words round"
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "a long word makes the page wider"
    assert page.evaluate("document.querySelector('#panel').scrollWidth <= document.querySelector('#panel').clientWidth + 1")


@pytest.mark.parametrize(("screen", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_nothing_serious_for_people_who_use_it_differently(visit: Enter, screen: str, scheme: str) -> None:
    one = visit(screen, scheme)
    assert serious(one.page) == []
    one.sample()
    one.ask("Which vertebrae are fractured?")
    one.answered()
    chip(one.page, 1).click()
    one.page.wait_for_selector("output.under")
    found = serious(one.page)
    for view in ("middle", "side") if one.narrow else ():
        one.view(view)
        found += serious(one.page)
    assert found == []
    assert one.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def serious(page: Page) -> list[str]:
    """What axe-core finds of serious or critical impact."""
    told = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{item['id']}: {node['target']} {node.get('failureSummary', '')[:200]}"
        for item in told
        if item["impact"] in ("serious", "critical")
        for node in item["nodes"]
    ]
