"""The viewer's controls and gestures; work that goes on, stops, and is found again."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.test_evidence import chip, grey

Enter = Callable[..., Visit]


def label(page: Page) -> str:
    return str(page.locator('canvas[data-plane="sagittal"]').get_attribute("aria-label"))


@pytest.fixture
def looking(visit: Enter) -> Visit:
    one = visit()
    one.sample()
    one.ask("Which vertebrae are fractured?")
    one.answered()
    chip(one.page, 1).click()
    expect(one.page.locator('canvas[data-plane="sagittal"]')).to_have_attribute("aria-label", re.compile("overlay mask1"))
    return one


def test_keys_wheel_and_windows_change_what_is_drawn(looking: Visit) -> None:
    page, canvas = looking.page, looking.page.locator('canvas[data-plane="sagittal"]')
    canvas.focus()
    page.keyboard.press("ArrowUp")
    expect(canvas).to_have_attribute("aria-label", re.compile("sagittal 24 / 48"))
    canvas.hover()
    page.mouse.wheel(0, 100)
    expect(canvas).to_have_attribute("aria-label", re.compile("sagittal 25 / 48"))
    bone = grey(page)
    page.select_option("#view-window", "lung")
    expect(canvas).to_have_attribute("aria-label", re.compile("W 1500 L -600 HU"))
    assert grey(page) > bone + 20, "the same voxels are brighter in a lung window"
    page.select_option("#view-mask", "")
    expect(canvas).not_to_have_attribute("aria-label", re.compile("overlay"))


def test_measuring_tells_millimetres_and_the_cross_tells_hu_and_place(looking: Visit) -> None:
    page = looking.page
    box = page.locator('canvas[data-plane="sagittal"]').bounding_box()
    assert box is not None
    page.get_by_role("button", name="Measure").click()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y - 60)
    page.mouse.down()
    page.mouse.move(x, y + 60, steps=4)
    page.mouse.up()
    told, scale = page.evaluate(
        "() => { const v = consiliumViewer.volume, p = v.panes[0]; return [p.length(v.lines[0]), p.frame().fit]; }"
    )
    assert told == pytest.approx(120 / scale, rel=0.02)
    page.get_by_role("button", name="Measure").click()
    page.mouse.click(x, y)
    page.wait_for_function("document.querySelector('output.under').textContent.includes('HU')")
    place, hu = page.evaluate("() => { const v = consiliumViewer.volume; return [v.place, v.volume.value(...v.place)]; }")
    inside = 16 <= place[0] < 32 and 20 <= place[1] < 40 and any(8 + 22 * n <= place[2] < 24 + 22 * n for n in range(3))
    assert hu == (400 if inside else -50) + place[2]
    assert page.locator("output.under").first.inner_text().startswith(f"{hu} HU")


def test_three_planes_before_and_after_and_the_loss_map(looking: Visit) -> None:
    page = looking.page
    page.get_by_role("button", name="All", exact=True).click()
    for plane in ("sagittal", "coronal", "axial"):
        expect(page.locator(f'canvas[data-plane="{plane}"]')).to_be_visible()
    page.get_by_role("button", name="Sagittal", exact=True).click()
    page.select_option("#view-colour", "loss")
    expect(page.locator(".legend")).to_contain_text("Loss of the worst third")
    assert page.evaluate("() => { const o = consiliumViewer.volume.overlay; return [...o.colours.slice(60, 63)]; }") == [
        245,
        140,
        40,
    ]
    page.select_option("#view-twin", "ct2")
    expect(page.get_by_label("Before and after")).to_be_visible()
    drawn = {}
    for share in (0, 100):
        page.get_by_label("Before and after").fill(str(share))
        page.wait_for_timeout(150)
        drawn[share] = grey(page)
    assert drawn[0] > drawn[100], "the twin is 60 HU brighter"


def test_a_film_can_be_inverted_and_zoomed(looking: Visit) -> None:
    page = looking.page
    page.select_option("#view-image", "xray1")
    canvas = page.locator(".film-viewer canvas")
    expect(canvas).to_have_attribute("aria-label", re.compile("^xray1"))
    middle = "c => { const d = c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data; return d[0]; }"
    before = canvas.evaluate(middle)
    page.locator(".film-viewer").get_by_role("button", name="Invert").click()
    assert canvas.evaluate(middle) == pytest.approx(255 - before, abs=2)
    page.get_by_role("button", name="Zoom in").click()
    assert page.evaluate("consiliumViewer.film.zoom") == pytest.approx(1.3)


def test_without_voxels_the_server_draws_the_slice(visit: Enter) -> None:
    one = visit()
    one.page.route("**/voxels/**", lambda route: route.fulfill(status=200, body=b"nonsense" * 64))
    one.sample()
    one.ask("Which vertebrae are fractured?")
    one.answered()
    chip(one.page, 1).click()
    server = one.page.locator(".stage .server")
    expect(server).to_be_visible()
    one.page.wait_for_function("document.querySelector('.stage .server').naturalWidth > 100")
    first = server.get_attribute("src")
    one.page.locator(".slices").fill("30")
    expect(server).not_to_have_attribute("src", str(first))
    assert "index=30" in str(server.get_attribute("src"))


def test_stop_stops_and_says_so(visit: Enter) -> None:
    one = visit()
    one.begin("a slow question")
    expect(one.page.locator("#live progress")).to_be_visible()
    expect(one.page.locator("#live .words")).to_contain_text("left", timeout=15_000)
    one.page.click("#stop")
    expect(one.page.locator("#history .notice.error")).to_have_text("Stopped.")
    expect(one.page.locator("#send")).to_be_visible()


def test_closing_the_page_does_not_end_a_question_and_coming_back_finds_it(visit: Enter) -> None:
    one = visit()
    one.begin("a slow question")
    expect(one.page.locator("#live progress")).to_be_visible()
    context = one.page.context
    one.page.close()
    back = context.new_page()
    back.goto(one.address)
    expect(back.locator("#live .question, #history .question").first).to_contain_text("a slow question")
    expect(back.locator("#history .notice")).to_have_count(0)  # it has no answer yet, and nobody says that it was cut off
    expect(back.locator("#history .sentence").first).to_be_visible(timeout=20_000)


def test_an_answer_that_comes_while_something_else_is_shown_is_told(visit: Enter) -> None:
    one = visit()
    one.begin("a slow question")
    expect(one.page.locator("#live progress")).to_be_visible()
    one.page.get_by_role("button", name="New conversation").click()
    expect(one.page.locator(".welcome")).to_be_visible()
    one.page.wait_for_selector(".toast", timeout=30_000)
    expect(one.page.locator("#live .turn")).to_have_count(0)
    one.page.locator(".toast").get_by_role("button", name="Open").click()
    expect(one.page.locator("#history .sentence").first).to_be_visible()
