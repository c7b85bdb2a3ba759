"""The desk as a person uses it: conversations, the record, the library, the settings, in three languages."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.desk.conftest import ROOT, Open

GRADING = "What does the literature say about grading vertebral fractures?"
ICU = ROOT / "tools" / "ehr" / "demo_icu_patient.json"
# What the interface says itself and is still English: letters that stand in no person's, source's or record's words.
ENGLISH = """() => {
  const content = ".question, .sentence, .draft, .cite, blockquote, pre, code, script, style, option, textarea, svg, "
    + "[data-content], .conversations button span:first-child, .notice, .card, .suggestion, .brand, .attached, "
    + ".limits, table.data td, figcaption";
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const owner = node.parentElement;
    const said = /[A-Za-z]{3}/.test(node.data) && !/[\u0600-\u06ff]/.test(node.data);
    if (!said || owner.closest(content) || !owner.checkVisibility()) continue;
    found.push(node.data.trim());
  }
  return found; }"""
ALLOWED = {"embedded", "consilium.toml", "Consilium", "auto", "English", "starter"}


def ready(page: Page) -> None:
    page.wait_for_selector("#side button.primary:not([disabled])", state="attached")


def ask(page: Page, question: str) -> None:
    ready(page)
    page.fill("#question textarea", question)
    page.click("#send")
    expect(page.locator("#history .asked").last).to_have_text(question)
    expect(page.locator("#send")).to_be_visible()


@pytest.mark.ui
def test_a_conversation_is_renamed_found_judged_branched_edited_exported_and_deleted(enter: Open) -> None:
    page = enter()
    ask(page, GRADING)
    page.click("#conversation-tools [data-tool=rename]")
    page.fill("dialog input[name=text]", "Ward round <b>7</b>")
    page.click("dialog .strong")
    expect(page.locator(".conversations [aria-current] span").first).to_have_text("Ward round <b>7</b>")

    page.click("#history [data-tool=unhelpful]")
    page.check("dialog input[value=Unclear]")
    page.fill("dialog textarea", "too long")
    page.click("dialog .strong")
    expect(page.locator("#history [data-tool=unhelpful]")).to_have_attribute("aria-pressed", "true")

    page.click("#history [data-tool=export]")
    page.check("dialog input[value=md]")
    with page.expect_download() as waiting:
        page.click("dialog .strong")
    document = Path(waiting.value.path()).read_text(encoding="utf-8")
    assert waiting.value.suggested_filename == "Ward-round-b-7-b.md"
    assert "### References" in document
    assert "Unclear: too long" in document

    page.click("#history [data-tool=edit]")
    page.fill("dialog textarea", "What is a voxel?")
    page.click("dialog .strong")
    expect(page.locator("#history .asked")).to_have_text(["What is a voxel?"])
    expect(page.locator(".conversations li")).to_have_count(2)
    expect(page.locator("#send")).to_be_visible()
    page.click("#history [data-tool=branch]")
    expect(page.locator(".conversations li")).to_have_count(3)

    page.locator("#find textarea, #find input").press_sequentially("ward round")
    expect(page.locator(".conversations li")).to_have_count(1)
    page.locator(".conversations button").click()
    expect(page.locator("#history .asked")).to_have_text([GRADING])
    page.get_by_role("button", name="Delete this conversation").click()
    page.locator("#confirm button", has_text="Delete").click()
    expect(page.locator(".conversations", has_text="Ward round")).to_have_count(0)


def test_the_risk_card_lights_its_drivers_on_the_timeline(enter: Open) -> None:
    page = enter()
    ready(page)
    page.set_input_files("#drop input[type=file]", str(ICU))
    page.wait_for_selector(".attached code", state="attached")
    ask(page, "What is the risk for this patient and why?")
    page.get_by_role("tab", name="Record").click()
    expect(page.locator(".risk .estimate strong")).to_contain_text("%")
    expect(page.locator(".risk .scale .base")).to_have_count(1)
    driver = page.locator(".driver").first
    wanted = len((driver.get_attribute("data-events") or "").split("\n"))
    assert page.locator(".timeline .lit-mark").count() == 0
    driver.click()
    expect(page.locator(".timeline .lit-mark")).to_have_count(wanted)
    expect(page.locator(".timeline .lit-mark").first).to_be_in_viewport()
    expect(page.locator(".timeline .told")).to_contain_text("Observation/")
    driver.click()
    expect(page.locator(".timeline .lit-mark")).to_have_count(0)
    drawn = page.locator(".timeline .value").count()
    page.get_by_role("button", name="Zoom in").click()
    assert 0 < page.locator(".timeline .value").count() < drawn
    page.get_by_role("button", name="Show all").click()
    page.get_by_placeholder("Filter the record").fill("lactate")
    expect(page.locator(".timeline .series")).to_have_count(1)
    page.locator(".timeline-stage").press("ArrowRight")
    expect(page.locator(".timeline .told")).to_contain_text("Lactate was")


@pytest.mark.parametrize(
    ("path", "filled"), [("", "#send:not([disabled])"), ("library", ".collections button"), ("settings", ".doctor tr")]
)
def test_arabic_is_right_to_left_throughout_and_nothing_stays_english(enter: Open, path: str, filled: str) -> None:
    page = enter(path, locale="ar-EG")
    page.wait_for_selector(filled, state="attached")  # what the server fills in on load
    page.wait_for_timeout(300)
    assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == ["ar", "rtl"]
    assert page.evaluate("getComputedStyle(document.querySelector('#side .rooms')).direction") == "rtl"
    for width, height in ((1280, 800), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(100)
        assert [words for words in page.evaluate(ENGLISH) if words not in ALLOWED] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing hangs over the side"


def test_the_language_changes_without_a_reload_and_lives_in_the_session(enter: Open) -> None:
    page = enter(locale="zh-CN")
    ready(page)
    expect(page.locator("#send")).to_have_text("发送")
    page.select_option("select[data-language]", "ar")
    expect(page.locator("#send")).to_have_text("إرسال")
    assert page.evaluate("document.documentElement.dir") == "rtl"
    page.goto(page.url.rstrip("/") + "/library")
    expect(page.locator("#library-search button")).to_have_text("بحث")
    page.select_option("select[data-language]", "en")
    expect(page.locator("#library-search button")).to_have_text("Search")
    assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == ["en", "ltr"]


def test_words_of_people_and_sources_are_never_translated(enter: Open) -> None:
    page = enter(locale="ar-EG")
    ask(page, "Sources")  # the name of a tab, asked as a question
    expect(page.locator("#history .asked").last).to_have_text("Sources")


def test_the_library_is_filled_by_drop_and_searched_without_a_conversation(enter: Open, tmp_path: Path) -> None:
    paper, rubbish = tmp_path / "trial.txt", tmp_path / "<img src=x onerror=alert(1)>.pdf"
    paper.write_text("We randomly assigned 300 women to teriparatide or placebo; vertebral fractures fell by half. " * 4)
    rubbish.write_text("no")
    page = enter("library")
    page.get_by_label("Name, for example of a project").fill("project-a")
    page.get_by_role("button", name="Make collection").click()
    expect(page.locator("#about h2")).to_have_text("project-a")
    page.set_input_files("#library-drop input[type=file]", [str(paper), str(rubbish)])
    expect(page.locator("#library-progress .notice")).to_contain_text("Added: 1")
    expect(page.locator("#library-progress .problems li")).to_have_count(1)
    expect(page.locator("#listing .entry")).to_contain_text("randomised trial")
    page.fill("#library-search textarea, #library-search input", "teriparatide and vertebral fractures")
    page.locator("#library-search button").click()
    expect(page.locator("#results .card").first).to_contain_text("teriparatide")
    page.locator("#results .card details").first.click()
    link = page.locator("#results a[download$='.ris']").first.get_attribute("href") or ""
    assert link.startswith("data:application/x-research-info-systems")
    page.locator("#results [data-library]").first.click()
    expect(page.locator(".passages li")).not_to_have_count(0)
    page.locator(".danger").click()
    page.locator("dialog .strong").click()
    expect(page.locator("#collections", has_text="project-a")).to_have_count(0)


@pytest.mark.ui
def test_settings_take_hold_and_a_wrong_one_is_told(enter: Open) -> None:
    page = enter("settings")
    expect(page.locator(".doctor tr")).not_to_have_count(0)
    expect(page.locator(".doctor")).to_contain_text("tool grade_fractures")
    page.get_by_label("Strict: drop sentences").check()
    page.get_by_role("button", name="Use these").click()
    expect(page.locator("#settings-toml")).to_contain_text("strict = true")
    page.get_by_label("Endpoint:").fill("ftp://nowhere")
    page.get_by_role("button", name="Use these").click()
    expect(page.locator("#settings-note")).to_contain_text("must be 'embedded' or a URL")
    expect(page.locator("#settings-toml")).to_contain_text('model = "embedded"')
    page.select_option("select[data-theme]", "dark")
    assert page.evaluate("document.body.classList.contains('dark')")
    page.reload()
    page.wait_for_selector(".doctor tr")
    assert page.evaluate("document.body.classList.contains('dark')")
