"""What is each statement based on? Walked with the browser over whole answers: python -m tests.browser.walk [OUT.md].

For every sentence of every answer the clicks are counted until the panel shows what it stands on, or says that nothing
does. A click on the sentence is one; where it cites several pieces, each further one is one more click on its number.
The films of the index are drawn by the program itself.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

import tools.ehr
from tests.browser.chromium import ARGUMENTS, chromium
from tests.browser.conftest import Visit, serving
from tests.browser.paper import QUESTION, write_paper

_ICU = Path(tools.ehr.__file__).parent / "demo_icu_patient.json"
_DESK = {"width": 1280, "height": 800}
_HEAD = """# What is each statement based on?

Written by `python -m tests.browser.walk docs/desk-walk.md`: for every sentence the clicks until the panel shows what it stands on.

"""
# What must be seen in the tab for the evidence to be shown; each with the id that the strip tells.
_SEEN = {
    "sources": "#sources .card.selected mark",
    "images": "canvas[data-plane], .film-viewer canvas",
    "record": "#record tr.selected, .timeline .lit-mark",
    "steps": "#steps .card",
}


@dataclass(frozen=True)
class Step:
    """A sentence, the clicks that it took, and what was shown."""

    sentence: str
    clicks: int
    shown: str


@dataclass(frozen=True)
class Journey:
    """An answer to walk: what is put in first, and what is asked."""

    name: str
    question: str
    begin: Callable[[Visit, Path], None]


def nothing(one: Visit, folder: Path) -> None:
    """Only a question."""


def sample(one: Visit, folder: Path) -> None:
    """The sample case."""
    one.sample()


def paper(one: Visit, folder: Path) -> None:
    """An attached PDF."""
    _attach(one, write_paper(folder / "paper.pdf"))


def patient(one: Visit, folder: Path) -> None:
    """The synthetic stay in intensive care."""
    _attach(one, _ICU)


def film(one: Visit, folder: Path) -> None:
    """A drawn film, with others like it in a collection of images."""
    page = one.page
    page.goto(f"{one.address}/library")
    page.get_by_label("Name, for example of a project").fill("drawn-films")
    page.get_by_label("Images").check()
    page.get_by_role("button", name="Make collection").click()
    page.wait_for_selector("#about h2:has-text('drawn-films')")
    films = [drawn(folder / f"drawn{number}.png", number) for number in range(1, 9)]
    page.set_input_files("#library-drop input[type=file]", [str(path) for path in films])
    page.wait_for_selector("#library-progress .notice", timeout=120_000)
    one.open()
    _attach(one, drawn(folder / "asked.png", 40))


def _attach(one: Visit, path: Path) -> None:
    one.page.set_input_files("#drop input[type=file]", str(path))
    one.page.wait_for_selector(".attached code", timeout=120_000)


def drawn(path: Path, seed: int) -> Path:
    """A picture with two dark fields and ribs, other in its noise and sizes with each seed."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:256, 0:256] / 256.0
    grey = 150 + 40 * np.cos(2 * np.pi * (7 + rng.uniform(-1, 1)) * rows)
    for centre in (0.3, 0.7):
        grey -= 90 * np.exp(
            -(((columns - centre) / rng.uniform(0.12, 0.2)) ** 2 + ((rows - 0.5) / rng.uniform(0.25, 0.35)) ** 2)
        )
    noisy = grey + rng.normal(0, 8, grey.shape)
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(path)
    return path


JOURNEYS = (
    Journey("the literature", "What does the literature say about grading vertebral fractures?", nothing),
    Journey("a claim", "Is it true that a wedge fracture mainly reduces the anterior height?", nothing),
    Journey("an attached PDF", QUESTION, paper),
    Journey("the risk card", "What is the risk for this patient and why?", patient),
    Journey("similar images", "Have we seen a film like this before?", film),
    Journey("a record", "Any fractures in the patient's history, and what medicines is she on?", sample),
    Journey("films of a CT", "Show the lateral X-ray of ct2", sample),
    Journey("the sample CT", "Which vertebrae are fractured and how badly?", sample),
)


def walk(page: Page) -> list[Step]:
    """The sentences of the last answer, each followed to what it stands on."""
    steps = []
    sentences = page.locator("#history .turn:last-of-type [data-sentence]")
    for place in range(sentences.count()):
        sentence = sentences.nth(place)
        sentence.scroll_into_view_if_needed()
        at = sentence.evaluate("e => { const r = e.getClientRects()[0]; return [r.x + 3, r.y + r.height / 2]; }")
        page.mouse.click(*at)
        page.wait_for_function("e => e.classList.contains('current')", arg=sentence.element_handle(), timeout=10_000)
        shown, more = _shown(page), []
        for number in range(1, sentence.locator(".chip").count()):
            chip = sentence.locator(".chip").nth(number)
            chip.click()
            name = str(chip.get_attribute("data-evidence")).rsplit(":", 1)[1]
            page.wait_for_function(
                "id => document.querySelector('#strip .number')?.textContent === id", arg=name, timeout=10_000
            )
            more.append(_shown(page))
        words = " ".join(sentence.inner_text().split())
        steps.append(Step(words, 1 if not more else 2, shown + (f", and {len(more)} more, one click each" if more else "")))
    return steps


def _shown(page: Page) -> str:
    """The tab that is open and what stands in it, after it was seen to stand there."""
    label = page.locator("#strip .strip-label").inner_text()
    if page.locator("#strip .strip-head .number").count() == 0:
        return f"no evidence: {label}; {page.locator('#strip .verdict-line').inner_text()}"
    tab = str(page.locator('#panel [role="tab"][aria-selected="true"]').get_attribute("data-tab-id"))
    page.wait_for_selector(_SEEN[tab], state="visible", timeout=20_000)
    return f"{tab}: {label}"


def walked(one: Visit, journey: Journey, folder: Path) -> list[Step]:
    """Put in what the journey needs, ask, and walk the answer."""
    one.open()
    journey.begin(one, folder)
    one.ask(journey.question, 600)
    one.page.wait_for_selector("#history .sentence", timeout=60_000)
    one.page.wait_for_timeout(500)
    return walk(one.page)


def table(journey: Journey, steps: Sequence[Step]) -> str:
    """As Markdown."""
    rows = [f"| {_cut(step.sentence, 70)} | {step.clicks} | {_cut(step.shown, 110)} |" for step in steps]
    return "\n".join(
        [f"**{journey.name}**: {journey.question}\n", "| sentence | clicks | what is shown |", "|---|---|---|", *rows]
    )


def _cut(words: str, most: int) -> str:
    words = words.replace("|", "/")
    return words if len(words) <= most else f"{words[: most - 1]}…"


def main(arguments: Sequence[str]) -> None:
    """Walk all, print the tables, and write them where one is told."""
    told = []
    with tempfile.TemporaryDirectory() as home, sync_playwright() as player, serving("tests.browser.real", home) as address:
        browser = player.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
        for journey in JOURNEYS:
            context = browser.new_context(viewport=_DESK)  # type: ignore[arg-type]
            one = Visit(context.new_page(), address)
            steps = walked(one, journey, Path(home))
            told.append(table(journey, steps))
            print(told[-1], flush=True)
            context.close()
        browser.close()
    if arguments:
        Path(arguments[0]).write_text(_HEAD + "\n\n".join(told) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
