"""The pictures of the desk in the docs: the risk card, the library, the settings, and the page in its other languages."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.paper import write_paper
from tests.browser.pictures import picture
from tests.desk.conftest import Open
from tests.desk.test_desk import GRADING, ICU, ask, ready

pytestmark = [pytest.mark.ui, pytest.mark.timeout(600)]
_SMALL = (390, 844)


def view(page: Page, name: str) -> None:
    """On a phone: files (side), chat (middle) or evidence (panel)."""
    if page.locator("#views").is_visible():
        page.click(f'#views [data-view="{name}"]')


def test_the_risk_card_with_a_driver_lit(enter: Open, tmp_path: Path) -> None:
    page = enter(size=(1280, 1100))
    ready(page)
    page.set_input_files("#drop input[type=file]", str(ICU))
    page.wait_for_selector(".attached code", state="attached")
    ask(page, "What is the risk for this patient and why?")
    page.get_by_role("tab", name="Record").click()
    page.locator(".driver").first.click()
    expect(page.locator(".timeline .lit-mark").first).to_be_visible()
    page.locator("#panel").evaluate("panel => { panel.scrollTop = 0; }")
    page.wait_for_timeout(300)
    picture(page, "risk-card-timeline", tmp_path)


def test_the_library(enter: Open, tmp_path: Path) -> None:
    page = enter("library")
    page.get_by_label("Name, for example of a project").fill("bone-cement")
    page.get_by_role("button", name="Make collection").click()
    expect(page.locator("#about h2")).to_have_text("bone-cement")
    page.set_input_files("#library-drop input[type=file]", str(write_paper(tmp_path / "kestrel.pdf")))
    expect(page.locator("#library-progress .notice")).to_contain_text("Added: 1")
    page.fill("#library-search textarea, #library-search input", "anterior height after Kestrel cement in vertebrae")
    page.locator("#library-search button").click()
    expect(page.locator("#results .card").first).to_contain_text("Kestrel")
    page.locator("#results [data-library]").first.click()
    expect(page.locator(".passages li")).not_to_have_count(0)
    page.locator("#find-passages").evaluate("column => { column.scrollTop = 0; }")
    page.wait_for_timeout(300)
    picture(page, "library", tmp_path)


def test_the_settings(enter: Open, tmp_path: Path) -> None:
    page = enter("settings")
    expect(page.locator(".doctor tr")).not_to_have_count(0)
    page.wait_for_timeout(300)
    picture(page, "settings", tmp_path)


@pytest.mark.parametrize(("locale", "name"), [("ar-EG", "arabic"), ("zh-CN", "chinese")])
def test_the_page_in_another_language(enter: Open, locale: str, name: str, tmp_path: Path) -> None:
    page = enter(locale=locale)
    ready(page)
    page.wait_for_timeout(800)
    picture(page, f"{name}-first", tmp_path)
    ask(page, GRADING)
    page.wait_for_selector("#sources .card.selected")
    page.wait_for_timeout(300)
    picture(page, f"{name}-evidence", tmp_path)


def test_the_page_in_arabic_in_the_dark_on_a_phone(enter: Open, tmp_path: Path) -> None:
    page = enter(locale="ar-EG", size=_SMALL, scheme="dark")
    ready(page)
    ask(page, GRADING)
    page.locator("#history .chip").nth(1).click()
    page.wait_for_selector("#sources .card.selected")
    page.wait_for_timeout(300)
    picture(page, "phone-arabic-dark", tmp_path)
    view(page, "middle")
    expect(page.locator("#history .sentence").first).to_be_visible()
