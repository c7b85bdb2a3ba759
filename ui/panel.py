"""The evidence panel: sources, findings, record entries and steps of one turn as escaped HTML."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise

from core.types import CallRecord, Finding, Passage, RecordEvent, Turn
from ui import citing
from ui.render import chip, text, tool_words

_LINKS = (
    ("pmid", "PMID", "https://pubmed.ncbi.nlm.nih.gov/{}/"),
    ("pmcid", "PMCID", "https://pmc.ncbi.nlm.nih.gov/articles/{}/"),
    ("doi", "DOI", "https://doi.org/{}"),
)
_BAD_FLAGS = frozenset({"retracted", "concern"})
_NEARLY = 0.7
GRADE = "genant_grade"
LOSS_UNIT = "% of the height lost"
"""A grade has no unit; its interval is that of the height loss of the worst third."""
NO_SOURCES = '<p class="quiet">No passages. Answers from the literature show their sources here.</p>'
NO_RECORD = '<p class="quiet">No record entries. Answers from a record show the entries they stand on here.</p>'
NO_STEPS = '<p class="quiet">No tool calls yet.</p>'


def marked_passage(passage: Passage) -> str:
    """The passage's text, with the quoted span marked; a span outside the text marks nothing."""
    whole = flowing(passage.text)
    if passage.quote is None:
        return text(whole)
    start, end = (place - passage.span[0] for place in passage.quote)
    if not 0 <= start < end <= len(whole):
        return text(whole)
    return f"{text(whole[:start])}<mark>{text(whole[start:end])}</mark>{text(whole[end:])}"


def flowing(words: str) -> str:
    """The text with lines run on that only the width of a page has broken; as long as it was, so that places hold.

    A line breaks off by its width when it is nearly as long as the longest one; a heading and the last line of a
    paragraph are shorter and stay for themselves.
    """
    lines = words.split("\n")
    wide = _NEARLY * max(len(line) for line in lines)
    joins = [" " if len(line) >= wide and following.strip() else "\n" for line, following in pairwise(lines)]
    return "".join(line + join for line, join in zip(lines, [*joins, ""], strict=True))


def passage_card(passage: Passage, selected: bool = False) -> str:
    """A source: where the passage comes from, how near it is, and its text."""
    facts = (passage.venue, str(passage.year) if passage.year else None, passage.section, f"corpus {passage.corpus}")
    line = " · ".join(text(fact) for fact in facts if fact)
    authors = text(", ".join(passage.authors[:3]) + (" et al." if len(passage.authors) > 3 else ""))
    flags = "".join(
        f'<span class="flag{" bad" if flag in _BAD_FLAGS else ""}">{text(flag)}</span>' for flag in passage.flags
    )
    return (
        f'<article class="card{" selected" if selected else ""}" id="evidence-{text(passage.id)}">'
        f'<header><span class="number">{text(passage.id)}</span><h3>{text(passage.title)}</h3>{_stance(passage)}'
        "</header>"
        f'<p class="quiet">{authors}{"<br>" if authors else ""}{line} {_score(passage)} {flags}</p>'
        f"{_study(passage)}"
        f'<blockquote>{marked_passage(passage)}</blockquote><p class="links">{_links(passage)}</p>'
        f"{_reference(passage)}</article>"
    )


def _score(passage: Passage) -> str:
    """How near it is to the question; nothing for a document that was opened and not searched for."""
    return f"· score {passage.score:.2f}" if passage.score else ""


def _stance(passage: Passage) -> str:
    """What the source says to the draft or the claim: judged by a model, so said as "seems"."""
    if passage.stance is None:
        return ""
    title = "judged by the entailment model; read the passage"
    return f'<span class="flag stance-{passage.stance}" title="{title}">{passage.stance}</span>'


def _study(passage: Passage) -> str:
    """Design, size and effect as the passage states them, and what was published about it later."""
    stated = [passage.design, *(f"n = {fact.value}" if fact.name == "n" else fact.value for fact in passage.facts)]
    shown = " · ".join(text(item) for item in dict.fromkeys(stated) if item)
    notices = "".join(f'<p class="flag bad">{text(notice)}</p>' for notice in passage.notices)
    return (f'<p class="quiet">{shown}</p>' if shown else "") + notices


def _reference(passage: Passage) -> str:
    """The reference to copy, and as files."""
    files = (("RIS", "ris", "application/x-research-info-systems", citing.ris(passage)),
             ("BibTeX", "bib", "application/x-bibtex", citing.bibtex(passage)))  # fmt: skip
    links = " · ".join(
        f'<a download="source-{text(passage.id)}.{suffix}" href="{text(citing.data_link(content, kind))}">{label}</a>'
        for label, suffix, kind, content in files
    )
    told = text(citing.citation(passage))
    return (
        f'<details class="reference"><summary>Citation</summary><p class="cite">{told}</p>'
        f'<button type="button" class="copy" data-copy="{told}">Copy citation</button><p class="links">{links}</p></details>'
    )


def _links(passage: Passage) -> str:
    shown = []
    for name, label, address in _LINKS:
        value = getattr(passage, name)
        if value:
            url = text(address.format(value))
            shown.append(
                f'<a href="{url}" target="_blank" rel="noopener noreferrer">{label} {text(value)}'
                '<span class="sr"> (opens a new window)</span></a>'
            )
    return " · ".join(shown)


def sources_html(turn: Turn | None, selected: str = "") -> str:
    """Every passage of the turn, in the order of its numbers; the selected one stands out."""
    passages = [] if turn is None else [item for item in turn.evidence if isinstance(item, Passage)]
    return "".join(passage_card(item, item.id == selected) for item in passages) or NO_SOURCES


def finding_html(finding: Finding | None) -> str:
    """The statement beside the picture, with how it was measured."""
    if finding is None:
        return ""
    method = f'<div class="quiet">Method: {text(finding.method)}</div>'
    between = ""
    if finding.interval is not None:
        low, high = finding.interval
        unit = LOSS_UNIT if finding.name == GRADE else finding.unit
        between = f'<div class="quiet">Interval: {low:g} to {high:g} {text(unit)}</div>'
    return (
        f'<div class="card selected"><header><span class="number">{text(finding.id)}</span></header>'
        f"<p>{text(finding.statement)}</p>{between}{method}</div>"
    )


def findings_html(turn: Turn | None, selected: str = "") -> str:
    """The findings of a turn as buttons, so that each can be looked at in the picture."""
    found = [] if turn is None else [item for item in turn.evidence if isinstance(item, Finding)]
    if turn is None or not found:
        return ""
    rows = "".join(
        f"<li{' class=selected' if item.id == selected else ''}>{chip(turn.id, item.id)} {text(item.statement)}</li>"
        for item in found
        if item.id != selected
    )
    return f'<ul class="findings">{rows}</ul>'


def record_html(turn: Turn | None, selected: str = "") -> str:
    """The record entries of the turn on a timeline, oldest first, undated ones last."""
    events = [] if turn is None else [item for item in turn.evidence if isinstance(item, RecordEvent)]
    if not events:
        return NO_RECORD
    events.sort(key=lambda item: (item.time is None, item.time.isoformat() if item.time else ""))
    head = "".join(f'<th scope="col">{name}</th>' for name in ("", "Date", "Entry", "Value", "Status"))
    rows = "".join(_event_row(item, item.id == selected) for item in events)
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Entries this answer stands on">'
        '<table class="data"><caption>Entries this answer stands on</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{_selected_event(events, selected)}"
    )


def _event_row(event: RecordEvent, selected: bool) -> str:
    when = event.time.date().isoformat() if event.time else "no date"
    value = "" if event.value is None else f"{event.value:g}" if isinstance(event.value, float) else event.value
    cells = (
        f'<span class="number">{text(event.id)}</span>',
        text(when),
        f'{text(event.text)}<div class="quiet">{text(event.category)}</div>',
        text(f"{value} {event.unit}".strip()),
        text(event.status),
    )
    mark = ' class="selected" aria-current="true"' if selected else ""
    return (
        f'<tr id="evidence-{text(event.id)}" data-source="{text(event.source)}"{mark}>'
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "</tr>"
    )


def _selected_event(events: Sequence[RecordEvent], selected: str) -> str:
    return next((event_card(event) for event in events if event.id == selected), "")


def event_card(event: RecordEvent) -> str:
    """An entry of the record: its statement, when, its code, and where in the record it stands."""
    code = " ".join(filter(None, (event.system, event.code)))
    when = event.time.strftime("%Y-%m-%d %H:%M") if event.time else "no date"
    return (
        f'<div class="card selected" data-shown-event="{text(event.source)}"><p>{text(event.statement)}</p>'
        f'<div class="quiet">{text(when)}<br>{text(code)}<br>Source: {text(event.source)}</div></div>'
    )


def steps_html(turn: Turn | None) -> str:
    """Every tool call of the turn with its parameters, status, seconds and warnings."""
    calls = () if turn is None else turn.calls
    if turn is None or not calls:
        return NO_STEPS
    return "".join(_call_html(call) for call in calls) + _provenance_html(turn)


def _call_html(call: CallRecord) -> str:
    arguments = text(json.dumps(call.arguments, indent=2, ensure_ascii=False))
    warnings = "".join(f'<div class="warn">{text(line)}</div>' for line in call.warnings)
    return (
        f'<article class="card call {text(call.status)}" id="step-{text(call.id)}">'
        f"<header><h3>{text(tool_words(call.name))}</h3>"
        f'<span class="flag">{text(call.status)}</span><span class="quiet">{call.seconds:.1f} s</span></header>'
        f'<p>{text(call.summary)}</p>{warnings}<pre tabindex="0">{text(call.name)} {arguments}</pre></article>'
    )


def _provenance_html(turn: Turn) -> str:
    if turn.answer is None or turn.answer.provenance is None:
        return ""
    made = turn.answer.provenance
    return (
        f'<p class="quiet">Model {text(made.model)}{" at " + text(made.endpoint) if made.endpoint else ""}, '
        f"{made.seconds:.1f} s, version {text(made.version)}, {text(turn.started.strftime('%Y-%m-%d %H:%M'))}</p>"
    )
