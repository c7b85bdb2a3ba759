"""Tells a closed question from an open one: options written with letters, or "yes, no or maybe"."""

from __future__ import annotations

import re

from agent.strategies.contract import LETTERS, Option, Question, options_of

_MOST = 10
_ON_LINES = re.compile(r"^[ \t]*[(\[]?([A-J])[)\].:][ \t]+(\S.*?)[ \t]*$", re.MULTILINE)
_INLINE = re.compile(r"(?:(?<=\s)|(?<=^))[(\[]?([A-J])[)\]][ \t]+")
_PATIENT = re.compile(r"\s*\(patient [^\s()]+\)\s*\Z")
"""Which patient is asked about, as `ask --patient` writes it behind the question: not a part of the last option."""
_HEADING = re.compile(r"\s*(?:options|choices|answers?|answer choices|possible answers)\s*:?\s*$", re.IGNORECASE)
_WORDS = re.compile(
    r"[(\[.?:;,]?\s*(?:please\s+)?(?:answer|reply|respond|say|choose)?\s*(?:with|from|only)?\s*:?\s*[(\[]?\s*"
    r"[\"']?\byes\b[\"']?\s*(?:,|/|\||or)\s*[\"']?no\b[\"']?(?P<maybe>(?:\s*,)?\s*(?:/|\||or|,)\s*[\"']?maybe\b[\"']?)?\s*[)\]]?\s*[.?!]?\s*$",
    re.IGNORECASE,
)


def as_question(text: str) -> Question:
    """The question with its options, when it offers any; else the whole text as an open question.

    Options count only when they are lettered A, B, C, ... in order without a gap, at least two of them.
    """
    whose = _PATIENT.search(text)
    bare = text[: whose.start()] if whose else text
    for found in (_lines(bare), _in_line(bare), _yes_no(bare)):
        if found is not None:
            return found.model_copy(update={"text": f"{found.text} {whose.group().strip()}"}) if whose else found
    return Question(text=text.strip())


def _lines(text: str) -> Question | None:
    found = list(_ON_LINES.finditer(text))
    return _made(text[: found[0].start()], [(m.group(1), m.group(2)) for m in found]) if found else None


def _in_line(text: str) -> Question | None:
    found = list(_INLINE.finditer(text))
    if not found:
        return None
    ends = [*(match.start() for match in found[1:]), len(text)]
    texts = [text[match.end() : end].strip(" \t\n,;") for match, end in zip(found, ends, strict=True)]
    return _made(text[: found[0].start()], list(zip([m.group(1) for m in found], texts, strict=True)))


def _made(stem: str, lettered: list[tuple[str, str]]) -> Question | None:
    letters = "".join(letter for letter, _ in lettered)
    texts = tuple(text.strip() for _, text in lettered)
    if not 2 <= len(letters) <= _MOST or letters != LETTERS[: len(letters)] or not all(texts) or not stem.strip():
        return None
    return Question(text=_HEADING.sub("", stem).strip() or stem.strip(), options=options_of(texts))


def _yes_no(text: str) -> Question | None:
    found = _WORDS.search(text)
    if found is None or not text[: found.start()].strip():
        return None
    options: tuple[Option, ...] = options_of(("yes", "no", "maybe") if found.group("maybe") else ("yes", "no"))
    stem = text[: found.start()].strip()
    if "?" not in stem:
        stem += "?"
    return Question(text=stem, options=options)
