"""Sentences of an answer and the evidence numbers they cite."""

from __future__ import annotations

import re
from dataclasses import dataclass

MARKER = re.compile(r"\[(\d+(?:\s*[,;]\s*\d+)*)\]")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|vs|al|cf|approx|ca|Dr|Fig|no|St|resp|incl|etc)\.|\b[A-Z]\.)$")
# A sentence ends at . ! ? (with closing quotes and the markers that follow), before white space and a new start.
_END = re.compile(r"[.!?…][\"'”’)\]]*(?:\s*\([^()]{0,160}\)[.]?)?(?:\s*\[\d+(?:\s*[,;]\s*\d+)*\])*[.]?(?=\s|$)")
_NEW_START = re.compile(r"\s+[\"'“‘(*\-•]*[A-Z0-9“\"]")


@dataclass(frozen=True)
class Claim:
    """A sentence as written, its words without markers, and the ids it cites."""

    text: str
    bare: str
    cited: tuple[str, ...]


def claims(text: str) -> list[Claim]:
    """Split an answer into sentences; lines and list items end a sentence too."""
    found = []
    for line in text.splitlines():
        line = re.sub(r"^\s*(?:[-*•]|\d+[.)])\s+", "", line).strip()
        if line:
            found += [_claim(part) for part in _split(line)]
    return [claim for claim in found if claim.bare]


def _split(line: str) -> list[str]:
    parts, start = [], 0
    for match in _END.finditer(line):
        before = line[start : match.start() + 1]
        rest = line[match.end() :]
        if _ABBREVIATION.search(before) and not MARKER.search(match.group()):
            continue
        if rest and not _NEW_START.match(rest):
            continue
        if _open_quote(line[start : match.end()]):
            continue
        parts.append(line[start : match.end()].strip())
        start = match.end()
    tail = line[start:].strip()
    return [*parts, tail] if tail else parts


def _open_quote(text: str) -> bool:
    return text.count("“") > text.count("”")


def _claim(text: str) -> Claim:
    cited = [number for group in MARKER.findall(text) for number in re.findall(r"\d+", group)]
    bare = re.sub(r"\s+([.,;!?])", r"\1", MARKER.sub("", text)).strip()
    return Claim(text, bare, tuple(dict.fromkeys(cited)))
