"""Passages of whole sentences, with exact character offsets into the document's text."""

from __future__ import annotations

from dataclasses import dataclass

import syntok.segmenter as segmenter

_TARGET = 900
"""Characters of a passage: with titles in front it stays within the 256 tokens that the encoder reads."""
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
    """Group sentences into passages of about `target` characters; a longer sentence is a passage of its own."""
    bare = text.strip()
    if len(bare) <= _WHOLE * target:
        # One passage whatever its sentences are, and finding those is most of the work.
        start = text.find(bare)
        return [Span(start, start + len(bare))] if bare else []
    passages: list[Span] = []
    for sentence in sentence_spans(text):
        if passages and sentence.end - passages[-1].start <= target:
            passages[-1] = Span(passages[-1].start, sentence.end)
        else:
            passages.append(sentence)
    return passages
