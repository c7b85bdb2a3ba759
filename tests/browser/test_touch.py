"""The viewer under fingers, as a phone's browser tells of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from playwright.sync_api import CDPSession, Page, expect

from tests.browser.conftest import Visit
from tests.browser.test_evidence import chip

Enter = Callable[..., Visit]
Point = tuple[float, float]


class Fingers:
    """Fingers on the canvas, told to the browser itself; places are from its middle."""

    def __init__(self, page: Page, selector: str) -> None:
        self._session: CDPSession = page.context.new_cdp_session(page)
        page.locator(selector).scroll_into_view_if_needed()
        box = page.locator(selector).bounding_box()
        assert box is not None
        self._middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def _tell(self, kind: str, points: Sequence[Point]) -> None:
        places = [{"x": self._middle[0] + x, "y": self._middle[1] + y, "id": n} for n, (x, y) in enumerate(points)]
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    def move(self, begin: Sequence[Point], end: Sequence[Point], steps: int = 8) -> None:
        """Put the fingers down, move them, and lift them."""
        self._tell("touchStart", begin)
        for step in range(1, steps + 1):
            part = step / steps
            pairs = zip(begin, end, strict=True)
            self._tell("touchMove", [(x1 + part * (x2 - x1), y1 + part * (y2 - y1)) for (x1, y1), (x2, y2) in pairs])
        self._tell("touchEnd", [])


@pytest.fixture
def phone(visit: Enter) -> Page:
    one = visit("phone")
    one.sample()
    one.ask("Which vertebrae are fractured?")
    one.answered()
    chip(one.page, 1).tap()
    canvas = one.page.locator('canvas[data-plane="sagittal"]')
    expect(canvas).to_have_attribute("aria-label", re.compile("overlay mask1"))
    return one.page


def looked_at(page: Page) -> dict[str, Any]:
    told: dict[str, Any] = page.evaluate(
        "() => { const v = consiliumViewer.volume, p = v.panes[0]; return { place: v.place, zoom: p.zoom, pan: p.pan, "
        "split: v.split, scrolled: document.querySelector('#panel').scrollTop }; }"
    )
    return told


def test_one_finger_scrolls_slices_and_a_tap_sets_the_cross(phone: Page) -> None:
    fingers, before = Fingers(phone, 'canvas[data-plane="sagittal"]'), looked_at(phone)
    fingers.move([(0, -30)], [(0, 30)])
    expect(phone.locator('canvas[data-plane="sagittal"]')).to_have_attribute("aria-label", re.compile("sagittal 33 / 48"))
    assert looked_at(phone)["scrolled"] == before["scrolled"], "the page stays where it is"
    fingers.move([(40, 40)], [(40, 40)], steps=1)
    phone.wait_for_function(
        "before => JSON.stringify(consiliumViewer.volume.place.slice(1)) !== before",
        arg=phone.evaluate("before => JSON.stringify(before)", before["place"][1:]),
    )
    assert looked_at(phone)["place"][0] == 32


def test_two_fingers_zoom_about_the_point_between_them_move_the_picture_and_scroll_past_it(phone: Page) -> None:
    phone.locator("#panel").evaluate(
        "panel => panel.append(Object.assign(document.createElement('div'), { style: 'height: 500px; flex: none' }))"
    )
    fingers, before = Fingers(phone, 'canvas[data-plane="sagittal"]'), looked_at(phone)
    fingers.move([(-20, 60), (20, 60)], [(-20, 0), (20, 0)])
    now = looked_at(phone)
    assert (now["zoom"], now["place"]) == (1, before["place"])
    assert float(now["scrolled"]) - float(before["scrolled"]) == pytest.approx(60, abs=15)
    fingers = Fingers(phone, 'canvas[data-plane="sagittal"]')
    under = "at => { const p = consiliumViewer.volume.panes[0], b = p.canvas.getBoundingClientRect(); return p.under({ clientX: b.x + b.width / 2 + at[0], clientY: b.y + b.height / 2 + at[1] }); }"
    pixel = phone.evaluate(under, [30, 20])
    fingers.move([(10, 20), (50, 20)], [(-10, 20), (70, 20)])
    assert looked_at(phone)["zoom"] == pytest.approx(1.75, rel=0.12)  # the first eighth only tells that it is a zoom
    assert phone.evaluate(under, [30, 20]) == pytest.approx(pixel, abs=1)
    before = looked_at(phone)
    fingers.move([(-30, -20), (30, -20)], [(-10, 20), (50, 20)])
    now = looked_at(phone)
    assert [now["pan"][axis] - before["pan"][axis] for axis in (0, 1)] == pytest.approx([20, 40], abs=8)
    assert now["scrolled"] == before["scrolled"]


@pytest.mark.ui
def test_the_slider_of_before_and_after_follows_a_finger(phone: Page) -> None:
    phone.select_option("#view-twin", "ct2")
    expect(phone.get_by_label("Before and after")).to_be_visible()
    fingers = Fingers(phone, 'canvas[data-plane="sagittal"]')
    before = float(looked_at(phone)["split"])
    fingers.move([(0, 40)], [(50, 40)])
    assert float(looked_at(phone)["split"]) > before + 0.05


@pytest.mark.ui
def test_a_film_is_zoomed_by_two_fingers_and_moved_by_one(phone: Page) -> None:
    phone.select_option("#view-image", "xray1")
    expect(phone.locator(".film-viewer canvas")).to_have_attribute("aria-label", re.compile("^xray1"))
    fingers = Fingers(phone, ".film-viewer canvas")
    fingers.move([(-20, 0), (20, 0)], [(-60, 0), (60, 0)])
    assert phone.evaluate("consiliumViewer.film.zoom") == pytest.approx(3, rel=0.1)
    fingers.move([(0, 0)], [(30, 15)])
    assert phone.evaluate("consiliumViewer.film.pan") == pytest.approx([30, 15], abs=6)


def test_what_is_tapped_is_large_enough(phone: Page) -> None:
    """WCAG 2.2 asks for 24 x 24 pixels of every target (2.5.8, AA), but for those in running text; these have them too."""
    small = []
    for name in ("panel", "middle", "side"):
        phone.click(f'#views [data-view="{name}"]')
        small += phone.evaluate(
            """() => [...document.querySelectorAll('button:not([tabindex="-1"]), select, [role="tab"]:not([tabindex="-1"]), input')]
            .filter((e) => e.checkVisibility({ visibilityProperty: true }) && !e.closest('.off, .sr'))
            .map((e) => [e.outerHTML.slice(0, 90), (e.matches('[type="checkbox"]') ? e.closest('label') : e).getBoundingClientRect()])
            .filter(([, r]) => r.width && r.height && (r.width < 24 || r.height < 24))
            .map(([words, r]) => `${words} ${Math.round(r.width)} x ${Math.round(r.height)}`)"""
        )
    assert small == []
