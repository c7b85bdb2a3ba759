"""Files, globs and folders to documents, each by the reader that its name or content asks for."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from core.errors import FileError
from retrieval.corpus import Document
from retrieval.readers.jsonl import read_jsonl
from retrieval.readers.skipped import Skipped

_Reader = Callable[[Path, list[Skipped]], Iterator[Document]]
_BY_SUFFIX: dict[str, _Reader] = {".jsonl": read_jsonl, ".ndjson": read_jsonl}


def read_paths(paths: Sequence[Path], skipped: list[Skipped]) -> Iterator[Document]:
    """Documents of all files, folders (with what is below them) and globs; faults go to `skipped`.

    Raises:
        FileError: a path that was named is not there.
    """
    for file in [file for path in paths for file in _expand(path)]:
        reader = _BY_SUFFIX.get(_suffix(file))
        if reader is None:
            known = ", ".join(_BY_SUFFIX)
            skipped.append(Skipped(file=file.name, reason=f"no reader for {file.suffix or 'this name'!r}; known: {known}"))
            continue
        try:
            yield from reader(file, skipped)
        except FileError as error:
            skipped.append(Skipped(file=file.name, reason=str(error)))


def _expand(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    if path.is_file():
        return [path]
    found = sorted(Path(name) for name in glob.glob(str(path), recursive=True))
    if not found:
        raise FileError(f"There is no file, folder or glob match {str(path)!r}.")
    return [file for match in found for file in _expand(match)]


def _suffix(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return suffixes[-2] if len(suffixes) > 1 and suffixes[-1] == ".gz" else "".join(suffixes[-1:])
