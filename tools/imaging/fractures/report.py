"""Grading as data: what `consilium fracture grade --json` prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from core.errors import FileError
from core.types import Frozen
from tools.imaging.fractures.checks import ct_warnings, image_warnings
from tools.imaging.fractures.figure import draw_figure
from tools.imaging.fractures.genant import METHOD, Graded, grade_spine
from tools.imaging.fractures.heights import Measured, Thirds, Unmeasured, measure_spine
from tools.imaging.labels import Scheme, level_names
from tools.imaging.nifti import NiftiImage, is_mask, looks_like_ct, read_nifti
from tools.imaging.volume import Volume

MASK_ONLY = "graded from the mask alone, without the CT"


class ThirdValues(Frozen):
    """Anterior, middle and posterior third."""

    pre: float
    mid: float
    post: float


class LevelReport(Frozen):
    """One graded level; heights in mm, RHLV as a fraction."""

    level: str
    grade: int
    rhlv: ThirdValues
    heights_mm: ThirdValues
    expected_mm: ThirdValues
    shape: str
    method: str
    warnings: tuple[str, ...]


class SkippedLevel(Frozen):
    """A level that was not graded, and why."""

    level: str
    reason: str


class FractureReport(Frozen):
    """All levels of a mask."""

    levels: tuple[LevelReport, ...]
    skipped: tuple[SkippedLevel, ...]


@dataclass(frozen=True)
class Grading:
    """Graded levels, skipped levels, and warnings that hold for all."""

    graded: list[Graded]
    skipped: list[Unmeasured]
    warnings: tuple[str, ...]
    measured: tuple[Measured, ...] = ()


def grade_mask(
    labels: Volume,
    names: dict[int, str] | None = None,
    progress: Callable[[float, str], None] | None = None,
    ct: Volume | None = None,
) -> Grading:
    """Measure and grade every level of a mask; the CT on its grid, if given, is looked through for metal and contrast.

    Raises:
        FileError: it is no vertebra mask.
    """
    spine = measure_spine(labels, names, progress)
    graded, skipped = grade_spine(spine)
    if ct is None:
        return Grading(graded, skipped, spine.warnings, spine.measured)
    flagged = [replace(item, warnings=(*item.warnings, *ct_warnings(ct, labels, item.measured.value))) for item in graded]
    return Grading(flagged, skipped, (*spine.warnings, *image_warnings(ct)), spine.measured)


def as_report(grading: Grading, extra: tuple[str, ...] = ()) -> FractureReport:
    """The grading as data."""
    return FractureReport(
        levels=tuple(
            LevelReport(
                level=item.level,
                grade=item.grade,
                rhlv=_thirds(item.loss, 4),
                heights_mm=_thirds(item.measured.heights, 2),
                expected_mm=_thirds(item.expected.heights, 2),
                shape=item.shape,
                method=METHOD,
                warnings=(*item.warnings, *grading.warnings, *extra),
            )
            for item in grading.graded
        ),
        skipped=tuple(SkippedLevel(level=item.level, reason=item.reason) for item in grading.skipped),
    )


@dataclass(frozen=True)
class FileGrading:
    """What `grade_files` found: the image that is shown (the CT, or the mask without one), the mask, the grading."""

    image: Volume
    labels: Volume
    grading: Grading
    report: FractureReport


def read_and_grade(ct: Path | None, mask: Path, numbering: str) -> FileGrading:
    """Read a mask (and its CT) and grade it.

    Args:
        ct: CT on the same grid, or None: a mask alone is enough for heights and grades.
        mask: vertebra labels.
        numbering: "auto", "verse" or "totalsegmentator".

    Raises:
        FileError: a file cannot be read, is not what it is given as, or the two lie on different grids.
    """
    labels = _read(mask, "The mask").volume
    values = [int(v) for v in np.unique(np.asarray(labels.data)) if v > 0 and v == int(v)]
    names = level_names(values, _scheme(numbering)) or None
    image, extra = (labels, (MASK_ONLY,)) if ct is None else (_ct(ct, labels), ())
    grading = grade_mask(labels, names, ct=None if ct is None else image)
    return FileGrading(image, labels, grading, as_report(grading, extra))


def grade_files(ct: Path | None, mask: Path, out: Path, numbering: str) -> FractureReport:
    """Grade as `read_and_grade` does, and write `report.json` and `figure.png` into `out`, made when it is not there."""
    done = read_and_grade(ct, mask, numbering)
    write_report(done, out, is_ct=ct is not None)
    return done.report


def write_report(done: FileGrading, out: Path, *, is_ct: bool) -> None:
    """Write `report.json`, and `figure.png` when a level was graded."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(done.report.model_dump_json(indent=1), encoding="utf-8")
    if done.grading.graded:
        figure = draw_figure(done.image, done.labels, done.grading.graded, is_ct=is_ct, mark="")
        (out / "figure.png").write_bytes(figure)


def _scheme(numbering: str) -> Scheme | None:
    if numbering == "verse":
        return "verse"
    return "totalsegmentator" if numbering == "totalsegmentator" else None


def _ct(path: Path, labels: Volume) -> Volume:
    ct = _read(path, "The CT").volume
    if is_mask(np.asarray(ct.data)) and not looks_like_ct(np.asarray(ct.data)):
        raise FileError(
            "The CT holds only a few whole numbers: it looks like a mask. Give the CT first, the mask as --mask."
        )
    if not ct.same_grid(labels):
        raise FileError(
            f"The mask lies on another grid than the CT: it has {labels.data.shape} voxels of "
            f"{_mm(labels)} mm, the CT has {ct.data.shape} of {_mm(ct)} mm. Resample the mask to the CT."
        )
    return ct


def _read(path: Path, called: str) -> NiftiImage:
    if not path.is_file():
        raise FileError(f"{called} {path.name!r} is not there.")
    return read_nifti(path, f"{called} {path.name!r}")


def _mm(volume: Volume) -> str:
    return " x ".join(f"{s:.2f}" for s in volume.spacing_mm)


def _thirds(values: Thirds, digits: int) -> ThirdValues:
    pre, mid, post = (round(float(v), digits) for v in values)
    return ThirdValues(pre=pre, mid=mid, post=post)
