"""One JSON object per line, with the fields of `Document`; other fields are left out."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from core.errors import FileError
from retrieval.corpus import Document
from retrieval.readers.skipped import Skipped


def read_jsonl(path: Path, skipped: list[Skipped] | None = None) -> Iterator[Document]:
    """Documents of a `.jsonl` or `.jsonl.gz` file, read line by line.

    A bad line is appended to `skipped` when a list is given.

    Raises:
        FileError: the file cannot be read or holds nothing, or a line is bad and `skipped` is None; the message names it.
    """
    empty = True
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                line = line.removeprefix(codecs.BOM_UTF8)
                if not line.strip():
                    continue
                empty = False
                try:
                    yield Document.model_validate_json(line)
                except ValidationError as error:
                    fault = error.errors(include_url=False)[0]
                    where = ".".join(str(part) for part in fault["loc"]) or "the line"
                    reason = f"{where}: {fault['msg']}"
                    if skipped is None:
                        raise FileError(f"Line {number} of {path.name!r}: {reason}.") from error
                    skipped.append(Skipped(file=path.name, line=number, reason=reason))
    except (OSError, EOFError, zlib.error) as error:
        raise FileError(f"{path.name!r} cannot be read: {error}.") from error
    if empty:
        raise FileError(f"{path.name!r} holds no document.")
