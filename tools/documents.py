"""A PDF that a person attaches, looked at before it is taken in. Its words are read where it is searched."""

from __future__ import annotations

from pathlib import Path

import pypdfium2

from core.errors import FileError, TooLarge
from core.ports import ArtifactStore
from core.types import Artifact, NewArtifact

PDF = "application/pdf"
_HEAD = b"%PDF-"
_WITHIN = 1024
"""Readers of PDF look for the mark within so many bytes; some programs write something before it."""
_MAX_PAGES = 2000
_SCANNED_BELOW = 20
"""Characters of text per page under which a file is called scanned."""


def looks_like_pdf(head: bytes) -> bool:
    """Whether a file that begins so is a PDF."""
    return _HEAD in head[:_WITHIN]


def add_pdf(path: Path, store: ArtifactStore) -> Artifact:
    """Take a PDF in. Its title tells the number of pages alone: a letter's own title may name the patient.

    Raises:
        FileError: it is damaged, locked, or holds pictures of text.
        TooLarge: it has more than 2,000 pages.
    """
    try:
        pdf = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise FileError("The PDF is encrypted; save it without a password first.") from error
        raise FileError("The PDF is damaged.") from error
    try:
        pages = len(pdf)
        if pages > _MAX_PAGES:
            raise TooLarge(f"A PDF may have {_MAX_PAGES} pages; this one has {pages}.")
        letters = sum(_letters(pdf, number) for number in range(pages))
    except pypdfium2.PdfiumError as error:
        raise FileError("The PDF is damaged.") from error
    finally:
        pdf.close()
    if letters < _SCANNED_BELOW * max(pages, 1):
        raise FileError("The PDF holds pictures of text, not text (scanned?); it needs character recognition first.")
    title = f"PDF, {pages} {'page' if pages == 1 else 'pages'}"
    return store.add(path, NewArtifact(kind="document", title=title, media_type=PDF), ".pdf")


def _letters(pdf: pypdfium2.PdfDocument, number: int) -> int:
    page = pdf[number]
    try:
        text = page.get_textpage()
        try:
            return int(text.count_chars())
        finally:
            text.close()
    finally:
        page.close()
