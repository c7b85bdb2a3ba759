"""Whether a file says of itself that it is synthetic: marks that our own exports carry, and the DICOM attribute for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from pydicom import Dataset

WARNING = "The file says that it is synthetic: it was generated and is not evidence about a patient."
_WORD = "SYNTHETIC"


def picture_is_synthetic(image: Image.Image) -> bool:
    """PNG text `Synthetic: true`."""
    return str(image.info.get("Synthetic", "")).lower() in ("true", "yes")


def dataset_is_synthetic(dataset: Dataset) -> bool:
    """Synthetic Data (0008,001C) YES, Conversion Type SYN, or the word in Image Type."""
    values = [str(value).upper() for value in (dataset.get("ImageType") or ())]
    said = (str(dataset.get("SyntheticData", "")).upper(), str(dataset.get("ConversionType", "")).upper())
    return said[0] == "YES" or said[1] == "SYN" or _WORD in values


def nifti_is_synthetic(path: Path) -> bool:
    """A NIfTI header whose description begins with the word."""
    import gzip

    with path.open("rb") as file:
        head = file.read(2)
    with gzip.open(path) if head == b"\x1f\x8b" else path.open("rb") as stream:
        header = stream.read(540)
    # `descrip`, 80 bytes: at 148 in NIfTI-1, at 240 in NIfTI-2.
    start = 240 if header[4:7] == b"n+2" else 148
    return header[start : start + len(_WORD)] == _WORD.encode()
