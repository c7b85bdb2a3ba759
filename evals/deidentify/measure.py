"""Recall of every category, precision, and what is blanked of text that names nobody."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from core.types import Frozen
from evals.deidentify.family import Marked
from tools.text.deidentify.find import find_identifiers
from tools.text.deidentify.spans import Span

_GROUPED = {"FAX": "PHONE"}


class Score(Frozen):
    """Of one category: how many there were, in how many no letter or digit was left standing, how many had the right name."""

    category: str
    count: int
    found: int
    named: int
    low: float
    high: float

    @property
    def recall(self) -> float:
        """Share that was blanked whole."""
        return self.found / self.count


class Outcome(Frozen):
    """Scores by category; precision is the share of blanked letters that were part of an identifier."""

    notes: int
    scores: tuple[Score, ...]
    precision: float
    missed: tuple[str, ...]
    wrong: tuple[str, ...]


def measure(notes: Sequence[Marked]) -> Outcome:
    """Find identifiers in marked notes and compare."""
    counts: Counter[str] = Counter()
    found: Counter[str] = Counter()
    named: Counter[str] = Counter()
    missed, wrong = [], []
    right = blanked = 0
    for note in notes:
        spans = find_identifiers(note.text)
        covered = _covered(note.text, spans)
        truth = _truth(note)
        letters = {i for i in covered if note.text[i].isalnum()}
        blanked += len(letters)
        right += len(letters & truth)
        wrong += [f"{note.kind}: {s.category} {s.text!r}" for s in spans if not truth & set(range(s.start, s.end))]
        for start, end, category in note.spans:
            counts[category] += 1
            whole = all(i in covered for i in range(start, end) if note.text[i].isalnum())
            found[category] += whole
            kinds = {_GROUPED.get(s.category, s.category) for s in spans if s.start < end and start < s.end}
            named[category] += whole and _GROUPED.get(category, category) in kinds
            if not whole:
                missed.append(
                    f"{note.kind}: {category} {note.text[start:end]!r} in {note.text[max(0, start - 40) : end + 20]!r}"
                )
    scores = tuple(
        Score(category=c, count=n, found=found[c], named=named[c], low=_wilson(found[c], n)[0], high=_wilson(found[c], n)[1])
        for c, n in sorted(counts.items())
    )
    return Outcome(
        notes=len(notes), scores=scores, precision=right / max(blanked, 1), missed=tuple(missed), wrong=tuple(wrong)
    )


def blanked_words(lines: Sequence[str]) -> tuple[int, int, list[str]]:
    """Of lines that name nobody: words blanked, words, and what was blanked."""
    lost = total = 0
    told = []
    for line in lines:
        spans = find_identifiers(line)
        total += len(re.findall(r"\w+", line))
        lost += sum(len(re.findall(r"\w+", span.text)) for span in spans)
        told += [f"{span.category} {span.text!r} in {line[:70]!r}" for span in spans]
    return lost, total, told


def _truth(note: Marked) -> set[int]:
    return {i for start, end, _ in note.spans for i in range(start, end)}


def _covered(text: str, spans: Sequence[Span]) -> set[int]:
    return {i for span in spans for i in range(span.start, span.end)}


def _wilson(k: int, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    z = 1.96
    middle = (k / n + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * ((k / n) * (1 - k / n) / n + z * z / (4 * n * n)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)
