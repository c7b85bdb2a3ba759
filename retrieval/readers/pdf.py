"""PDF by pypdfium2: the text of each page, pages as sections. Encrypted and scanned files are told apart and said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pypdfium2

from core.errors import FileError
from retrieval.corpus import Document, Section
from retrieval.readers.skipped import Skipped

_MAX_PAGES = 2000
_SCANNED_BELOW = 20
"""Characters of text per page under which a file is called scanned."""
_HEADING = 0.6
"""Share of the longest line of a page below which a line may be a heading."""


def read_pdf(path: Path, skipped: list[Skipped]) -> Iterator[Document]:
    """One document per file; section labels are `page 1`, `page 2`, ...

    Raises:
        FileError: damaged, encrypted, scanned, or of too many pages.
    """
    try:
        pdf = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise FileError(f"{path.name!r} is encrypted; save it without a password first.") from error
        raise FileError(f"{path.name!r} is damaged or no PDF: {error}") from error
    try:
        if len(pdf) > _MAX_PAGES:
            raise FileError(f"{path.name!r} has {len(pdf)} pages; at most {_MAX_PAGES} are read.")
        pages = [_page_text(pdf, number) for number in range(len(pdf))]
        title = (pdf.get_metadata_dict().get("Title") or "").strip()
    except pypdfium2.PdfiumError as error:
        raise FileError(f"{path.name!r} is damaged: {error}") from error
    finally:
        pdf.close()
    if sum(len(page) for page in pages) < _SCANNED_BELOW * max(len(pages), 1):
        raise FileError(f"{path.name!r} holds pictures of text, not text (scanned?); it needs character recognition first.")
    text, sections = "", []
    for number, page in enumerate(pages, start=1):
        start = len(text) + 2 if text else 0
        text = f"{text}\n\n{page}" if text else page
        sections.append(Section(label=f"page {number}", start=min(start, len(text)), end=len(text)))
    yield Document(id=path.name, title=title or path.stem, text=text, sections=tuple(sections), original=path)


def _headings_apart(page: str) -> str:
    """A blank line after a line that is a heading by its looks, so that it is not read as the beginning of a sentence.

    Such a line is much shorter than the page's lines are, ends without a stop, and the next one begins with a capital.
    """
    lines = page.split("\n")
    wide = _HEADING * max(len(line) for line in lines)
    out = []
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        words = line.strip()
        heading = words[:1].isalnum() and words[-1:].isalnum() and len(line) < wide and following[:1].isupper()
        out.append(f"{line}\n" if heading else line)
    return "\n".join(out)


def _page_text(pdf: pypdfium2.PdfDocument, number: int) -> str:
    page = pdf[number]
    try:
        # U+FFFE is pdfium's mark of a hyphen that only breaks a line.
        text: str = page.get_textpage().get_text_bounded()
        return _headings_apart(text.replace("\ufffe", "\u00ad").replace("\r\n", "\n").strip())
    finally:
        page.close()
