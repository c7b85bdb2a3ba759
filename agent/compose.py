"""The embedded model's answer: statements and quotes of this turn's evidence, each with its number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.quotes import in_one_line
from core.types import Evidence, Finding, Passage, RecordEvent, ToolResult

_QUOTES = 3
_EVENTS = 12


@dataclass(frozen=True)
class Draft:
    """Text with evidence numbers; `why` is set when there is nothing to tie an answer to."""

    text: str
    abstained: bool = False
    why: str = ""


def compose(results: Sequence[ToolResult]) -> Draft:
    """One passage of text over all results of the turn, in the order of the calls."""
    grades = [item for result in results for item in _grades_of(result)]
    lines: list[str] = []
    for result in results:
        if _grades_of(result) and grades:  # all gradings of the turn together, where the first one stands
            lines += _grades(grades)
            grades = []
        lines += _sentences(result, alone=len(results) == 1)
    lines = list(dict.fromkeys(lines))
    silent = [told for result in results if (told := _not_documented(result))]
    bearing = [result for result in results if result.evidence]
    if bearing and len(silent) == len(bearing):  # what is shown lies near the question and does not answer it
        return Draft(" ".join(lines), abstained=True, why=" ".join(silent))
    if bearing:
        return Draft(" ".join(lines))
    searched = "; ".join(dict.fromkeys(result.searched for result in results if result.searched))
    why = f"Nothing was found. Searched: {searched}." if searched else " ".join(lines)
    return Draft(" ".join(lines), abstained=True, why=why)


def _sentences(result: ToolResult, *, alone: bool) -> list[str]:
    if result.status != "done":
        return [_told(result)]
    if not result.evidence:
        nothing = "I found nothing on this"
        where = nothing if alone or not result.searched else f"{nothing} in the literature"
        return [_closed(result.summary).replace(nothing, where, 1)]
    findings = [item for item in result.evidence if isinstance(item, Finding)]
    passages = [item for item in result.evidence if isinstance(item, Passage)]
    events = [item for item in result.evidence if isinstance(item, RecordEvent)]
    others = [item for item in findings if item.name not in (*_BEHIND_THE_GRADE, _GRADE)]
    shown: Sequence[Evidence] = [*others, *events]
    told = _not_documented(result)
    return [
        *([told] if told else []),
        *(_stated(item) for item in shown[:_EVENTS] if not isinstance(item, Passage)),
        *(_quoted(item) for item in passages[:_QUOTES]),
    ]


def _not_documented(result: ToolResult) -> str:
    """The sentence that says that the record is silent on what was asked, where entries near it are shown all the same."""
    first = re.split(r"(?<=[.!?])\s+(?=[A-Z])", result.summary.strip())[0]
    return _closed(first) if result.evidence and first.startswith("The record does not document") else ""


def _grades_of(result: ToolResult) -> list[Finding]:
    return [item for item in result.evidence if isinstance(item, Finding) and item.name == _GRADE]


_GRADE = "genant_grade"
_BEHIND_THE_GRADE = ("height", "rhlv", "expected_height")
"""Measurements that a grade's statement already carries."""


def _grades(grades: list[Finding]) -> list[str]:
    """Deformed levels one by one, worst first; the rest in one sentence per image."""
    deformed = sorted((item for item in grades if _grade(item) >= 1), key=lambda item: -_grade(item))
    lines = [_stated(item) for item in deformed]
    for artifact in dict.fromkeys(item.artifact for item in grades):
        whole = [item for item in grades if item.artifact == artifact and _grade(item) == 0]
        if len(whole) == 1:
            lines.append(_stated(whole[0]))
        elif whole:
            names = [item.where for item in whole]
            others = "the other graded levels " if any(item.artifact == artifact for item in deformed) else ""
            listed = f"{', '.join(names[:-1])} and {names[-1]}"
            marks = "".join(f"[{item.id}]" for item in whole)
            image = whole[0].statement.split(", ", 1)[0].removeprefix("In ")  # with its mark, as "ct2 (simulated)"
            lines.append(f"In {image}, {others}{listed} are Genant grade 0, with a height loss below 20 % {marks}.")
    return lines


def _grade(item: Finding) -> int:
    return int(item.value) if isinstance(item.value, int | float) else 0


def _stated(item: Finding | RecordEvent) -> str:
    """The statement with its number before the full stop; a statement of several sentences has it after each."""
    parts = re.split(r"(?<=[.!?])\s+(?=[A-Z])", item.statement.strip())
    return " ".join(f"{part.rstrip('.')} [{item.id}]." for part in parts)


def _quoted(item: Passage) -> str:
    title = re.sub(r"\s*\([^)]*\)", "", item.title)
    told = (*item.flags, *(("against",) if item.stance == "against" else ()))
    flagged = f", {', '.join(told)}" if told else ""
    return f"“{in_one_line(item.quoted_text)}” ({title}{flagged}) [{item.id}]."


def _told(result: ToolResult) -> str:
    """A call that failed is told in its own words, as something about the program."""
    verb = {"refused": "was refused", "timeout": "was stopped", "cancelled": "was stopped"}.get(result.status, "failed")
    return f"{result.provenance.tool} {verb}: {_closed(result.summary)}"


def _closed(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."
