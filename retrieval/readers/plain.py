"""Plain text, Markdown and HTML: one file is one document, its name the id."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from lxml import etree, html

from core.errors import FileError
from retrieval.corpus import Document
from retrieval.readers.skipped import Skipped

_MAX_BYTES = 64 << 20
_UNSEEN = ("script", "style", "noscript", "template", "svg", "nav")
_BLOCKS = ("p", "div", "li", "tr", "br", "h1", "h2", "h3", "h4", "h5", "h6", "section", "td", "th", "blockquote")


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""Characters that lxml gives and does not take back."""


def decoded(path: Path) -> str:
    """The file's text: UTF-8, UTF-16 by its mark, else Windows-1252, as files of the West often are.

    Raises:
        FileError: too large, not readable, or not text.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise FileError(f"{path.name!r} cannot be read: {error}.") from error
    if len(raw) > _MAX_BYTES:
        raise FileError(f"{path.name!r} is larger than {_MAX_BYTES >> 20} MB of text.")
    encodings = ("utf-16",) if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252", "latin-1")
    for encoding in encodings:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" in text:
            break
        return text
    raise FileError(f"{path.name!r} is not a text file.")


def read_text(path: Path, skipped: list[Skipped]) -> Iterator[Document]:
    """A text or Markdown file; its first heading, else its name, is the title."""
    text = decoded(path)
    if not text.strip():
        raise FileError(f"{path.name!r} is empty.")
    heading = re.search(r"^#+\s+(.+?)\s*#*\s*$", text, re.MULTILINE)
    yield Document(id=path.name, title=heading[1] if heading else path.stem, text=text)


def read_html(path: Path, skipped: list[Skipped]) -> Iterator[Document]:
    """The readable text of an HTML page, a line per block; scripts and styles are left out."""
    try:
        page = html.fromstring(decoded(path).encode(), parser=html.HTMLParser(encoding="utf-8", no_network=True))
    except (etree.ParserError, ValueError) as error:
        raise FileError(f"{path.name!r} cannot be read as HTML: {error}.") from error
    title = " ".join((page.findtext(".//title") or "").split())
    etree.strip_elements(page, *_UNSEEN, "title", etree.Comment, with_tail=False)
    for block in page.iter(*_BLOCKS):
        block.tail = "\n" + _CONTROL.sub("", block.tail or "")
    lines = (" ".join(line.split()) for line in "".join(page.itertext()).splitlines())
    text = "\n".join(line for line in lines if line)
    if not text:
        raise FileError(f"{path.name!r} holds no text.")
    yield Document(id=path.name, title=title or path.stem, text=text)
