"""Which option a reply names, or none: an unclear reply must not become a vote."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.strategies.contract import Option

_THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|$)", re.DOTALL | re.IGNORECASE)
_WRAPPED = r"(?:[\s*_`\"'({\[\\$]|boxed\{|text\{|option\s+|choice\s+)*"


def without_thoughts(text: str) -> str:
    """The reply without what a reasoning model thought aloud."""
    return _THOUGHT.sub("", text).strip()


def parse_choice(reply: str, options: Sequence[Option]) -> str | None:
    """The letter of the option that a reply names.

    Looked for in this order: a reply that is a letter or begins with one ("B", "(B) because", "B biconcave"), the last
    "answer is B", a last line that is a letter, the words of exactly one option. Two different answers are none.
    """
    text = without_thoughts(reply)
    letters = "".join(option.letter for option in options)
    if not text or not letters:
        return None
    return (
        _leading(text, letters)
        or _with_words(text, options)
        or _stated(text, letters)
        or _closing(text, letters)
        or _by_words(text, options)
    )


def _leading(text: str, letters: str) -> str | None:
    found = re.match(rf"{_WRAPPED}([{letters}])(?![\w'’-])[\s*_`\"')}}\]$]*(.*)", text, re.DOTALL)
    if found is None:
        return None
    letter, rest = found.group(1), found.group(2)
    # "A patient with ..." begins with an article; "A or B", "A and C" name two.
    if re.match(rf"(?:or|and|/|,|&)\s*{_WRAPPED}[{letters}](?!\w)", rest, re.IGNORECASE):
        return None
    bare = not rest or rest[0] in ".:,;-–—" or "\n" in text[: found.end(1) + 3]
    marked = found.end(1) - found.start(1) != len(text[: found.end(1)].strip()) or text[found.end(1) :][:1] in ")]}*`"
    reasoned = re.match(r"(?:because|since|is correct|is the|as )", rest) is not None and letter != "A"
    return letter if bare or marked or reasoned else None


def _with_words(text: str, options: Sequence[Option]) -> str | None:
    """A letter in front of its own option's words: "B biconcave"."""
    said = _plain(text)
    named = [option.letter for option in options if said.startswith(_plain(f"{option.letter} {option.text}"))]
    return named[0] if len(named) == 1 else None


def _stated(text: str, letters: str) -> str | None:
    joint = r"(?i:is|would be|should be|must be|of|to the question|:|=|->|\*)"
    pattern = rf"(?i:answer|choice|option|letter)\b[\"'*_\s]*(?:{joint}[\s:*\"']*)*{_WRAPPED}([{letters}])(?![\w'’-])"
    found = list(re.finditer(pattern, text))
    if not found:
        return None
    rest = text[found[-1].end() :]
    if re.match(rf"[\s)*]*(?:or|and|/|&)\s*{_WRAPPED}[{letters}](?!\w)", rest, re.IGNORECASE):
        return None
    return found[-1].group(1)


def _closing(text: str, letters: str) -> str | None:
    last = text.splitlines()[-1]
    found = re.fullmatch(rf"{_WRAPPED}([{letters}])[\s.*_`\"')}}\]$]*", last)
    return found.group(1) if found else None


def _by_words(text: str, options: Sequence[Option]) -> str | None:
    said = _plain(text)
    whole = [option.letter for option in options if said == _plain(option.text)]
    if len(whole) == 1:
        return whole[0]
    first = _plain(re.split(r"[.\n,;:]", text, maxsplit=1)[0])
    begun = [option.letter for option in options if first == _plain(option.text)]
    return begun[0] if len(begun) == 1 else None


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))
