"""Documents as an index takes them, and the JSONL reader."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from core.errors import FileError
from core.types import Frozen


class Document(Frozen):
    """One source text with what is known of it. `source` is where a card's content comes from, as a title."""

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

    @property
    def content_hash(self) -> str:
        """Changes whenever anything of the document does."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


@dataclass(frozen=True)
class SkippedLine:
    """A line that was not read, and why."""

    line: int
    reason: str


def read_jsonl(path: Path, skipped: list[SkippedLine] | None = None) -> Iterator[Document]:
    """Documents of a file with one JSON object per line.

    A bad line is appended to `skipped` when a list is given.

    Raises:
        FileError: the file cannot be read, or a line is bad and `skipped` is None; the message names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{path.name!r} cannot be read as UTF-8 text: {error}.") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield Document.model_validate_json(line)
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in fault["loc"]) or "the line"
            reason = f"{where}: {fault['msg']}"
            if skipped is None:
                raise FileError(f"Line {number} of {path.name!r}: {reason}.") from error
            skipped.append(SkippedLine(number, reason))
