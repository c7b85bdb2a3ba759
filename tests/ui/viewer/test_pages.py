"""A quote is boxed on its page, whatever line breaks and hyphens stand between its words."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from core.errors import FileError
from core.types import Passage
from retrieval.chunking import sentence_spans
from retrieval.corpus import Document
from retrieval.readers.pdf import read_pdf
from tests.ui.viewer.pdf import write_pdf
from ui.viewer.pages import page_number, page_picture, quoted_page

LINES = (
    "Alendronate was given for three years.",
    "It halved the risk of new verte-",
    "bral fractures in the trial.",
    "More work is needed.",
)


def passage(document: Document, quote: str, section: str = "page 2") -> Passage:
    start = document.text.index(quote)
    return Passage(
        passage_id="p", document_id=document.id, text=document.text, span=(0, len(document.text)),
        quote=(start, start + len(quote)), title="t", corpus="c", score=1.0, section=section,
    )  # fmt: skip


@pytest.fixture
def pdf(tmp_path: Path) -> Path:
    return write_pdf(tmp_path / "a.pdf", [("First page.", "Nothing of note stands here."), LINES])


def test_the_boxes_lie_on_the_lines_of_the_quote(pdf: Path) -> None:
    (document,) = read_pdf(pdf, [])
    text = document.text
    quote = text[text.index("It halved") : text.index(" in the trial")]
    page = quoted_page(pdf, passage(document, quote))
    assert (page.number, page.pages) == (2, 2)
    assert len(page.boxes) == 2
    one, two = page.boxes
    assert one[1] < one[3] <= two[1] + 0.01 < two[3]
    assert one[0] == pytest.approx(72 / 612, abs=0.01)
    assert two[2] < one[2]  # the second line's quote ends before the first's


def test_words_that_are_not_on_the_page_get_no_box(pdf: Path) -> None:
    (document,) = read_pdf(pdf, [])
    assert quoted_page(pdf, passage(document, "Alendronate was given", "page 1")).boxes == ()


def test_the_picture_has_the_page_s_shape_and_a_page_that_is_gone_is_told(pdf: Path) -> None:
    (document,) = read_pdf(pdf, [])
    image = Image.open(io.BytesIO(page_picture(pdf, passage(document, "It halved"))))
    assert image.width / image.height == pytest.approx(612 / 792, abs=0.01)
    with pytest.raises(FileError, match="has 2 pages"):
        page_picture(pdf, passage(document, "It halved", "page 7"))


def test_only_pages_of_a_pdf_have_a_number(pdf: Path) -> None:
    (document,) = read_pdf(pdf, [])
    assert page_number(passage(document, "It halved")) == 2
    assert page_number(passage(document, "It halved", "Methods")) is None


def test_a_heading_is_no_part_of_the_sentence_under_it(tmp_path: Path) -> None:
    lines = (
        "Results",
        "Height was measured in all forty vertebrae at twelve",
        "weeks after the operation. It had not",
        "changed.",
        "What this shows not",
        "Sheep walk on four legs, and ours bear another load.",
    )
    (document,) = read_pdf(write_pdf(tmp_path / "h.pdf", [lines]), [])
    said = [document.text[span.start : span.end].replace("\n", " ") for span in sentence_spans(document.text)]
    assert said == [
        "Results",
        "Height was measured in all forty vertebrae at twelve weeks after the operation.",
        "It had not changed.",
        "What this shows not",
        "Sheep walk on four legs, and ours bear another load.",
    ]
