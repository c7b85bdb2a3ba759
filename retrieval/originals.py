"""The files that documents were read from, kept beside their index: the page of a PDF can be shown with a quote on it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

_FOLDER = "originals"


def keep_original(index: Path, document: str, file: Path) -> None:
    """Keep a copy under the document's id; a copy that is cut off leaves none."""
    kept = _place(index, document, file.suffix)
    kept.parent.mkdir(parents=True, exist_ok=True)
    building = kept.with_name(f"building-{kept.name}")
    shutil.copyfile(file, building)
    building.replace(kept)


def original_of(index: Path, document: str) -> Path | None:
    """The file that a document of an index was read from; None when it was kept by an older version or is no PDF."""
    kept = _place(index, document, ".pdf")
    return kept if kept.is_file() else None


def drop_originals(index: Path, documents: Iterable[str]) -> None:
    """Remove the files of documents that were removed."""
    for document in documents:
        _place(index, document, ".pdf").unlink(missing_ok=True)


def _place(index: Path, document: str, suffix: str) -> Path:
    """By a hash: an id may hold anything that a file name may."""
    return index / _FOLDER / (hashlib.sha256(document.encode()).hexdigest() + suffix.lower())
