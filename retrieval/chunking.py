"""Passages of whole sentences, with exact character offsets into the document's text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import syntok.segmenter as segmenter

_TARGET = 900
"""Characters of a passage: with titles in front it stays within the 256 tokens that the encoder reads."""
_LONGEST = 2
"""Targets of a sentence from which on it is cut: a table or list without full stops would be one passage of any length."""
_WHOLE = 1.2
"""A text of up to this many targets stays whole: a short tail would be a passage about nothing."""


@dataclass(frozen=True)
class Span:
    """[start, end) in the document's text."""

    start: int
    end: int


def sentence_spans(text: str) -> list[Span]:
    """Spans of the sentences, in order, without surrounding white space."""
    spans = []
    for paragraph in segmenter.analyze(text):
        for sentence in paragraph:
            tokens = list(sentence)
            if tokens:
                spans.append(Span(tokens[0].offset, tokens[-1].offset + len(tokens[-1].value)))
    return spans or ([Span(0, len(text))] if text.strip() else [])


def passage_spans(text: str, target: int = _TARGET) -> list[Span]:
    """Group sentences into passages of about `target` characters; a longer sentence is a passage of its own.

    One that is much longer is cut between words.
    """
    bare = text.strip()
    if len(bare) <= _WHOLE * target:
        # One passage whatever its sentences are, and finding those is most of the work.
        start = text.find(bare)
        return [Span(start, start + len(bare))] if bare else []
    passages: list[Span] = []
    for sentence in (part for whole in sentence_spans(text) for part in _cut(text, whole, target)):
        if passages and sentence.end - passages[-1].start <= target:
            passages[-1] = Span(passages[-1].start, sentence.end)
        else:
            passages.append(sentence)
    return passages


def _cut(text: str, sentence: Span, target: int) -> Iterator[Span]:
    """The sentence, or pieces of about `target` characters that end between words where there are any."""
    start = sentence.start
    while sentence.end - start > _LONGEST * target:
        space = text.rfind(" ", start + target // 2, start + target)
        end = space if space > 0 else start + target
        yield Span(start, end)
        start = end + 1 if space > 0 else end
    yield Span(start, sentence.end)
