"""`consilium fracture label`: a CT in, a mask and a numbered picture out."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from core.types import Frozen
from tools.imaging.labelling.labeller import label_vertebrae
from tools.imaging.labelling.picture import draw_numbered
from tools.imaging.reading import read_volume

MASK_NAME, PICTURE_NAME = "labels.nii.gz", "numbered.png"


class FoundLevel(Frozen):
    """One vertebra: number from the head, level ("" when not told), confidence 0 to 1."""

    number: int
    level: str
    confidence: float


class LabelReport(Frozen):
    """What was found. Where `settled` is false the mask holds numbers from the head, no levels."""

    settled: bool
    told: str
    vertebrae: tuple[FoundLevel, ...]
    files: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def label_files(ct: Path, out: Path | None, confirmed: str = "") -> LabelReport:
    """Label a CT; with `out`, made when it is not there, mask and picture are written.

    Raises:
        FileError: the CT cannot be read, or no spine can be followed in it with confidence.
        SettingError: `confirmed` is not NUMBER=LEVEL, or there is no such vertebra.
    """
    read = read_volume(ct, f"The CT {ct.name!r}")
    found = label_vertebrae(read.volume, confirmed)
    files: tuple[str, ...] = ()
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(np.asarray(found.mask.data), found.mask.affine), out / MASK_NAME)
        (out / PICTURE_NAME).write_bytes(draw_numbered(read.volume, found, ""))
        files = (MASK_NAME, PICTURE_NAME)
    return LabelReport(
        settled=found.levels.settled,
        told=found.levels.told,
        vertebrae=tuple(FoundLevel(number=v.number, level=v.level, confidence=v.confidence) for v in found.vertebrae),
        files=files,
        warnings=read.notes,
    )
