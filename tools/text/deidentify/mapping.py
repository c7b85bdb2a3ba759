"""What stands for what: placeholders, moved dates, and the way back. Stays on this machine."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from core.errors import FileError
from tools.text.deidentify.dates import COMPLETE, Found, find_dates, moved
from tools.text.deidentify.spans import Category, Span

_PLACEHOLDER = re.compile(r"\[?\b([A-Z]+(?:_[A-Z]+)?)[-_ ](\d{1,5})\b\]?")
_OLD = "90+"


@dataclass
class Mapping:
    """Of one patient or conversation. The same words always become the same placeholder.

    `shift_days` is a whole number of weeks, so that weekdays and intervals stay as they are.
    """

    shift_days: int = field(default_factory=lambda: -7 * (26 + secrets.randbelow(313)))
    _placeholders: dict[str, str] = field(default_factory=dict)
    _originals: dict[str, str] = field(default_factory=dict)
    _dates: dict[str, str] = field(default_factory=dict)
    _ages: set[str] = field(default_factory=set)

    def replace(self, text: str, spans: Sequence[Span]) -> str:
        """The text with every span replaced."""
        days = find_dates(text, _year_of(text))
        pieces, end = [], 0
        for span in spans:
            pieces += [text[end : span.start], self._for(span, text, days)]
            end = span.end
        return "".join(pieces) + text[end:]

    def _for(self, span: Span, text: str, days: Sequence[Found]) -> str:
        if span.category == "AGE":
            self._ages.add(span.text)
            return _OLD
        if span.category == "DATE":
            inside = [found for found in days if span.start <= found.start and found.end <= span.end]
            if inside:
                return self._moved(span, text, inside)
        return self.placeholder(span.category, span.text)

    def _moved(self, span: Span, text: str, inside: Sequence[Found]) -> str:
        pieces, end = [], span.start
        for found in inside:
            new = moved(found, self.shift_days)
            self._dates.setdefault(new, text[found.start : found.end])
            if found.kind in COMPLETE:
                self._dates.setdefault((found.day + timedelta(self.shift_days)).isoformat(), found.day.isoformat())
            pieces += [_blank(text[end : found.start]), new]
            end = found.end
        return "".join(pieces) + _blank(text[end : span.end])

    def shift_date(self, value: str) -> str:
        """An ISO date, date-time or month, moved; the time of day stays."""
        found = find_dates(f"{value}-15" if len(value) == 7 else value)
        if not found:
            return self.placeholder("DATE", value)
        new = moved(found[0], self.shift_days)
        if found[0].kind in COMPLETE:
            self._dates.setdefault((found[0].day + timedelta(self.shift_days)).isoformat(), found[0].day.isoformat())
        return new[:7] if len(value) == 7 else new + value[found[0].end :]

    def placeholder(self, category: Category, words: str) -> str:
        """The placeholder of some words, such as [NAME-1]."""
        key = f"{category}|{' '.join(words.casefold().split())}"
        if key not in self._placeholders:
            number = 1 + sum(1 for known in self._placeholders if known.startswith(f"{category}|"))
            self._placeholders[key] = f"[{category}-{number}]"
            self._originals[self._placeholders[key]] = words
        return self._placeholders[key]

    def restore(self, text: str) -> str:
        """The way back: placeholders, also when a model wrote them a little differently, and moved dates in any form."""

        def back(match: re.Match[str]) -> str:
            return self._originals.get(f"[{match.group(1)}-{match.group(2)}]", match.group())

        return _PLACEHOLDER.sub(back, self._restore_dates(self._restore_age(text)))

    def _restore_age(self, text: str) -> str:
        if len(self._ages) != 1:
            return text
        age = next(iter(self._ages))
        return re.sub(r"(?<![\w.+])90\+", age, text)

    def _restore_dates(self, text: str) -> str:
        pieces, end = [], 0
        for found in find_dates(text):
            words = text[found.start : found.end]
            original = self._dates.get(words)
            if original is None and found.kind in COMPLETE and found.day.isoformat() in self._dates:
                original = moved(found, -self.shift_days)
            if original is not None:
                pieces += [text[end : found.start], original]
                end = found.end
        return "".join(pieces) + text[end:]

    def known_dates(self) -> frozenset[date]:
        """The days that were moved, as moved."""
        return frozenset(date.fromisoformat(key) for key in self._dates if re.fullmatch(r"\d{4}-\d\d-\d\d", key))

    def save(self, path: Path) -> None:
        """Write it, readable by its owner alone."""
        told = {
            "shift_days": self.shift_days, "placeholders": self._placeholders, "originals": self._originals,
            "dates": self._dates, "ages": sorted(self._ages),
        }  # fmt: skip
        temporary = path.with_name(path.name + ".tmp")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(told, file, ensure_ascii=False)
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> Mapping:
        """Read it back.

        Raises:
            FileError: it is not there, or no mapping.
        """
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            return cls(told["shift_days"], told["placeholders"], told["originals"], told["dates"], set(told["ages"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise FileError(f"{path.name!r} is not a mapping that `text deidentify --map` wrote.") from error


def shift_of(key: bytes, patient: str) -> int:
    """Days by which a patient's dates move: always the same for the same key, whole weeks, half a year to 6.5 years back."""
    number = int.from_bytes(hmac.new(key, patient.encode(), hashlib.sha256).digest()[:8], "big")
    return -7 * (26 + number % 313)


def secret_key(home: Path) -> bytes:
    """The key of this installation, made when first asked for; without it moved dates cannot be told back."""
    path = home / "deidentify.key"
    home.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(32))
    except FileExistsError:
        pass
    return path.read_bytes()


def _year_of(text: str) -> int | None:
    return next((found.day.year for found in find_dates(text) if found.kind in COMPLETE), None)


def _blank(text: str) -> str:
    """What stands beside a date in its span: punctuation and times stay, letters of unread words go."""
    return text if not re.search(r"[A-Za-z]{4,}", text) else " "
