"""Whether words stand in a source exactly, and where.

Only what typesetting changes is forgiven: white space and line breaks, hyphens that break a line, soft hyphens,
ligatures, full-width forms, composed or decomposed accents, typographic quotes and dashes. Letters, case, digits,
superscripts and signs must be the same, and a match may not begin or end inside a word or number, nor leave out the
negation right in front of it.
"""

from __future__ import annotations

import re
import unicodedata

_BREAK = "\x01"
"""Stands for a hyphen at the end of a line, which may belong to the word or not."""
_HYPHEN_BREAK = re.compile(r"(?<=\w)[-\u2010\u2011\u00ad][ \t]*\r?\n\s*(?=\w)")
_INVISIBLE = frozenset("\u00ad\u200b\u200c\u200d\u2060\ufeff")
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("“”„‟«»″", '"'),
        **dict.fromkeys("‘’‚‛′", "'"),
        **dict.fromkeys("‐‑‒–—−", "-"),
        "…": "...",
        "µ": "μ",
    }
)
_NEGATION_BEFORE = re.compile(r"(?:\b(?:not|no|never|without|neither|nor|cannot)|n't) $", re.IGNORECASE)


def find_quote(quote: str, text: str) -> tuple[int, int] | None:
    """[start, end) of the first place in `text` where `quote` stands verbatim; None when it does not."""
    wanted, _ = _normalised(quote)
    wanted = wanted.strip()
    if not any(character.isalnum() for character in wanted):
        return None
    plain, offsets = _normalised(text)
    for found in re.compile(_pattern(wanted)).finditer(plain):
        if _whole(plain, found.start(), found.end()):
            return offsets[found.start()], offsets[found.end() - 1 + 1]
    return None


def in_one_line(text: str) -> str:
    """The text as it is read: lines and blanks run on, and hyphens that a program marked as breaking a line alone are gone.

    `find_quote` finds it again in its source. A sentence that keeps the line breaks of a page would be cut at them.
    """
    return " ".join(re.sub(r"\u00ad\s*", "", text).split())


def _pattern(wanted: str) -> str:
    """The quote's characters; where the source breaks a line by a hyphen, the quote may have one or not."""
    parts = []
    for before, character in zip(" " + wanted, wanted, strict=False):
        if before.isalpha() and character.isalpha():
            parts.append(f"{_BREAK}?")
        if character == "-":
            parts.append(f"[-{_BREAK}]")
        elif character == _BREAK:
            parts.append(f"[-{_BREAK}]?")
        else:
            parts.append(re.escape(character))
    return "".join(parts)


def _whole(text: str, start: int, end: int) -> bool:
    """Whether [start, end) cuts no word, number or sign, and no negation off its front."""
    first, last, before, after = text[start], text[end - 1], text[:start], text[end:]
    if first.isalnum() and re.search(rf"[^\W_]$|{_BREAK}$", before):
        return False
    if first.isdigit() and re.search(r"\d[.,]$|[-+<>≤≥±~.]\s?$", before):
        return False
    if last.isalnum() and re.match(rf"[^\W_]|{_BREAK}", after):
        return False
    if last.isdigit() and re.match(r"[.,]\d|\s?[%‰]", after):
        return False
    return not _NEGATION_BEFORE.search(before)


def _normalised(text: str) -> tuple[str, list[int]]:
    """The text with typesetting taken out, and for each of its characters (and the end) the offset in `text`."""
    breaks = {match.start(): match.end() for match in _HYPHEN_BREAK.finditer(text)}
    out: list[str] = []
    offsets: list[int] = []
    place = 0
    while place < len(text):
        end = breaks.get(place) or place + 1
        if place in breaks:
            piece = _BREAK
        else:
            while end < len(text) and unicodedata.combining(text[end]):
                end += 1
            piece = _plain(text[place:end])
        if piece == " " and out and out[-1] == " ":
            piece = ""
        out += piece
        offsets += [place] * len(piece)
        place = end
    return "".join(out), _with_end(offsets, text)


def _with_end(offsets: list[int], text: str) -> list[int]:
    return [*offsets, len(text.rstrip()) if text.strip() else len(text)]


def _plain(cluster: str) -> str:
    if cluster in _INVISIBLE:
        return ""
    if cluster.isspace():
        return " "
    if len(cluster) > 1:
        return unicodedata.normalize("NFC", cluster)
    if "\ufb00" <= cluster <= "\ufb06" or "\uff01" <= cluster <= "\uff5e":
        return unicodedata.normalize("NFKC", cluster)
    return cluster.translate(_PLAIN)
