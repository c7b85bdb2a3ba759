"""What `fracture grade --out DIR` writes: data, pictures, a page, and DICOM objects."""

from __future__ import annotations

from pathlib import Path

from core.errors import MissingRequirement
from tools.imaging.fractures.before_after import draw_before_after
from tools.imaging.fractures.dicom_export import write_dicom
from tools.imaging.fractures.figure import draw_figure
from tools.imaging.fractures.loss_map import draw_map
from tools.imaging.fractures.pdf_page import write_pdf
from tools.imaging.fractures.report import FileGrading, FractureReport, read_and_grade

_TITLE = "Vertebral heights and Genant grades"


def grade_files(ct: Path | None, mask: Path, out: Path, numbering: str) -> FractureReport:
    """Grade as `read_and_grade` does, and write everything into `out`, made when it is not there."""
    done = read_and_grade(ct, mask, numbering)
    write_report(done, out, is_ct=ct is not None)
    return done.report


def write_report(done: FileGrading, out: Path, *, is_ct: bool) -> tuple[str, ...]:
    """Write `report.json`, and when a level was graded `figure.png`, `report.pdf`, `segmentation.dcm` and `report.dcm`.

    Every deformed level also gives `LEVEL_map.png` (loss over the cross-section) and `LEVEL_before_after.png`.

    Returns:
        What could not be written, and how to get it.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(done.report.model_dump_json(indent=1), encoding="utf-8")
    graded = done.grading.graded
    if not graded:
        return ()
    pictures = [draw_figure(done.image, done.labels, graded, is_ct=is_ct, mark="")]
    (out / "figure.png").write_bytes(pictures[0])
    for item in graded:
        if item.grade == 0:
            continue
        both = draw_before_after(done.image, item, is_ct=is_ct), draw_map(item)
        for name, data in zip(("before_after", "map"), both, strict=True):
            (out / f"{item.level}_{name}.png").write_bytes(data)
        pictures += both
    write_pdf(done.report, pictures, out / "report.pdf", _TITLE)
    try:
        write_dicom(done.labels, graded, out, done.series)
    except MissingRequirement as missing:
        return (str(missing),)
    return ()
