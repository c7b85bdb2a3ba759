"""Tokens of a note and what the tagger knows of each: the word, its shape, its lists, its neighbours and its line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tools.text.deidentify.lexicon import Lexicon

_TOKEN = re.compile(r"[^\W\d_]+(?:['’](?!s\b)[^\W\d_]+)*|\d+|\n|[^\w\s]|_")
_HEAD = re.compile(r"^[ \t]*([A-Za-z][A-Za-z#/.'() -]{0,38}?)[ \t]*[:|#]")
_RUN = re.compile(r"(.)\1{2,}")


@dataclass(frozen=True)
class Token:
    """A word, a run of digits, a sign or a line break, with its place in the text."""

    text: str
    start: int
    end: int


def tokens_of(text: str) -> list[Token]:
    """All tokens in order."""
    return [Token(match.group(), match.start(), match.end()) for match in _TOKEN.finditer(text)]


def shape(word: str) -> str:
    """Capital X, small x, digit 9; runs of more than two letters are cut, so that length does not matter."""
    if word.isdigit():
        return f"9*{min(len(word), 11)}"
    if word == "\n":
        return "¶"
    kinds = "".join("X" if c.isupper() else "x" if c.isalpha() else c for c in word)
    return _RUN.sub(r"\1\1", kinds)


def features_of(text: str, tokens: Sequence[Token], lexicon: Lexicon) -> list[list[str]]:
    """Features of every token."""
    words = ["¶" if token.text == "\n" else token.text.lower() for token in tokens]
    shapes = [shape(token.text) for token in tokens]
    flags = [lexicon.flags(token.text) if token.text[0].isalpha() else "." for token in tokens]
    lines = _lines(text, tokens)
    joined = [i > 0 and tokens[i - 1].end == token.start for i, token in enumerate(tokens)]
    return [_of_one(i, words, shapes, flags, lines, joined) for i in range(len(tokens))]


def _lines(text: str, tokens: Sequence[Token]) -> list[tuple[str, str]]:
    """For every token, the header of its line ("dob") and how the line is cased."""
    told: list[tuple[str, str]] = []
    end = -1
    now = ("", "")
    for token in tokens:
        if token.start > end:
            start = text.rfind("\n", 0, token.start) + 1
            stop = text.find("\n", token.start)
            end = len(text) if stop < 0 else stop
            line = text[start:end]
            head = _HEAD.match(line)
            case = "U" if line.isupper() else "L" if line.islower() else "M"
            now = (head.group(1).lower().strip() if head else "", case)
        told.append(now)
    return told


def _of_one(
    i: int,
    words: Sequence[str],
    shapes: Sequence[str],
    flags: Sequence[str],
    lines: Sequence[tuple[str, str]],
    joined: Sequence[bool],
) -> list[str]:
    word, form, flag = words[i], shapes[i], flags[i]
    head, case = lines[i]
    found = [
        f"w={word}", f"s={form}", f"f={flag}", f"sf={form}{flag}", f"cf={case}{flag}", f"j={joined[i]}", f"p2={word[:2]}",
        f"p3={word[:3]}", f"e2={word[-2:]}", f"e3={word[-3:]}", f"e4={word[-4:]}", f"h={head}", f"hs={head}|{form}",
        f"hl={head.rsplit(' ', 1)[-1]}|{form}",
    ]  # fmt: skip
    for step in (-3, -2, -1, 1, 2, 3):
        j = i + step
        if not 0 <= j < len(words):
            found.append(f"{step}=END")
            continue
        found.append(f"{step}w={words[j]}")
        if abs(step) < 3:
            found += [f"{step}s={shapes[j]}", f"{step}f={flags[j]}", f"{step}sf={shapes[j]}{flags[j]}|{form}{flag}"]
    before = words[i - 1] if i else ""
    after = words[i + 1] if i + 1 < len(words) else ""
    two_before = f"{words[i - 2]} {before}" if i > 1 else ""
    found += [
        f"b={before}|{word}", f"a={word}|{after}", f"bs={before}|{form}", f"as={after}|{form}", f"ba={before}|{after}", f"bb={two_before}",
        f"bbs={two_before}|{form}", f"bf={before}|{flag}", f"af={after}|{flag}",
    ]  # fmt: skip
    if word.isdecimal():
        found.append(f"d={min(int(word), 2100) // 10 if len(word) <= 4 else len(word)}")
    return found
