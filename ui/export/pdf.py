"""A conversation as a PDF, A4, fonts embedded: Latin, Greek, Cyrillic and Arabic always, Chinese where there is a font.

DejaVu Sans ships in `fonts/`. A Chinese face is 10 MB and more, so one of this machine is used (`CJK_FONTS`); where there
is none, the characters are drawn as boxes, and the document says so with the way out.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from core.types import Table
from ui.export.content import Answered, Content, Figure, Reference, Said
from ui.export.word import is_right_to_left
from ui.languages import is_rtl

if TYPE_CHECKING:
    from fpdf import FPDF
    from fpdf.enums import WrapMode

_FONTS = Path(__file__).parent / "fonts"
CJK_FONTS = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    "/usr/share/fonts/truetype/arphic/uming.ttc",
    "/System/Library/Fonts/PingFang.ttc",
    "/System/Library/Fonts/STHeiti Light.ttc",
    "C:/Windows/Fonts/msyh.ttc",
    "C:/Windows/Fonts/simsun.ttc",
)
"""Where fonts with Chinese characters lie on common systems; the first that is there is used."""
WITHOUT_GLYPHS = (
    "Some characters have no font on this machine and are drawn as boxes. Install one with Chinese characters "
    "(Debian: fonts-wqy-microhei) and export again; the HTML and Word exports hold them all."
)
_INK, _GREY, _ACCENT, _AMBER = (23, 36, 43), (77, 94, 104), (11, 100, 112), (122, 74, 0)
_MARGIN_MM = 18.0
_FIGURE_MM = 150.0


def pdf(content: Content, cjk_fonts: Sequence[str] = CJK_FONTS) -> bytes:
    """The PDF file."""
    return _Writer(content, _first(cjk_fonts)).written()


def _first(paths: Sequence[str]) -> Path | None:
    return next((path for path in map(Path, paths) if path.is_file()), None)


class _Writer:
    def __init__(self, content: Content, cjk: Path | None) -> None:
        from fpdf import FPDF

        logging.getLogger("fontTools").setLevel(logging.ERROR)  # it tells of every subsetting step
        self._content = content
        self._cjk = cjk
        self._pdf: FPDF = FPDF(format="A4")
        pdf = self._pdf
        pdf.set_margin(_MARGIN_MM)
        pdf.set_auto_page_break(True, _MARGIN_MM)
        pdf.add_font("body", fname=_FONTS / "DejaVuSans.ttf")
        pdf.add_font("body", style="B", fname=_FONTS / "DejaVuSans-Bold.ttf")
        if cjk is not None and _foreign(content):
            pdf.add_font("cjk", fname=cjk)
            pdf.set_fallback_fonts(["cjk"])
        pdf.set_text_shaping(True)
        pdf.set_title(content.title)
        pdf.set_creator("Consilium")
        pdf.set_lang({"ar": "ar", "zh": "zh-CN"}.get(content.words.language, "en"))
        pdf.add_page()

    def written(self) -> bytes:
        content = self._content
        self._line(content.title, 17, _ACCENT, bold=True)
        self._line(content.safety, 9, _INK)
        if self._cjk is None and _foreign(content):
            self._line(content.words(WITHOUT_GLYPHS), 9, _AMBER)
        for line in content.attached:
            self._line(f"• {line}", 9, _GREY)
        for turn in content.turns:
            self._turn(turn)
        self._line(f"{content.words('Exported')} {content.exported:%Y-%m-%d %H:%M} UTC", 8, _GREY)
        return bytes(self._pdf.output())

    def _line(self, text: str, size: float, colour: tuple[int, int, int], *, bold: bool = False, gap: float = 1.5) -> None:
        pdf = self._pdf
        right = is_right_to_left(text, is_rtl(self._content.words.language))
        pdf.set_font("body", style="B" if bold else "", size=size)
        pdf.set_text_color(*colour)
        pdf.set_text_shaping(True, direction="rtl" if right else "ltr")
        pdf.set_x(pdf.l_margin)
        pdf.multi_cell(0, size * 0.5, text, align="R" if right else "L", new_x="LMARGIN", new_y="NEXT", wrapmode=_wrap(text))
        pdf.ln(gap)

    def _turn(self, turn: Answered) -> None:
        say = self._content.words
        self._pdf.ln(4)
        self._line(turn.question, 13, _INK, bold=True)
        for said in turn.sentences:
            self._sentence(said)
        if turn.note:
            self._line(turn.note, 10, _AMBER)
        for table in turn.tables:
            self._table(table)
        for figure in turn.figures:
            self._figure(figure)
        for heading, lines in (
            ("Limits", turn.limits),
            ("References", tuple(_reference(item) for item in turn.references)),
            ("Feedback", (turn.feedback,) if turn.feedback else ()),
        ):
            if lines:
                self._line(say(heading), 10.5, _GREY, bold=True)
            for line in lines:
                self._line(line, 9, _INK)
        tail = "; ".join(part for part in (f"{turn.asked:%Y-%m-%d %H:%M}", *turn.steps, turn.made) if part)
        self._line(tail, 7.5, _GREY)

    def _sentence(self, said: Said) -> None:
        cites = "".join(f" [{number}]" for number in said.cites)
        self._line(f"{said.text}{cites}", 10.5, _INK, gap=0.5 if said.mark else 1.5)
        if said.mark:
            self._line(f"⚠ {said.mark}{f': {said.why}' if said.why else ''}", 9, _AMBER)

    def _table(self, table: Table) -> None:
        pdf = self._pdf
        self._line(table.title, 9.5, _INK, bold=True)
        pdf.set_font("body", size=7.5)
        pdf.set_text_color(*_INK)
        pdf.set_text_shaping(True)
        longest = [max([len(name), *(len(row.cells[place]) for row in table.rows if place < len(row.cells)), 4])
                   for place, name in enumerate(table.columns)]  # fmt: skip
        widths = tuple(min(length, 60) for length in longest)
        with pdf.table(col_widths=widths, text_align="LEFT", line_height=4.2, padding=0.8, wrapmode="CHAR") as grid:
            for cells in (table.columns, *(row.cells for row in table.rows)):
                filled = [*cells, *[""] * (len(table.columns) - len(cells))]
                grid.row([cell or " " for cell in filled])
        pdf.ln(3)

    def _figure(self, figure: Figure) -> None:
        from PIL import Image

        pdf = self._pdf
        with Image.open(io.BytesIO(figure.png)) as picture:
            width = min(_FIGURE_MM, 110.0 * picture.width / picture.height)
            height = width * picture.height / picture.width
        if pdf.will_page_break(height + 10):
            pdf.add_page()
        pdf.image(io.BytesIO(figure.png), w=width, alt_text=figure.caption)
        self._line(figure.caption, 8.5, _GREY)


def _reference(item: Reference) -> str:
    quote = f" “{item.quote}”" if item.quote else ""
    return f"[{item.number}] {item.told}{quote}{f' ({item.source})' if item.source else ''}"


def _wrap(text: str) -> WrapMode:
    """Break within words where a word cannot fit a line, as in Chinese or in a word of thousands of letters."""
    from fpdf.enums import WrapMode

    return WrapMode.CHAR if any(len(word) > 60 for word in text.split()) else WrapMode.WORD


@cache
def _covered() -> frozenset[int]:
    """The characters of the font that ships."""
    from fontTools.ttLib import TTFont

    with TTFont(_FONTS / "DejaVuSans.ttf", lazy=True) as font:
        return frozenset(font.getBestCmap())


def _foreign(content: Content) -> bool:
    """Whether there is a letter that the font that ships does not have."""
    return any(character.isalnum() and ord(character) not in _covered() for text in _texts(content) for character in text)


def _texts(content: Content) -> Iterator[str]:
    yield from (content.title, content.safety, *content.attached, content.words("References"))
    for turn in content.turns:
        yield from (
            turn.question,
            turn.note,
            turn.feedback,
            *turn.limits,
            *(said.text + said.why for said in turn.sentences),
        )
        yield from (_reference(item) for item in turn.references)
        yield from (cell for table in turn.tables for row in table.rows for cell in row.cells)
