"""One A4 page: the table, the figure, and for each deformed level what it was and what is expected. Drawn by Pillow."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from tools.imaging.fractures.report import FractureReport

_SIZE = (1240, 1754)
"""A4 at 150 pixels per inch."""
_MARGIN, _LINE = 60, 25
_INK, _GREY = (20, 20, 20), (110, 110, 110)
_MOST_WARNINGS = 12
_SAFETY = (
    "Measured deformity for a radiologist to confirm: a loss of height is not by itself a fracture. Research tool beside a "
    "clinician, not a medical device."
)


def write_pdf(report: FractureReport, pictures: Sequence[bytes], path: Path, title: str) -> None:
    """Write the page.

    Args:
        report: the grading.
        pictures: PNGs: the figure first, then what is shown beside it, as far as there is room.
        path: the PDF.
        title: printed at the top; must not identify a patient.
    """
    page = Image.new("RGB", _SIZE, (255, 255, 255))
    draw = ImageDraw.Draw(page)
    draw.text((_MARGIN, _MARGIN), title, fill=_INK, font_size=34)
    y = _table(draw, report, _MARGIN + 60)
    y = _notes(draw, report, y + 12)
    _pictures(page, pictures, y + 14)
    bottom = _SIZE[1] - _MARGIN - 2 * _LINE
    for number, line in enumerate(textwrap.wrap(_SAFETY, 110)):
        draw.text((_MARGIN, bottom + number * _LINE), line, fill=_GREY, font_size=17)
    page.save(path, "PDF", resolution=150.0, title=title)


def _table(draw: ImageDraw.ImageDraw, report: FractureReport, y: int) -> int:
    columns = (0, 90, 170, 310, 560, 810, 960)
    heads = ("Level", "Grade", "Shape", "Height a/m/p mm", "Expected mm", "Loss %", "at Genant's points %")
    for x, head in zip(columns, heads, strict=True):
        draw.text((_MARGIN + x, y), head, fill=_GREY, font_size=18)
    for level in report.levels:
        y += _LINE
        loss, rim = level.rhlv, level.genant_loss
        low, high = level.interval.low, level.interval.high
        cells = (
            level.level,
            str(level.grade),
            level.shape,
            f"{level.heights_mm.pre:.1f} / {level.heights_mm.mid:.1f} / {level.heights_mm.post:.1f}",
            f"{level.expected_mm.pre:.1f} / {level.expected_mm.mid:.1f} / {level.expected_mm.post:.1f}",
            f"{100 * loss.pre:.0f} / {100 * loss.mid:.0f} / {100 * loss.post:.0f}",
            f"{100 * max(rim.pre, rim.mid, rim.post):.0f} ({100 * low:.0f} to {100 * high:.0f})",
        )
        for x, cell in zip(columns, cells, strict=True):
            draw.text((_MARGIN + x, y), cell, fill=_INK, font_size=18)
    return y + _LINE


def _notes(draw: ImageDraw.ImageDraw, report: FractureReport, y: int) -> int:
    lines = [f"{item.level} not graded: {item.reason}" for item in report.skipped]
    lines += [f"{level.level}: {text}" for level in report.levels for text in level.warnings if text not in report.warnings]
    lines += [*report.warnings, f"Numbering: {report.numbering}."]
    wrapped = [part for line in lines for part in textwrap.wrap(line, 125)]
    if len(wrapped) > _MOST_WARNINGS:
        wrapped = [*wrapped[:_MOST_WARNINGS], "More in report.json."]
    for line in wrapped:
        draw.text((_MARGIN, y), line, fill=_GREY, font_size=16)
        y += _LINE - 4
    return y


def _pictures(page: Image.Image, pictures: Sequence[bytes], y: int) -> None:
    """The figure on the left, the others stacked on its right, each as large as fits."""
    room = _SIZE[1] - _MARGIN - 3 * _LINE - y
    half = (_SIZE[0] - 2 * _MARGIN - 20) // 2
    opened = [Image.open(io.BytesIO(data)).convert("RGB") for data in pictures]
    if opened:
        opened[0].thumbnail((half, room))
        page.paste(opened[0], (_MARGIN, y))
    below = y
    for picture in opened[1:]:
        picture.thumbnail((half, room))
        if below + picture.height > y + room:
            break
        page.paste(picture, (_MARGIN + half + 20, below))
        below += picture.height + 10
