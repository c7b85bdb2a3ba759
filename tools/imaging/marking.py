"""Files that say of themselves that they are synthetic: written into what we make, read from what a person attaches."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import nibabel as nib
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tools.imaging.volume import Volume

MARK = "SYNTHETIC"
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
    """Whether a loaded picture carries our mark as text."""
    return '"synthetic": true' in str(image.info.get(_PNG_KEY, ""))


def file_says_synthetic(path: Path) -> bool:
    """Whether a NIfTI-1 file, plain or gzipped, carries our mark in its header."""
    with path.open("rb") as file:
        gzipped = file.read(2) == b"\x1f\x8b"
    with gzip.open(path) if gzipped else path.open("rb") as stream:
        head = stream.read(348)
    return head[148 : 148 + len(DESCRIPTION)] == DESCRIPTION.encode()
