"""Cases to evaluate on: simulated patients, compressed real ones, and graded ones from a folder in the VerSe layout."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from core.errors import FileError
from tools.imaging.compression import Kind, Squeeze, compress_levels, rim_loss, true_loss
from tools.imaging.fractures.heights import Measured, measure_spine
from tools.imaging.labels import LEVELS, VERSE
from tools.imaging.nifti import read_nifti
from tools.imaging.simulated_spine import SpineTruth, plan_spine, random_fracture, render
from tools.imaging.volume import Volume

Group = Literal["healthy", "single", "adjacent"]
_FIRST = LEVELS.index("T4")
_LAST = LEVELS.index("L5")


@dataclass(frozen=True)
class Expectation:
    """What is known of one level. Heights are known only where we made the fracture; the grade always."""

    grade: int
    group: Group
    truth: SpineTruth | None = None


@dataclass(frozen=True)
class Case:
    """One patient; the CT, on the mask's grid, only where it was asked for."""

    patient: str
    mask: Volume
    known: dict[str, Expectation]
    ct: Volume | None = None


def grade_of_truth(truth: SpineTruth) -> int:
    """Genant grade of the true loss; written apart from the grader so that a slip there cannot hide."""
    worst = truth.genant_loss
    return sum(worst >= bound - 1e-9 for bound in (0.20, 0.25, 0.40))


def simulated_cases(fractures: int, seed: int, *, with_ct: bool = False) -> Iterator[Case]:
    """Patients until `fractures` vertebrae are fractured: two with an adjacent pair and a single one, one with two singles.

    Grades 1, 2 and 3 are drawn equally often; levels, spacing and the part of the spine that is in view at random.
    """
    made, number = 0, 0
    while made < fractures:
        rng = np.random.default_rng([seed, number, 3])
        length = int(rng.integers(8, 15))
        start = int(rng.integers(_FIRST, _LAST - length + 2))
        levels = LEVELS[start : start + length]
        places = _places(rng, length, pair=number % 3 < 2)[: fractures - made]
        chosen = {levels[place]: random_fracture(rng, int(rng.integers(1, 4))) for place in places}
        spine = render(plan_spine(int(rng.integers(2**31)), levels, chosen), with_ct=with_ct)
        yield Case(f"sim-{seed}-{number}", spine.mask, _known(spine.truth), spine.ct if with_ct else None)
        made, number = made + len(chosen), number + 1


def compressed_cases(folder: Path, fractures: int, seed: int, *, with_ct: bool = False) -> Iterator[Case]:
    """The real spines of a folder, their vertebrae compressed; only vertebrae not known to be fractured are used."""
    cases = list(graded_cases(folder, needs_grades=False, with_ct=with_ct))
    if not cases:
        raise FileError(f"{folder} holds no masks named *_seg-vert_msk.nii.gz or *_msk.nii.gz.")
    spines = [(case, measure_spine(case.mask).measured) for case in cases]
    usable = [(case, measured) for case, measured in spines if len(measured) >= 4 and _intact(case, measured)]
    if not usable:
        raise FileError(
            f"No mask in {folder} has four vertebrae that can be measured, one of them not known to be fractured: the least "
            "needed to compress some."
        )
    made, number = 0, 0
    while made < fractures:
        case, measured = usable[number % len(usable)]
        rng = np.random.default_rng([seed, number, 4])
        pair = number % 2 == 0
        intact = _intact(case, measured)
        places = _places(rng, len(measured), pair=pair)[: 2 if pair and len(measured) > 4 else 1][: fractures - made]
        squeezes = [_squeeze(rng, measured[place]) for place in places if measured[place].level in intact]
        ct, mask = compress_levels(case.ct, case.mask, squeezes)
        truth = {item.level: SpineTruth(item.heights, item.heights) for item in measured if item.level in intact}
        for squeeze in squeezes:
            before, loss = squeeze.level.heights, true_loss(squeeze.kind, squeeze.severity)
            a, m, p = (height * (1 - part) for height, part in zip(before, loss, strict=True))
            truth[squeeze.level.level] = SpineTruth(before, (a, m, p), squeeze.kind, squeeze.severity)
        number += 1
        if squeezes:
            made += len(squeezes)
            yield Case(case.patient, mask, _known(truth), ct)


def _intact(case: Case, measured: Sequence[Measured]) -> set[str]:
    """Levels that no expert called fractured."""
    return {item.level for item in measured if item.level not in case.known or case.known[item.level].grade == 0}


def graded_cases(folder: Path, *, needs_grades: bool = True, with_ct: bool = False) -> Iterator[Case]:
    """Masks of a folder in the VerSe layout with their expert grades.

    Args:
        folder: holds `*_seg-vert_msk.nii.gz` (at any depth) and, for grades, a JSON object such as
            `{"sub-verse012_17": 0}` (subject, underscore, VerSe value; it may be nested in splits) or a CSV with the
            columns subject, level, grade.
        needs_grades: pass over subjects without any.
        with_ct: also read `X_ct.nii.gz` where it lies beside the mask on the same grid.

    Raises:
        FileError: the folder is not there, a grade file cannot be read, or no mask has grades.
    """
    if not folder.is_dir():
        raise FileError(f"The folder {str(folder)!r} is not there.")
    grades = _grades(folder)
    found = False
    for path in sorted(folder.rglob("*_msk.nii*")):
        subject = path.name.split("_seg")[0].split("_msk")[0]
        known = {level: Expectation(grade, "single") for level, grade in grades.get(subject, {}).items()}
        if "subreg" in path.name or (needs_grades and not known):
            continue
        found = True
        mask = read_nifti(path, f"The mask {path.name!r}").volume
        yield Case(subject, mask, _grouped(known), _ct_beside(path, subject, mask) if with_ct else None)
    if needs_grades and not found:
        raise FileError(
            f"No mask in {folder} has expert grades. Wanted: sub-X_seg-vert_msk.nii.gz and grades as JSON "
            '{"sub-X_20": 0, ...} (20 is L1) or CSV with the columns subject, level, grade.'
        )


def _ct_beside(mask_path: Path, subject: str, mask: Volume) -> Volume | None:
    path = next(iter(sorted(mask_path.parent.glob(f"{subject}_ct.nii*"))), None)
    ct = read_nifti(path, f"The CT {path.name!r}").volume if path else None
    return ct if ct is not None and ct.same_grid(mask) else None


def _places(rng: np.random.Generator, length: int, *, pair: bool) -> list[int]:
    """Which vertebrae are fractured; single ones never touch another fracture."""
    first = int(rng.integers(length - 1 if pair else length))
    taken = [first, first + 1] if pair else [first]
    free = [place for place in range(length) if all(abs(place - other) > 1 for other in taken)]
    return taken + ([int(rng.choice(free))] if free else [])


def _squeeze(rng: np.random.Generator, level: Measured) -> Squeeze:
    low, high = ((0.20, 0.25), (0.25, 0.40), (0.40, 0.55))[int(rng.integers(3))]
    kinds: tuple[Kind, ...] = ("wedge", "biconcave", "crush")
    kind = kinds[int(rng.integers(3))]
    return Squeeze(level, kind, min(float(rng.uniform(low, high)) / max(rim_loss(kind, 1.0)), 0.7))


def _known(truth: dict[str, SpineTruth]) -> dict[str, Expectation]:
    return _grouped({level: Expectation(grade_of_truth(known), "healthy", known) for level, known in truth.items()})


def _grouped(known: dict[str, Expectation]) -> dict[str, Expectation]:
    """Tell fractures beside another fracture from single ones."""
    fractured = {LEVELS.index(level) for level, item in known.items() if item.grade > 0}
    grouped: dict[str, Expectation] = {}
    for level, item in known.items():
        place = LEVELS.index(level)
        group: Group = "healthy"
        if place in fractured:
            group = "adjacent" if {place - 1, place + 1} & fractured else "single"
        grouped[level] = Expectation(item.grade, group, item.truth)
    return grouped


def _grades(folder: Path) -> dict[str, dict[str, int]]:
    grades: dict[str, dict[str, int]] = {}
    for path in sorted([*folder.glob("*.json"), *folder.glob("*.csv")]):
        for subject, level, grade in _json_grades(path) if path.suffix == ".json" else _csv_grades(path):
            grades.setdefault(subject, {})[level] = grade
    return grades


def _json_grades(path: Path) -> list[tuple[str, str, int]]:
    try:
        content: object = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FileError(f"The grade file {path.name!r} is not JSON: {error}.") from error
    found: list[tuple[str, str, int]] = []
    waiting = [content]
    while waiting:
        entry = waiting.pop()
        if not isinstance(entry, dict):
            continue
        for key, value in entry.items():
            subject, _, number = str(key).rpartition("_")
            if isinstance(value, dict):
                waiting.append(value)
            elif subject and number.isdigit() and int(number) in VERSE and value in (0, 1, 2, 3):
                found.append((subject, VERSE[int(number)], int(value)))
    return found


def _csv_grades(path: Path) -> list[tuple[str, str, int]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if rows and not {"subject", "level", "grade"} <= set(rows[0]):
        raise FileError(f"The grade file {path.name!r} needs the columns subject, level, grade; it has {list(rows[0])}.")
    wrong = [row for row in rows if row["grade"] not in ("0", "1", "2", "3") or row["level"].upper() not in LEVELS]
    if wrong:
        raise FileError(f"The grade file {path.name!r} has a row that is no level T1-L6 with a grade 0-3: {wrong[0]}.")
    return [(row["subject"], row["level"].upper(), int(row["grade"])) for row in rows]
