"""Documents as an index takes them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from pydantic import ConfigDict, Field, model_validator

from core.types import Frozen

_YEAR = re.compile(r"\b(1[5-9]|20)\d\d\b")


class Section(Frozen):
    """A labelled part of a document: [start, end) in its text."""

    label: str
    start: int
    end: int


class Notice(Frozen):
    """What was published about the document later: a retraction, a correction, an expression of concern."""

    kind: str
    reference: str = ""
    pmid: str | None = None


class Document(Frozen):
    """One source text with what is known of it. `source` is where a card's content comes from, as a title.

    A document without text is its title. Fields of other makers' files that we do not know are left out.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    id: str = Field(min_length=1)
    title: str = ""
    text: str = Field(min_length=1)
    source: str | None = None
    authors: tuple[str, ...] = ()
    year: int | None = None
    venue: str | None = None
    pmid: str | None = None
    doi: str | None = None
    pmcid: str | None = None
    types: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    mesh: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    language: str | None = None
    trials: tuple[str, ...] = Field(default=(), description="Registry numbers, NCT... and others.")
    sections: tuple[Section, ...] = ()
    notices: tuple[Notice, ...] = ()
    original: Path | None = Field(default=None, exclude=True, description="A file to keep beside the index; not stored.")

    @model_validator(mode="before")
    @classmethod
    def _forgive(cls, given: object) -> object:
        """Null means not given; a record that is only a title is read as that, a date as its year."""
        if not isinstance(given, dict):
            return given
        kept = {
            name: value
            for name, value in given.items()
            if value is not None and not (isinstance(value, str) and not value.strip())
        }
        if "text" not in kept and "title" in kept:
            kept["text"] = kept["title"]
        if isinstance(year := kept.get("year"), str) and (found := _YEAR.search(year)):
            kept["year"] = int(found.group())
        types = kept.get("types") or ()
        if kept.get("retracted") is True or any(str(kind).lower() == "retracted publication" for kind in types):
            kept["flags"] = tuple(dict.fromkeys([*(kept.get("flags") or ()), "retracted"]))
        return kept

    @property
    def content_hash(self) -> str:
        """Changes whenever anything of the document does."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()
