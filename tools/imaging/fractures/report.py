"""Grading as data: what `consilium fracture grade --json` prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import SettingError
from core.types import Frozen
from tools.imaging.fractures.checks import Flag, ct_warnings, image_warnings
from tools.imaging.fractures.genant import METHOD, Graded, grade_spine, grades_within
from tools.imaging.fractures.heights import Measured, Thirds, Unmeasured, measure_spine
from tools.imaging.labelling.making import make_mask
from tools.imaging.numbering import resolve
from tools.imaging.reading import dicom_files, read_ct, read_mask, read_volume
from tools.imaging.volume import Volume

_JITTER = 5
"""How often each level is measured with a shaken mask, for the interval."""
MASK_ONLY = Flag("mask_only", "graded from the mask alone, without the CT")


class ThirdValues(Frozen):
    """Anterior, middle and posterior third."""

    pre: float
    mid: float
    post: float


class Interval(Frozen):
    """95 % interval of the loss that gives the grade, a fraction, under the model of the expected height."""

    low: float
    high: float


class LevelReport(Frozen):
    """One graded level; heights in mm, losses as fractions.

    `rhlv` is the mean loss of each third, `genant_loss` the loss at the six points that Genant reads, whose largest value
    gives `grade`; `grade_range` are the grades within `interval`; `flags` are the fixed codes of `warnings`.
    """

    level: str
    grade: int
    rhlv: ThirdValues
    heights_mm: ThirdValues
    genant_loss: ThirdValues
    interval: Interval
    grade_range: tuple[int, int]
    expected_mm: ThirdValues
    shape: str
    method: str
    neighbours: tuple[str, ...]
    flags: tuple[str, ...]
    warnings: tuple[str, ...]


class SkippedLevel(Frozen):
    """A level that was not graded, and why."""

    level: str
    reason: str


class FractureReport(Frozen):
    """All levels of a mask."""

    numbering: str
    levels: tuple[LevelReport, ...]
    skipped: tuple[SkippedLevel, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grading:
    """Graded levels, skipped levels, and warnings that hold for all."""

    graded: list[Graded]
    skipped: list[Unmeasured]
    warnings: tuple[Flag, ...]
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
    spine = measure_spine(labels, names, progress, ct, _JITTER)
    graded, skipped = grade_spine(spine)
    if ct is None:
        return Grading(graded, skipped, spine.warnings, spine.measured)
    flagged = [replace(item, warnings=(*item.warnings, *ct_warnings(ct, labels, item.measured.value))) for item in graded]
    return Grading(flagged, skipped, (*spine.warnings, *image_warnings(ct)), spine.measured)


def as_report(grading: Grading, extra: tuple[Flag, ...] = (), numbering: str = "") -> FractureReport:
    """The grading as data."""
    return FractureReport(
        numbering=numbering,
        levels=tuple(
            LevelReport(
                level=item.level,
                grade=item.grade,
                rhlv=_thirds(item.loss, 4),
                heights_mm=_thirds(item.measured.heights, 2),
                genant_loss=_thirds(item.rim_loss, 4),
                interval=_interval(item),
                grade_range=grades_within(item),
                expected_mm=_thirds(item.expected.heights, 2),
                shape=item.shape,
                method=METHOD,
                neighbours=item.expected.neighbours,
                flags=tuple(flag.code for flag in (*item.warnings, *grading.warnings, *extra)),
                warnings=(*item.warnings, *grading.warnings, *extra),
            )
            for item in grading.graded
        ),
        warnings=(*grading.warnings, *extra),
        skipped=tuple(SkippedLevel(level=item.level, reason=item.reason) for item in grading.skipped),
    )


@dataclass(frozen=True)
class FileGrading:
    """The image that is shown (the CT, or the mask without one), the mask, the grading; `series`: the CT's DICOM files."""

    image: Volume
    labels: Volume
    grading: Grading
    report: FractureReport
    series: tuple[Path, ...] = ()


def read_and_grade(
    ct: Path | None,
    mask: Path | None,
    numbering: str = "auto",
    progress: Callable[[float, str], None] | None = None,
    confirmed: str = "",
) -> FileGrading:
    """Read a mask (and its CT) and grade it.

    Args:
        ct: CT (NIfTI, DICOM folder or zip), or None: a mask alone is enough for heights and grades.
        mask: vertebra labels; without one they are made by TotalSegmentator where it is in place, else by our own labeller.
        numbering: one of `numbering.NUMBERINGS`, or pairs such as "20=L1,21=L2".
        progress: called before each level.
        confirmed: a level of a CT without a mask that a person confirmed, such as "3=L1".

    Raises:
        FileError: a file cannot be read, is not what it is given as, or the two lie in different places.
        SettingError: the numbering is not allowed, or neither CT nor mask is given.
        MissingRequirement: there is no mask and none can be made with confidence, or a level must be confirmed.
    """
    if mask is None:
        if ct is None:
            raise SettingError("fracture grade needs CT or --mask SEG, got neither.")
        alone = read_volume(ct, f"The CT {ct.name!r}")
        made = make_mask(alone.volume, confirmed, progress)
        image, notes, numbering, labels = alone.volume, [*alone.notes, made.note], made.numbering, made.labels
    else:
        read = read_mask(mask)
        labels = read.volume
        image, notes = labels, list(read.notes)
    numbering_found = resolve(labels, numbering)
    if ct is not None and mask is not None:
        found = read_ct(ct, labels)
        image = found.volume
        notes += found.notes
    grading = grade_mask(labels, numbering_found.names, progress, None if ct is None else image)
    extra = (*(Flag("reading", note) for note in notes), *(() if ct else (MASK_ONLY,)))
    series = dicom_files(ct) if ct is not None else ()
    report = as_report(grading, extra, numbering_found.told)
    return FileGrading(image, labels, grading, report, series)


def _interval(item: Graded) -> Interval:
    worst = max(item.rim_loss)
    return Interval(low=round(worst - item.margin, 4), high=round(worst + item.margin, 4))


def _thirds(values: Thirds, digits: int) -> ThirdValues:
    pre, mid, post = (round(float(v), digits) for v in values)
    return ThirdValues(pre=pre, mid=mid, post=post)
