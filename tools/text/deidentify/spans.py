"""What is found in a text, and how findings that overlap become one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from core.types import Frozen

Category = Literal[
    "NAME", "LOCATION", "DATE", "AGE", "PHONE", "FAX", "EMAIL", "SSN", "MRN", "HEALTH_PLAN", "ACCOUNT", "LICENSE", "VEHICLE",
    "DEVICE", "URL", "IP", "BIOMETRIC", "PHOTO", "ID",
]  # fmt: skip
CATEGORIES: tuple[Category, ...] = get_args(Category)
"""The eighteen kinds of 45 CFR 164.514(b)(2)(i); ages over 89 are apart from dates."""

_VAGUE: dict[str, int] = {"NAME": 0, "LOCATION": 1, "ID": 2, "PHONE": 3, "DATE": 3, "AGE": 3}
_SPECIFIC = 4


class Span(Frozen):
    """An identifier: [start, end) in the text that was given."""

    start: int
    end: int
    category: Category
    text: str
    sure: float = 1.0


def merged(text: str, spans: Iterable[Span]) -> list[Span]:
    """Disjoint spans in order. Of two that overlap the more certain kind names the union; nothing that was found is lost."""
    out: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start, -s.end)):
        last = out[-1] if out else None
        if last is None or span.start >= last.end:
            out.append(span)
            continue
        kind = max((last, span), key=lambda s: (s.sure, _VAGUE.get(s.category, _SPECIFIC), s.end - s.start)).category
        out[-1] = made(text, last.start, max(last.end, span.end), kind, max(last.sure, span.sure))
    return out


def made(text: str, start: int, end: int, category: Category, sure: float = 1.0) -> Span:
    """A span with its words, without blanks at its ends."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Span(start=start, end=end, category=category, text=text[start:end], sure=sure)
