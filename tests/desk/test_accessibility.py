"""The rooms of the desk for people who use it differently: axe-core, the order of the keyboard, dialogs that hold it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_evidence import serious
from tests.desk.conftest import Open
from tests.desk.test_desk import GRADING, ICU, ask, ready

_DESK, _PHONE = (1280, 800), (390, 844)


def focused(page: Page) -> str:
    """What a person who tabs is told: role-giving tag and name of what has the focus."""
    return str(
        page.evaluate(
            "() => { const e = document.activeElement; return e.getAttribute('aria-label') || e.textContent.trim().slice(0, 60) "
            "|| e.getAttribute('placeholder') || e.id || e.tagName; }"
        )
    )


@pytest.mark.parametrize(
    ("path", "size", "scheme"),
    [
        ("library", _DESK, "light"),
        ("settings", _PHONE, "dark"),
        pytest.param("library", _PHONE, "dark", marks=pytest.mark.ui),
        pytest.param("settings", _DESK, "light", marks=pytest.mark.ui),
    ],
)
def test_nothing_serious_in_the_other_rooms(enter: Open, path: str, size: tuple[int, int], scheme: str) -> None:
    page = enter(path, size=size, scheme=scheme)
    page.wait_for_selector(".collections button" if path == "library" else ".doctor tr")
    found = serious(page)
    if path == "library":
        page.locator("#find-passages .label-wrap").click()  # the filters
        page.fill("#library-search textarea, #library-search input", "vertebral fractures")
        page.locator("#library-search button").click()
        expect(page.locator("#results .card").first).to_be_visible()
        page.locator("#results [data-library]").first.click()
        expect(page.locator(".passages li")).not_to_have_count(0)
        found += serious(page)
    assert found == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.ui
@pytest.mark.parametrize(("size", "scheme"), [(_DESK, "light"), (_DESK, "dark"), (_PHONE, "light")])
def test_nothing_serious_with_a_record_its_risk_and_the_dialogs_of_a_conversation(
    enter: Open, size: tuple[int, int], scheme: str
) -> None:
    page = enter(size=size, scheme=scheme)
    ready(page)
    page.set_input_files("#drop input[type=file]", str(ICU))
    page.wait_for_selector(".attached code", state="attached")
    ask(page, "What is the risk for this patient and why?")
    found = []
    narrow = page.locator("#views").is_visible()
    for name in ("middle", "panel", "side") if narrow else ("all",):
        if narrow:
            page.click(f'#views [data-view="{name}"]')
        found += serious(page)
    if narrow:
        page.click('#views [data-view="panel"]')
    page.get_by_role("tab", name="Record").click()
    page.locator(".driver").first.click()
    expect(page.locator(".timeline .lit-mark").first).to_be_visible()
    found += serious(page)
    if narrow:
        page.click('#views [data-view="middle"]')
    for tool in ("unhelpful", "export", "edit"):
        page.click(f"#history [data-tool={tool}]")
        expect(page.locator("dialog[open]")).to_be_visible()
        found += serious(page)
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)
    assert found == []


def test_the_keyboard_goes_through_the_page_as_it_is_read_and_a_dialog_gives_it_back(enter: Open) -> None:
    page = enter()
    ask(page, GRADING)
    page.wait_for_selector("#sources .card.selected")
    page.locator(".rooms a").first.focus()
    walked = []
    for _ in range(60):
        page.keyboard.press("Tab")
        place = page.evaluate(
            "() => ['side', 'middle', 'panel'].findIndex((id) => document.getElementById(id)?.contains(document.activeElement))"
        )
        seen = page.evaluate("() => document.activeElement.getBoundingClientRect().width > 0")
        assert seen or place < 0, f"the focus is on something that cannot be seen: {focused(page)}"
        walked.append(place)
        if place == 2 and walked.count(2) > 4:
            break
    assert [one for one in walked if one >= 0] == sorted(one for one in walked if one >= 0), "left, centre, right"
    assert {0, 1, 2} <= set(walked)
    opener = page.locator("#history [data-tool=unhelpful]")
    opener.focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog[open]")).to_be_visible()
    assert page.evaluate("document.querySelector('dialog[open]').contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()


@pytest.mark.ui
def test_a_question_is_asked_and_its_evidence_walked_without_a_mouse(enter: Open) -> None:
    page = enter()
    ready(page)
    page.locator("#question textarea").focus()
    page.keyboard.type(GRADING)
    page.keyboard.press("Enter")
    expect(page.locator("#history .chip").first).to_be_visible()
    page.locator("#history .chip").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#strip .walk .quiet")).to_have_text("1 / 3")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#strip .walk .quiet")).to_have_text("2 / 3")
    expect(page.locator("#history .chip").nth(1)).to_be_focused()
    expect(page.locator("#sources .card.selected .number")).to_have_text("2")
    page.get_by_role("tab", name="Sources").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("tab", name="Images")).to_have_attribute("aria-selected", "true")
