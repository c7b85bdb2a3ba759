"""The page of a PDF that a passage comes from, and where on it the quoted words stand."""

from __future__ import annotations

import ctypes
import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from core.errors import FileError
from core.types import Frozen, Passage

_PAGE = re.compile(r"page (\d+)")
_WIDTH_PX = 1100
_LOCK = threading.Lock()
"""PDFium may be used by one thread at a time."""

Box = tuple[float, float, float, float]


class QuotedPage(Frozen):
    """A page, from 1, of so many; its size in points; boxes of the quote as shares (left, top, right, bottom)."""

    number: int
    pages: int
    width: float
    height: float
    boxes: tuple[Box, ...]


def page_number(passage: Passage) -> int | None:
    """The page that a passage stands on, from 1, as the PDF reader labels its sections; None for other sources."""
    found = _PAGE.fullmatch(passage.section or "")
    return int(found[1]) if found else None


def quoted_page(path: Path, passage: Passage) -> QuotedPage:
    """Where the quote stands: letters and digits alone are compared, so that line breaks and hyphens do not matter.

    A passage that runs on to the next page is boxed as far as this page has it. Raises `FileError`.
    """
    with _opened(path, passage) as (pdf, page, number):
        width, height = page.get_size()
        text = page.get_textpage()
        try:
            places = _places(text, passage.quoted_text)
            boxes = _lines([text.get_charbox(place, loose=True) for place in places])
        finally:
            text.close()
    shares = tuple(
        (left / width, 1 - top / height, right / width, 1 - bottom / height) for left, bottom, right, top in boxes
    )
    return QuotedPage(number=number, pages=len(pdf), width=width, height=height, boxes=shares)


def page_picture(path: Path, passage: Passage) -> bytes:
    """The page as PNG. Raises `FileError`."""
    with _opened(path, passage) as (_, page, _number):
        image = page.render(scale=_WIDTH_PX / page.get_size()[0]).to_pil()
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


@contextmanager
def _opened(path: Path, passage: Passage) -> Iterator[tuple[Any, Any, int]]:
    number = page_number(passage) or 1
    with _LOCK:
        try:
            pdf = pypdfium2.PdfDocument(path)
        except pypdfium2.PdfiumError as error:
            raise FileError(f"The PDF of {passage.document_id!r} cannot be opened any more.") from error
        try:
            if number > len(pdf):
                raise FileError(f"The PDF of {passage.document_id!r} has {len(pdf)} pages; the passage is of page {number}.")
            page = pdf[number - 1]
            try:
                yield _Counted(pdf), page, number
            finally:
                page.close()
        finally:
            pdf.close()


class _Counted:
    """The number of pages, for when the document is closed."""

    def __init__(self, pdf: Any) -> None:
        self._count = len(pdf)

    def __len__(self) -> int:
        return self._count


def _places(text: Any, quote: str) -> list[int]:
    """Indices of the page's characters that make up the quote; the start of it when the page holds no more."""
    letters: list[str] = []
    places: list[int] = []
    for place in range(text.count_chars()):
        sign = chr(pdfium.FPDFText_GetUnicode(text.raw, ctypes.c_int(place)))
        if sign.isalnum():
            for part in sign.casefold():
                letters.append(part)
                places.append(place)
    whole = "".join(letters)
    wanted = "".join(sign.casefold() for sign in quote if sign.isalnum())
    while len(wanted) >= 12:
        start = whole.find(wanted)
        if start >= 0:
            return list(range(places[start], places[start + len(wanted) - 1] + 1))
        wanted = wanted[: len(wanted) * 3 // 4]
    return []


def _lines(boxes: list[Box]) -> list[Box]:
    """Boxes of characters (left, bottom, right, top) as boxes of lines."""
    lines: list[Box] = []
    for left, bottom, right, top in boxes:
        if right <= left or top <= bottom:
            continue
        if lines:
            one = lines[-1]
            overlap = min(top, one[3]) - max(bottom, one[1])
            if overlap > 0.4 * min(top - bottom, one[3] - one[1]) and left > one[0] and left - one[2] < 3 * (top - bottom):
                lines[-1] = (one[0], min(bottom, one[1]), max(right, one[2]), max(top, one[3]))
                continue
        lines.append((left, bottom, right, top))
    return lines
