"""The same conversation in four forms: references by the answer's numbers, marks, figures, hostile text, other scripts."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import pypdfium2
import pytest
from docx import Document

from core.store import SessionStore
from core.types import Answer, NewArtifact, Passage, Sentence, Table, TableRow, Turn
from tests.ui.fake_assistant import HOSTILE, NOW, png
from ui.conversations import file_name, written
from ui.export.content import SAFETY, Content, Format, content_of
from ui.export.pdf import WITHOUT_GLYPHS, pdf
from ui.languages import words_of

FORMS: tuple[Format, ...] = ("md", "html", "docx", "pdf")
ARABIC, CHINESE = "ما درجة الكسر؟", "骨折分级"


def passage(number: str, title: str = "Grading of fractures") -> Passage:
    text = "Before. A grade 2 fracture lost 26 to 40 %. After."
    return Passage(
        id=number, passage_id="p", document_id="d", text=text, span=(0, len(text)), quote=(8, 44), title=title,
        authors=("Genant HK",), year=1993, venue="JBMR", doi="10.1002/x", corpus="starter", score=0.6, flags=("retracted",),
    )  # fmt: skip


def content(
    tmp_path: Path, question: str = "Which grade?", text: str = "It is grade 2 [3].", language: str = "en"
) -> Content:
    store = SessionStore(tmp_path / "s")
    made = NewArtifact(kind="image", title="Spine as it was", media_type="image/png", synthetic=True, made_by="c1")
    figure = store.add(png(), made, ".png")
    sentences = (
        Sentence(text=text, evidence=("3",), verdict="supported"),
        Sentence(text="It will heal.", verdict="not_supported", why="no source says so"),
    )
    table = Table(title="Levels", columns=("Level", "Grade"), rows=(TableRow(cells=("L1", "2")),))
    answer = Answer(sentences=sentences, tables=(table,), figures=(figure.handle,), limits=("One level only.",))
    turn = Turn(id="1", question=question, answer=answer, evidence=(passage("2", "Not cited"), passage("3")), started=NOW)
    return content_of("A title", [turn], store, {"1": "not helpful: too short"}, words_of(language))


def told(form: Format, document: bytes) -> str:
    """All words of a document, as a reader sees them."""
    if form == "docx":
        opened = Document(io.BytesIO(document))
        cells = [cell.text for table in opened.tables for row in table.rows for cell in row.cells]
        return "\n".join([*(paragraph.text for paragraph in opened.paragraphs), *cells])
    if form == "pdf":
        with pypdfium2.PdfDocument(document) as opened:
            return " ".join(page.get_textpage().get_text_range().replace("\r\n", " ") for page in opened)
    return document.decode()


@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_what_was_said_and_what_it_stands_on(form: Format, tmp_path: Path) -> None:
    document = written(content(tmp_path), form)
    words = re.sub(r"\\|<[^>]+>", "", told(form, document))
    words = " ".join(words.split())
    for wanted in (
        "Which grade?", "It is grade 2 [3]", "[3] Genant HK", "A grade 2 fracture lost 26 to 40 %.", "RETRACTED",
        "Levels", "L1",
        "not supported", "no source says so", "SYNTHETIC: Spine as it was", "One level only.", "too short",
    ):  # fmt: skip
        assert wanted in words, wanted
    assert "Not cited" not in words, "references are what the answer cites"
    assert words.count(SAFETY) == 1


@pytest.mark.parametrize("form", FORMS)
def test_figures_are_in_the_file(form: Format, tmp_path: Path) -> None:
    document = written(content(tmp_path), form)
    if form == "docx":
        assert [name for name in zipfile.ZipFile(io.BytesIO(document)).namelist() if name.startswith("word/media/")]
    elif form == "pdf":
        with pypdfium2.PdfDocument(document) as opened:
            assert [item for page in opened for item in page.get_objects() if type(item).__name__ == "PdfImage"]
    else:
        assert b"data:image/png;base64," in document


@pytest.mark.parametrize("form", FORMS)
def test_hostile_words_stay_words(form: Format, tmp_path: Path) -> None:
    document = written(content(tmp_path, HOSTILE, f"# {HOSTILE} \x0b\x00 | a | b {'x' * 10_000}"), form)
    if form == "html":
        assert b"<script" not in document
        assert b"<img src=x" not in document
    elif form == "md":
        assert not re.search(rb"(?<!\\)<script", document)
    else:
        assert "window.hacked" in told(form, document)


@pytest.mark.parametrize("form", FORMS)
def test_headings_and_direction_follow_the_language(form: Format, tmp_path: Path) -> None:
    document = written(content(tmp_path, ARABIC, language="ar"), form)
    if form == "html":
        assert b'<html lang="ar" dir="rtl">' in document
    if form == "docx":
        assert "w:bidi" in zipfile.ZipFile(io.BytesIO(document)).read("word/document.xml").decode()
    if form != "pdf":  # in a PDF the letters are in the order and the forms in which they are drawn
        assert "المراجع" in told(form, document)
        assert ARABIC in told(form, document)


def test_arabic_is_drawn_joined_and_with_glyphs(tmp_path: Path) -> None:
    with pypdfium2.PdfDocument(written(content(tmp_path, ARABIC), "pdf")) as opened:
        words = opened[0].get_textpage().get_text_range()
    assert set("درجة") <= set(words) or re.search("[\ufe70-\ufeff]", words)
    assert WITHOUT_GLYPHS[:30] not in words


def test_a_pdf_without_a_chinese_font_says_so_and_names_the_way_out(tmp_path: Path) -> None:
    with pypdfium2.PdfDocument(pdf(content(tmp_path, CHINESE), cjk_fonts=())) as opened:
        assert WITHOUT_GLYPHS[:40] in opened[0].get_textpage().get_text_range().replace("\r\n", " ")
    assert CHINESE in told("docx", written(content(tmp_path, CHINESE), "docx"))


def test_html_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    document = told("html", written(content(tmp_path), "html"))
    assert not re.search(r"(src|href)=\"(?!data:|#)", document)
    assert 'href="#r1-3"' in document
    assert 'id="r1-3"' in document


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Mrs X: L1/L2?", "Mrs-X-L1-L2.pdf"),
        ("../../etc", "etc.pdf"),
        ("الكسر", "الكسر.pdf"),
        ("\u202egpj", "gpj.pdf"),
        ("", "consilium.pdf"),
    ],
)
def test_file_names_hold_letters_and_digits_only(title: str, name: str) -> None:
    assert file_name(title, "pdf") == name
