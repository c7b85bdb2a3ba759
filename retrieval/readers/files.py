"""Files, globs and folders to documents, each by the reader that its name or content asks for."""

from __future__ import annotations

import codecs
import glob
import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from core.errors import FileError
from retrieval.corpus import Document
from retrieval.readers.jats import read_jats
from retrieval.readers.jsonl import read_jsonl
from retrieval.readers.pdf import read_pdf
from retrieval.readers.plain import read_html, read_text
from retrieval.readers.pubmed import read_pubmed
from retrieval.readers.skipped import Skipped
from retrieval.readers.tagged import read_bibtex, read_nbib, read_ris

_Reader = Callable[[Path, list[Skipped]], Iterator[Document]]


def _read_xml(path: Path, skipped: list[Skipped]) -> Iterator[Document]:
    """PubMed or JATS, told by the first tags."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            head = file.read(65536)
    except (OSError, EOFError, zlib.error) as error:
        raise FileError(f"{path.name!r} cannot be read: {error}.") from error
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise FileError(f"{path.name!r} is in UTF-16; save it as UTF-8.")
    yield from (read_pubmed if b"<PubmedArticle" in head else read_jats)(path, skipped)


_BY_SUFFIX: dict[str, _Reader] = {
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".xml": _read_xml,
    ".nxml": _read_xml,
    ".nbib": read_nbib,
    ".ris": read_ris,
    ".bib": read_bibtex,
    ".pdf": read_pdf,
    ".txt": read_text,
    ".md": read_text,
    ".html": read_html,
    ".htm": read_html,
}


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
