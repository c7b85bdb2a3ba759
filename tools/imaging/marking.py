"""Files that say of themselves that they are synthetic: written into what we make, read from what a person attaches."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel as nib
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tools.imaging.volume import Volume

if TYPE_CHECKING:
    from pydicom import Dataset

MARK = "SYNTHETIC"
WARNING = "The file says that it is synthetic: it was generated and is not evidence about a patient."
DESCRIPTION = "SYNTHETIC: not a picture of a patient"
_PNG_KEY = "Consilium"


def save_synthetic(volume: Volume, path: Path) -> None:
    """Write a NIfTI file whose header says that it is synthetic; gzipped when the name ends in `.gz`."""
    image = nib.Nifti1Image(volume.data, volume.affine, dtype=volume.data.dtype)
    image.header["descrip"] = DESCRIPTION.encode()
    nib.save(image, path)


def synthetic_png(image: Image.Image, about: dict[str, str | int | float]) -> bytes:
    """A PNG that carries `about` and the mark as text; the mark in the pixels is the caller's to draw."""
    info = PngInfo()
    info.add_text(_PNG_KEY, json.dumps({"synthetic": True, "statement": DESCRIPTION, **about}))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", pnginfo=info, compress_level=1)
    return buffer.getvalue()


def says_synthetic(image: Image.Image) -> bool:
    """Whether a loaded picture carries our mark as text, or PNG text `Synthetic: true`."""
    if str(image.info.get("Synthetic", "")).lower() in ("true", "yes"):
        return True
    return '"synthetic": true' in str(image.info.get(_PNG_KEY, ""))


def dataset_says_synthetic(dataset: Dataset) -> bool:
    """Synthetic Data (0008,001C) YES, Conversion Type SYN, or the word in Image Type."""
    values = [str(value).upper() for value in (dataset.get("ImageType") or ())]
    said = (str(dataset.get("SyntheticData", "")).upper(), str(dataset.get("ConversionType", "")).upper())
    return said[0] == "YES" or said[1] == "SYN" or MARK in values


def file_says_synthetic(path: Path) -> bool:
    """Whether the description of a NIfTI header, plain or gzipped, begins with the word."""
    with path.open("rb") as file:
        gzipped = file.read(2) == b"\x1f\x8b"
    with gzip.open(path) if gzipped else path.open("rb") as stream:
        header = stream.read(540)
    # `descrip`, 80 bytes: at 148 in NIfTI-1, at 240 in NIfTI-2.
    start = 240 if header[4:7] == b"n+2" else 148
    return header[start : start + len(MARK)] == MARK.encode()
