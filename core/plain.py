"""Text from outside, made harmless for a model's context: it cannot close what delimits it, nor hide what it says."""

from __future__ import annotations

import re
import unicodedata

_TAGS = re.compile(
    r"<(?=\s*[/!]?\s*(?:evidence|system|assistant|user|tool|instructions?|untrusted|document|function|im_start|im_end|\|))|<\|",
    re.IGNORECASE,
)
_ROLES = re.compile(r"\[(?=/?(?:INST|SYS|SYSTEM)\])", re.IGNORECASE)


def as_data(text: str) -> str:
    """The same words, unable to close our delimiters or a chat template's, and nothing in them invisible.

    Tag characters, bidirectional marks and zero-width ones go; `<` before such a name becomes a look-alike.
    """
    seen = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cn"))
    return _ROLES.sub("⟦", _TAGS.sub("‹", seen))


def as_label(text: str | None, most: int = 24) -> str | None:
    """A word of a file's header that may be shown: capitals, digits, at most three short words; else None."""
    plain = re.sub(r"[^A-Z0-9 _/-]", "", (text or "").strip().upper())
    return plain if plain and len(plain) <= most and len(plain.split()) <= 3 else None
