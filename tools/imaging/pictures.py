"""Files as grey pictures for an image index: `core.ports.PictureReader`."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import FileError, TooLarge
from core.ports import ArtifactStore, Picture
from core.pseudonym import Pseudonyms
from core.types import Artifact, Plane
from tools.imaging.dicom import DicomFilm, is_dicom, read_dicom
from tools.imaging.nifti import looks_like_ct, read_nifti
from tools.imaging.reading import is_nifti
from tools.imaging.render import AXIS, oriented
from tools.imaging.slices import film_of, volume_of
from tools.imaging.volume import Volume
from tools.imaging.windows import apply_window, window_for

_MAX_PIXELS = 100_000_000
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*", b"BM")
"""How PNG, JPEG, TIFF and BMP begin."""
_PLACES = (0.35, 0.5, 0.65)
"""Where along each axis the key slices of a volume lie, as shares of its length."""
_COLOURED = 0.08
"""Mean spread of the colour channels, as a share of full scale, from which a picture is a colour photograph."""


class FilmReader:
    """DICOM, NIfTI, PNG, JPEG, TIFF and BMP files to pictures."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms

    def read(self, path: Path) -> tuple[Picture, ...]:
        """The picture of a film; a volume's key slices, and all of them together as `#volume`.

        Raises:
            FileError: it cannot be read, is a colour photograph, or is no image.
        """
        with path.open("rb") as file:
            head = file.read(8)
        if not head:
            raise FileError("It is empty (0 bytes).")
        if head.startswith(_PICTURES):
            return (Picture(_grey(path), path.name),)
        if zipfile.is_zipfile(path):
            raise FileError("Archives are not indexed; unpack it and give the folder.")
        if is_dicom(path):
            return self._dicom(path)
        if not is_nifti(path):
            raise FileError("It is none of DICOM, NIfTI, PNG, JPEG, TIFF and BMP.")
        volume = read_nifti(path, "The file").volume
        return volume_pictures(volume, path.name, is_ct=looks_like_ct(np.asarray(volume.data)))

    def _dicom(self, path: Path) -> tuple[Picture, ...]:
        read = read_dicom([path], self._pseudonyms)
        if isinstance(read, DicomFilm):
            return (
                Picture(
                    read.pixels, path.name, modality=read.modality, body_part=read.body_part or "", view=read.view or "",
                    patient=read.patient, study=read.study,
                ),
            )  # fmt: skip
        raise FileError("A slice of a series is indexed as a volume: give NIfTI.")


def picture_of(store: ArtifactStore, artifact: Artifact, plane: Plane | None = None, index: int | None = None) -> Picture:
    """An artifact of the session as a query: a film as it is, a volume as its key slices or as the slice asked for."""
    if artifact.kind != "volume":
        return _described(Picture(film_of(store, artifact.handle), artifact.handle), artifact)
    volume = volume_of(store, artifact.handle)
    is_ct = artifact.modality == "CT"
    if plane is None:
        return _described(volume_pictures(volume, artifact.handle, is_ct=is_ct)[-1], artifact)
    middle = volume.data.shape[AXIS[plane]] // 2
    pixels = _slice(volume, plane, middle if index is None else index, is_ct)
    return _described(Picture(pixels, artifact.handle), artifact)


def _described(picture: Picture, artifact: Artifact) -> Picture:
    return replace(
        picture,
        key=artifact.handle,
        modality=artifact.modality or "",
        body_part=artifact.body_part or "",
        view=artifact.view or "",
        patient=artifact.patient,
        study=artifact.study,
        synthetic=artifact.synthetic,
    )


def volume_pictures(volume: Volume, name: str, *, is_ct: bool) -> tuple[Picture, ...]:
    """Nine key slices (three along each axis) in radiological convention, and last the volume as all of them.

    CT is shown in the bone window. Slices of one grey (outside the body) are left out.

    Raises:
        FileError: no slice shows anything.
    """
    pictures = []
    modality = "CT" if is_ct else ""
    for plane, axis in AXIS.items():
        for share in _PLACES:
            index = int(share * (volume.data.shape[axis] - 1))
            pixels = _slice(volume, plane, index, is_ct)
            if min(pixels.shape) >= 8 and np.ptp(pixels.astype(np.float32)) > 0:
                pictures.append(Picture(pixels, f"{name}#{plane}-{index}", modality=modality, view=plane))
    if not pictures:
        raise FileError("No slice of the volume shows anything.")
    middle = pictures[len(pictures) // 2].pixels
    whole = Picture(middle, f"{name}#volume", parts=tuple(p.pixels for p in pictures), modality=modality)
    return (*pictures, whole)


def _slice(volume: Volume, plane: Plane, index: int, is_ct: bool) -> NDArray[np.generic]:
    """At true aspect: the coarser axis is stretched to the finer one's spacing."""
    values = np.asarray(oriented(volume.data, plane, index))
    width, level, _ = window_for(None, values, is_ct=is_ct)
    across, up = (axis for axis in range(3) if axis != AXIS[plane])
    fine = min(volume.spacing_mm[across], volume.spacing_mm[up])
    size = (
        max(round(values.shape[1] * volume.spacing_mm[across] / fine), 1),
        max(round(values.shape[0] * volume.spacing_mm[up] / fine), 1),
    )
    image = Image.fromarray(apply_window(np.ascontiguousarray(values), width, level))
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR))


def _grey(path: Path) -> NDArray[np.generic]:
    try:
        with Image.open(path) as image:
            if image.width * image.height > _MAX_PIXELS:
                raise TooLarge(f"A picture may have {_MAX_PIXELS} pixels; this one has {image.width} x {image.height}.")
            if (pages := getattr(image, "n_frames", 1)) > 1:
                raise FileError(f"It holds {pages} pictures; give them as files of their own.")
            if image.mode in ("I;16", "I", "F", "L"):
                return np.asarray(image)
            colours = np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise FileError(f"The picture is truncated or damaged: {str(error).replace(str(path), path.name)[:100]}.") from error
    if is_coloured(colours):
        raise FileError("It is a colour picture (a photograph or a screenshot); the index holds grey images.")
    return np.asarray(colours.mean(axis=2))


def is_coloured(colours: NDArray[np.uint8]) -> bool:
    """Whether a picture (rows x columns x 3) has colours rather than greys."""
    sample = colours[:: max(1, colours.shape[0] // 256), :: max(1, colours.shape[1] // 256)].astype(np.float32)
    return float((sample.max(axis=2) - sample.min(axis=2)).mean()) > 255 * _COLOURED
