"""Turns, events and attachments as HTML. Pure: text in, escaped HTML out; whatever came from outside stays text."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from agent.events import Event, Notice, Queued, StepFinished, StepProgress, StepStarted, TextDelta
from core.types import Answer, Artifact, CallRecord, Sentence, Table, Turn
from ui.seam import Ability
from ui.turn_tools import turn_tools_html

_MARKER = re.compile(r"\[(\d+(?:\s*,\s*\d+)*)\]")
_DOUBTFUL = {"partly": "partly supported", "not_supported": "not supported", "contradicted": "contradicted"}
_STATUS = {"done": "done", "refused": "refused", "failed": "failed", "timeout": "timed out", "cancelled": "stopped"}
_TOOL_WORDS = {
    "grade_fractures": "Grading vertebrae",
    "segment": "Outlining the vertebrae",
    "synthesize_healthy_spine": "Painting the spine as it was",
    "synthesize_xray": "Computing the X-ray film",
    "show_image": "Drawing the image",
    "search_literature": "Searching the literature",
    "read_record": "Reading the record",
    "predict_outcome": "Estimating the risk",
    "find_similar_patients": "Looking for similar stays",
}
NO_ANSWER = "This question has no answer yet: it is being answered elsewhere, or was cut off."
_OPEN_LIMITS = 2
_TURNING = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
"""Embeddings, overrides and isolates of Unicode's bidirectional algorithm, and their ends."""
_LONG_CELL = 28
"""Characters from which a cell of a table may break its line."""
_TELLING = 0.08
_TELLING_S = 2.0
"""A step this far and this long says how long the rest will take."""
_KIND_WORDS = {"radiograph": "X-ray", "cine": "image series", "image": "picture"}


@dataclass
class Step:
    """A tool call as far as it has come."""

    tool: str
    fraction: float | None = None
    message: str = ""
    call: CallRecord | None = None
    began: float = field(default_factory=time.monotonic)

    def left_s(self) -> float | None:
        """Seconds left, if the rest takes as long as what is done took; None while too little is done to tell."""
        spent = time.monotonic() - self.began
        if self.fraction is None or not _TELLING <= self.fraction < 1 or spent < _TELLING_S:
            return None
        return spent * (1 - self.fraction) / self.fraction


@dataclass
class Live:
    """A turn that is running: the question, and what its events have told so far."""

    question: str
    steps: dict[str, Step] = field(default_factory=dict)
    text: str = ""
    notices: list[Notice] = field(default_factory=list)
    stopping: bool = False
    position: int = 0

    def take(self, event: Event) -> None:
        """Take in one event; the last one, `TurnDone`, changes nothing here."""
        self.position = event.position if isinstance(event, Queued) else 0
        if isinstance(event, StepStarted):
            self.steps[event.call_id] = Step(event.tool)
        elif isinstance(event, StepProgress):
            step = self.steps.setdefault(event.call_id, Step(event.tool))
            step.fraction, step.message = event.fraction, event.message
        elif isinstance(event, StepFinished):
            step = self.steps.setdefault(event.call.id, Step(event.call.name))
            step.call = event.call
        elif isinstance(event, TextDelta):
            self.text += event.text
        elif isinstance(event, Notice):
            self.notices.append(event)


def text(value: object) -> str:
    """Text for the page: markup in it is shown, never obeyed.

    Marks that turn the direction of what follows are left out: one in a source would turn our own words round, so that
    "not supported" could not be read. Each block finds its direction from its letters instead.
    """
    return escape(str(value).translate(_TURNING), quote=True)


def tool_words(name: str) -> str:
    """What a tool does, in words; the plain name when it is not one of ours."""
    return _TOOL_WORDS.get(name, name)


def chip(turn: str, evidence: str) -> str:
    """A citation: a button the page's script knows by `data-evidence`."""
    return (
        f'<button type="button" class="chip" data-evidence="{text(turn)}:{text(evidence)}" '
        f'aria-label="Show evidence {text(evidence)}">{text(evidence)}</button>'
    )


def sentence_html(sentence: Sentence, turn: str, known: frozenset[str], place: int) -> str:
    """A sentence with its citations as buttons; clicked as a whole it opens what it stands on.

    One that did not pass its check is marked and says why; one without a citation can be reached by key itself.
    """
    placed: set[str] = set()

    def cite(match: re.Match[str]) -> str:
        ids = [part.strip() for part in match[1].split(",")]
        if not all(name in known for name in ids):
            return match[0]
        placed.update(ids)
        return "".join(chip(turn, name) for name in ids)

    body = _MARKER.sub(cite, text(sentence.text))
    body += "".join(chip(turn, name) for name in sentence.evidence if name in known and name not in placed)
    cited = any(name in known for name in sentence.evidence) or bool(placed)
    words = _DOUBTFUL.get(sentence.verdict)
    kind = "sentence" if words is None else f"sentence doubtful {text(sentence.verdict)}"
    reach = "" if cited else ' tabindex="0" role="button"'
    mark = ""
    if words is not None:
        why = text(sentence.why or f"The check found this sentence {words}.")
        mark = f'<span class="verdict">{words}<span class="why">: {why}</span></span>'
    return f'<span class="{kind}" data-sentence="{text(turn)}:{place}"{reach}>{body}{mark}</span>'


def table_html(table: Table, turn: Turn) -> str:
    """A table of an answer. A row that rests on evidence opens the first of it."""
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in table.columns)
    rows = "".join(_row_html(row.cells, row.evidence, turn) for row in table.rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(table.title)}">'
        f'<table class="data"><caption>{text(table.title)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row_html(cells: Sequence[str], evidence: Sequence[int], turn: Turn) -> str:
    found = [turn.evidence[place].id for place in evidence if 0 <= place < len(turn.evidence)]
    body = "".join(f"<td{' class=long' if len(cell) > _LONG_CELL else ''}>{text(cell)}</td>" for cell in cells)
    if not found:
        return f"<tr>{body}</tr>"
    target = f"{text(turn.id)}:{text(found[0])}"
    return f'<tr class="link" tabindex="0" data-evidence="{target}" title="Show the evidence">{body}</tr>'


def step_html(step: Step, turn: str = "") -> str:
    """One line for a tool call: running with percent and time left, or ended with its seconds and, in a turn, a link."""
    name = text(tool_words(step.tool))
    if step.call is not None:
        status = step.call.status
        words = f"{_STATUS[status]}, {step.call.seconds:.1f} s"
        detail = f'<span class="detail">{text(step.call.summary)}</span>' if status != "done" else ""
        mark = "✓" if status == "done" else "!"
        if turn:
            target = f"{text(turn)}:{text(step.call.id)}"
            name = f'<button type="button" class="plainlink" data-step="{target}">{name}</button>'
        return (
            f'<li class="step {status}"><span class="mark" aria-hidden="true">{mark}</span>{name}'
            f' <span class="words">{words}</span>{detail}</li>'
        )
    percent = "" if step.fraction is None else f" {round(100 * min(max(step.fraction, 0.0), 1.0))} %"
    bar = "" if step.fraction is None else _bar(step.fraction, name)
    left = step.left_s()
    time_left = "" if left is None else f", {_about(left)} left"
    return (
        f'<li class="step running"><span class="mark spin" aria-hidden="true"></span>{name}'
        f' <span class="words">{text(step.message)}{"…" if step.message else ""}{percent}{time_left}</span>{bar}</li>'
    )


def _bar(fraction: float, name: str) -> str:
    value = round(100 * min(max(fraction, 0.0), 1.0))
    return f'<progress max="100" value="{value}" aria-label="{name}"></progress>'


def _about(seconds: float) -> str:
    """A guess in round words: nobody should count on its seconds."""
    if seconds < 5:
        return "a few seconds"
    return f"about {5 * round(seconds / 5)} s" if seconds < 90 else f"about {round(seconds / 60)} min"


def shown_html(conversation: str, key: str, turns: Sequence[Turn], files: int) -> str:
    """What the page's script reads: the conversation shown, the key to fetch its evidence with, and how far it has come."""
    ended = sum(1 for turn in turns if turn.answer is not None or turn.error)
    state = f"{len(turns)}.{files}.{ended}"
    return (
        f'<div data-shown="{text(conversation)}" data-key="{text(key)}" data-state="{state}" '
        f'data-turn="{text(turns[-1].id if turns else "")}"></div>'
    )


def _question_html(question: str) -> str:
    return f'<div class="question"><span class="sr">You asked: </span><span class="asked">{text(question)}</span></div>'


def live_html(live: Live | None) -> str:
    """The running turn, or nothing."""
    if live is None:
        return ""
    steps = "".join(step_html(step) for step in live.steps.values())
    notices = "".join(notice_html(notice.text, notice.level) for notice in live.notices)
    draft = f'<p class="draft">{text(live.text)}</p>' if live.text else ""
    if live.stopping:
        words = "Stopping…"
    elif live.position:
        words = f"All places are taken; this question is number {live.position} in the queue."
    elif live.text:
        words = "Draft; sentences are checked against their evidence when it is complete."
    else:
        words = "Working…"
    return (
        f'<article class="turn running" aria-busy="true">{_question_html(live.question)}<div class="reply">'
        f'<ul class="steps">{steps}</ul>{notices}{draft}<p class="quiet">{words}</p></div></article>'
    )


def notice_html(words: str, level: str = "info") -> str:
    """Something the person should know; nothing for no words."""
    return f'<p class="notice {text(level)}">{text(words)}</p>' if words else ""


def problems_html(words: Sequence[str]) -> str:
    """A list of things that went wrong, one per file; nothing for none."""
    if not words:
        return ""
    return '<ul class="problems">' + "".join(f"<li>{text(line)}</li>" for line in words) + "</ul>"


def turn_html(turn: Turn, pictures: Mapping[str, str], opinion: str = "") -> str:
    """A finished turn. `pictures` maps handles of figures to addresses; `opinion` is what was said of the answer."""
    steps = "".join(step_html(Step(call.name, call=call), turn.id) for call in turn.calls)
    shown = f'<ul class="steps">{steps}</ul>' if steps else ""
    parts = [shown]
    if turn.error:
        parts.append(notice_html(turn.error, "error"))
    if turn.answer is not None:
        parts.append(_answer_html(turn.answer, turn, pictures))
    elif not turn.error:
        parts.append(notice_html(NO_ANSWER, "warning"))
    parts.append(turn_tools_html(turn, opinion))
    return f'<article class="turn">{_question_html(turn.question)}<div class="reply">{"".join(parts)}</div></article>'


def _answer_html(answer: Answer, turn: Turn, pictures: Mapping[str, str]) -> str:
    known = frozenset(evidence.id for evidence in turn.evidence)
    sentences = " ".join(sentence_html(item, turn.id, known, n) for n, item in enumerate(answer.sentences))
    parts = [f'<p class="answer">{sentences}</p>'] if sentences else []
    if answer.abstained:
        parts.append(notice_html("" if answer.text else f"Not answered. {answer.why}", "warning"))
        parts.append('<p class="quiet">Not answered: nothing here would support a sentence.</p>')
    parts += [table_html(table, turn) for table in answer.tables]
    parts += [figure_html(turn, handle, pictures[handle]) for handle in answer.figures if handle in pictures]
    parts.append(_limits_html(answer.limits))
    return "".join(parts)


def _limits_html(limits: Sequence[str]) -> str:
    """A few limits stand open; many are folded under the first ones, so that they do not push the answer away."""
    items = [f"<li>{text(line)}</li>" for line in limits]
    shown, folded = (items, []) if len(items) <= _OPEN_LIMITS + 1 else (items[:_OPEN_LIMITS], items[_OPEN_LIMITS:])
    more = f'<details><summary>{len(folded)} more limits</summary><ul class="limits">{"".join(folded)}</ul></details>'
    return (f'<ul class="limits">{"".join(shown)}</ul>' if shown else "") + (more if folded else "")


def figure_html(turn: Turn, handle: str, uri: str) -> str:
    """A picture made in this turn, with its title; it opens in the viewer."""
    titles = {artifact.handle: artifact.title for artifact in turn.artifacts}
    title = text(titles.get(handle, handle))
    return (
        f'<figure><button type="button" class="picture" data-image="{text(handle)}" aria-label="Look at {title}">'
        f'<img src="{text(uri)}" alt="{title}" loading="lazy" decoding="async"></button>'
        f"<figcaption>{title}</figcaption></figure>"
    )


def history_html(turns: Sequence[Turn], pictures: Mapping[str, str], opinions: Mapping[str, str] | None = None) -> str:
    """All finished turns of a conversation, oldest first. `opinions` are by turn."""
    return "".join(turn_html(turn, pictures, (opinions or {}).get(turn.id, "")) for turn in turns)


def attachments_html(artifacts: Sequence[Artifact]) -> str:
    """What is attached: handle, kind, title and warnings."""
    if not artifacts:
        return '<p class="quiet">Nothing is attached yet.</p>'
    return '<ul class="attached">' + "".join(_attachment_html(artifact) for artifact in artifacts) + "</ul>"


def _attachment_html(artifact: Artifact) -> str:
    kind = " ".join(filter(None, (artifact.modality, _KIND_WORDS.get(artifact.kind, artifact.kind))))
    marks = [word for word, is_so in (("synthetic", artifact.synthetic), ("simulated", artifact.simulated)) if is_so]
    flags = "".join(f' <span class="flag">{mark}</span>' for mark in marks)
    warnings = "".join(f'<div class="warn">{text(line)}</div>' for line in artifact.warnings)
    return (
        f"<li><code>{text(artifact.handle)}</code> <span>{text(artifact.title)}</span>"
        f'<div class="quiet">{text(kind)}{flags}</div>{warnings}</li>'
    )


def suggestions_html(questions: Sequence[str]) -> str:
    """Questions to start from, each a button that puts it into the question box and asks it."""
    buttons = "".join(
        f'<button type="button" class="suggestion" data-ask="{text(line)}">{text(line)}</button>' for line in questions
    )
    return f'<div class="suggestions" role="group" aria-label="Suggested questions">{buttons}</div>' if buttons else ""


def conversations_html(rows: Sequence[tuple[str, str, str]], current: str) -> str:
    """The list of conversations: (id, title, when). The open one is marked."""
    if not rows:
        return '<p class="quiet">No conversations yet.</p>'
    return '<ul class="conversations">' + "".join(_conversation_html(*row, current) for row in rows) + "</ul>"


def _conversation_html(name: str, title: str, when: str, current: str) -> str:
    here = ' aria-current="true"' if name == current else ""
    return (
        f'<li><button type="button" data-open="{text(name)}"{here}><span>{text(title or "New conversation")}</span>'
        f'<span class="quiet">{text(when)}</span></button></li>'
    )


def model_html(model: str, reachable: bool, detail: str, endpoint: str, table: Sequence[Ability] = ()) -> str:
    """Which model answers, whether it can, and what the preflight saw of it, folded."""
    state = "ready" if reachable else "not reachable"
    lines = "".join(f'<div class="quiet">{text(line)}</div>' for line in (endpoint, detail) if line)
    return (
        f'<div class="model {"up" if reachable else "down"}"><span class="dot" aria-hidden="true"></span>'
        f"<strong>{text(model)}</strong> {state}{lines}{_abilities_html(table)}</div>"
    )


def _abilities_html(table: Sequence[Ability]) -> str:
    if not table:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{text(item.name)}</th><td>{"yes" if item.works else "no"}</td><td>{text(item.seen)}</td></tr>'
        for item in table
    )
    return f'<details class="quiet"><summary>What it can do</summary><table>{rows}</table></details>'
