"""A conversation as a Word file. Headings are headings, tables are tables, pictures carry their alternative text."""

from __future__ import annotations

import io
import re
import unicodedata
from typing import TYPE_CHECKING

from core.types import Table
from ui.export.content import Answered, Content, Figure, Reference, Said
from ui.languages import is_rtl

if TYPE_CHECKING:
    from docx.document import Document
    from docx.text.paragraph import Paragraph

_WIDTH_CM = 15.0
_AMBER, _GREY = (0x7A, 0x4A, 0x00), (0x4D, 0x5E, 0x68)
# XML 1.0 has no place for most control characters.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def word(content: Content) -> bytes:
    """The .docx file."""
    from docx import Document

    document = Document()
    properties = document.core_properties
    properties.title, properties.author, properties.comments = _clean(content.title), "Consilium", content.safety
    properties.language = content.words.language
    _add(document, content.title, "Title", content)
    _add(document, content.safety, "Intense Quote", content)
    for line in content.attached:
        _add(document, line, "List Bullet", content)
    for turn in content.turns:
        _turn(document, turn, content)
    _quiet(document, f"{content.words('Exported')} {content.exported:%Y-%m-%d %H:%M} UTC", content)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _clean(text: str) -> str:
    return _UNPRINTABLE.sub("�", text)


def _add(document: Document, text: str, style: str, content: Content) -> Paragraph:
    return _direct(document.add_paragraph(_clean(text), style=style), text, content)


def _direct(paragraph: Paragraph, text: str, content: Content) -> Paragraph:
    """Right to left where the text begins so, as the page shows it; what has no letters follows the language."""
    from docx.oxml import OxmlElement

    if is_right_to_left(text, is_rtl(content.words.language)):
        paragraph.paragraph_format.element.get_or_add_pPr().append(OxmlElement("w:bidi"))
        for run in paragraph.runs:
            run.font.rtl = True
    return paragraph


def is_right_to_left(text: str, otherwise: bool) -> bool:
    """The direction of the first strong character (Unicode Bidirectional Algorithm, P2 and P3)."""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in ("L", "R", "AL"):
            return kind != "L"
    return otherwise


def _turn(document: Document, turn: Answered, content: Content) -> None:
    say = content.words
    _add(document, turn.question, "Heading 1", content)
    if turn.sentences:
        _sentences(document, turn.sentences, content)
    if turn.note:
        _add(document, turn.note, "Quote", content)
    for table in turn.tables:
        _table(document, table, content)
    for figure in turn.figures:
        _figure(document, figure, content)
    for heading, lines in (
        ("Limits", turn.limits),
        ("References", tuple(_reference(item) for item in turn.references)),
        ("Feedback", (turn.feedback,) if turn.feedback else ()),
    ):
        if lines:
            _add(document, say(heading), "Heading 2", content)
        for line in lines:
            _add(document, line, "List Bullet" if heading == "Limits" else "Normal", content)
    tail = "; ".join(part for part in (f"{turn.asked:%Y-%m-%d %H:%M}", *turn.steps, turn.made) if part)
    _quiet(document, tail, content)


def _sentences(document: Document, sentences: tuple[Said, ...], content: Content) -> None:
    from docx.shared import RGBColor

    paragraph = document.add_paragraph()
    for said in sentences:
        cites = "".join(f" [{number}]" for number in said.cites)
        paragraph.add_run(_clean(f"{said.text}{cites} "))
        if said.mark:
            run = paragraph.add_run(_clean(f"⚠ {said.mark}{f' ({said.why})' if said.why else ''} "))
            run.bold = True
            run.font.color.rgb = RGBColor(*_AMBER)
    _direct(paragraph, sentences[0].text, content)


def _table(document: Document, table: Table, content: Content) -> None:
    _add(document, table.title, "Caption", content)
    grid = document.add_table(rows=1, cols=len(table.columns), style="Light Grid Accent 1")
    for cell, name in zip(grid.rows[0].cells, table.columns, strict=True):
        cell.text = _clean(name)
    for row in table.rows:
        for cell, value in zip(grid.add_row().cells, row.cells, strict=False):
            cell.text = _clean(value)


def _figure(document: Document, figure: Figure, content: Content) -> None:
    from docx.shared import Cm

    shape = document.add_picture(io.BytesIO(figure.png), width=Cm(_WIDTH_CM))
    shape._inline.docPr.set("descr", _clean(figure.caption))
    _add(document, figure.caption, "Caption", content)


def _reference(item: Reference) -> str:
    quote = f" “{item.quote}”" if item.quote else ""
    return f"[{item.number}] {item.told}{quote}{f' ({item.source})' if item.source else ''}"


def _quiet(document: Document, text: str, content: Content) -> None:
    from docx.shared import Pt, RGBColor

    for run in _add(document, text, "Normal", content).runs:
        run.font.size = Pt(8)
        run.font.color.rgb = RGBColor(*_GREY)
