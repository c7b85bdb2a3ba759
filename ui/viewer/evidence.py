"""What a turn stands on, as the page's script takes it: each piece of evidence with where it is shown, each sentence."""

from __future__ import annotations

from typing import Literal

from core.types import Evidence, Finding, Frozen, Location, Passage, Turn
from ui import panel
from ui.render import text, tool_words

Tab = Literal["sources", "images", "record", "steps"]


class Shown(Frozen):
    """A piece of evidence: the tab that shows it, a line for the strip, and its own card as escaped HTML.

    `page`: whether it comes from a page of a PDF that can be drawn with the quote boxed.
    """

    id: str
    tab: Tab
    label: str
    html: str
    location: Location | None = None
    artifact: str = ""
    where: str = ""
    page: bool = False


class Said(Frozen):
    """A sentence of the answer: what it cites and what the check said of it."""

    text: str
    evidence: tuple[str, ...]
    verdict: str
    why: str


class TurnEvidence(Frozen):
    """Everything that a turn's sentences can be followed to. `losses`: image to level to height loss in per cent."""

    turn: str
    evidence: tuple[Shown, ...]
    sentences: tuple[Said, ...]
    sources: str
    findings: str
    steps: str
    losses: dict[str, dict[str, float]]


def evidence_of(turn: Turn, has_page: frozenset[str] = frozenset()) -> TurnEvidence:
    """The turn's evidence; `has_page` names the passages whose page can be drawn."""
    answer = turn.answer
    return TurnEvidence(
        turn=turn.id,
        evidence=tuple(_shown(item, item.id in has_page) for item in turn.evidence),
        sentences=tuple(
            Said(text=s.text, evidence=s.evidence, verdict=s.verdict, why=s.why)
            for s in (() if answer is None else answer.sentences)
        ),
        sources=panel.sources_html(turn),
        findings=panel.findings_html(turn),
        steps=panel.steps_html(turn),
        losses=_losses(turn),
    )


def _shown(item: Evidence, page: bool) -> Shown:
    if isinstance(item, Passage):
        return Shown(id=item.id, tab="sources", label=item.title, html=panel.passage_card(item), page=page)
    if isinstance(item, Finding):
        return _finding(item)
    return Shown(
        id=item.id, tab="record", label=item.text, html=panel.event_card(item), artifact=item.record, where=item.source
    )


def _finding(item: Finding) -> Shown:
    """A finding is shown in its image, or, measured on no image, among the steps that made it."""
    label = " ".join(filter(None, (item.where, tool_words(item.name).replace("_", " ").replace("genant", "Genant"))))
    return Shown(
        id=item.id,
        tab="images" if item.location is not None else "steps",
        label=label,
        html=panel.finding_html(item),
        location=item.location,
        artifact=item.artifact,
        where=item.where,
    )


def _losses(turn: Turn) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for item in turn.evidence:
        if isinstance(item, Finding) and item.name == panel.GRADE and item.interval is not None and item.where:
            found.setdefault(item.artifact, {})[item.where] = round(sum(item.interval) / 2, 1)
    return found


def nothing_html(words: str) -> str:
    """A quiet line in place of something that is not there."""
    return f'<p class="quiet">{text(words)}</p>'
