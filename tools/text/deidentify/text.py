"""De-identification of text: what was found, and the text without it."""

from __future__ import annotations

from collections.abc import Mapping as Known

from core.types import Frozen
from tools.text.deidentify.find import find_identifiers
from tools.text.deidentify.mapping import Mapping
from tools.text.deidentify.spans import Category, Span


class Deidentified(Frozen):
    """The text without identifiers, and the spans of the text that was given."""

    text: str
    spans: tuple[Span, ...]


def deidentify_text(text: str, mapping: Mapping, known: Known[str, Category] | None = None) -> Deidentified:
    """Find and replace. The mapping learns what stands for what."""
    spans = find_identifiers(text, known)
    return Deidentified(text=mapping.replace(text, spans), spans=tuple(spans))
