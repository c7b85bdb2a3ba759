"""Files that a person gives: recognised by their content, read, and put into the session's store.

One file that cannot be used never loses the others; each gives one message. Nothing that identifies a patient goes into a
title, a handle or a warning.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from core.errors import ConsiliumError, FileError, TooLarge
from core.ports import ArtifactStore
from core.pseudonym import Pseudonyms
from core.types import Artifact, NewArtifact
from tools.documents import add_pdf, looks_like_pdf
from tools.ehr.fhir import add_fhir, looks_like_fhir
from tools.imaging.archive import unpack
from tools.imaging.dicom import DicomFilm, DicomVolume, is_dicom, read_dicom
from tools.imaging.labels import level_names
from tools.imaging.marking import WARNING, file_says_synthetic, says_synthetic
from tools.imaging.nifti import is_mask, looks_like_ct, read_nifti
from tools.imaging.slices import volume_of
from tools.imaging.volume import Volume, save_volume

_HEAD = 64 * 1024
_MAX_PIXELS = 100_000_000
_ALLOWED = "DICOM (file, folder or zip), NIfTI, PNG, JPEG, PDF or FHIR JSON"
_SUFFIXES = {
    "nifti": (".nii", ".nii.gz"), "dicom": (".dcm", ".ima", ".dicom", ".img"), "zip": (".zip",), "png": (".png",),
    "jpeg": (".jpg", ".jpeg"), "fhir": (".json", ".ndjson", ".jsonl", ".txt"), "pdf": (".pdf",),
}  # fmt: skip


@dataclass(frozen=True)
class Intake:
    """What was taken in, and one message per file that could not be."""

    artifacts: tuple[Artifact, ...]
    problems: tuple[str, ...]


@dataclass
class _Batch:
    store: ArtifactStore
    pseudonyms: Pseudonyms | None = None
    artifacts: list[Artifact] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_files(paths: Sequence[Path], store: ArtifactStore, pseudonyms: Pseudonyms | None = None) -> Intake:
    """Read files and folders into the store. Volumes come before masks, so that a mask finds its volume.

    With `pseudonyms`, images remember whose they are by keyed hashes, so that a patient's own images are never offered as
    similar ones.
    """
    batch = _Batch(store, pseudonyms)
    files: list[Path] = []
    dicoms: list[Path] = []
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and not file.is_symlink():
                (dicoms if _safe_kind(file) == "dicom" else files).append(file)
        if not path.exists():
            batch.problems.append(f"{path.name!r} is not there.")
        elif path.is_dir() and not any(p.is_file() for p in path.rglob("*")):
            batch.problems.append(f"The folder {path.name!r} is empty.")
    if dicoms:
        _attempt(batch, f"{len(dicoms)} DICOM file{'s' if len(dicoms) > 1 else ''}", lambda: _add_dicom(dicoms, batch))
    masks: list[tuple[Path, Volume]] = []
    for file in files:
        _attempt(batch, repr(file.name), lambda file=file: _read_one(file, batch, masks))  # type: ignore[misc]
    for file, volume in masks:
        marked = file_says_synthetic(file)
        _attempt(batch, repr(file.name), lambda volume=volume, marked=marked: _add_mask(volume, store, synthetic=marked))  # type: ignore[misc]
    return Intake(tuple(batch.artifacts), tuple(batch.problems))


def _attempt(batch: _Batch, name: str, read: Callable[[], Artifact | None]) -> None:
    try:
        artifact = read()
    except ConsiliumError as error:
        batch.problems.append(f"{name}: {error}")
    else:
        if artifact is not None and artifact not in batch.artifacts:
            batch.artifacts.append(artifact)


def _safe_kind(path: Path) -> str:
    try:
        return kind_of(path)
    except FileError:
        return ""


def kind_of(path: Path) -> str:
    """What a file is, by its first bytes: nifti, dicom, zip, png, jpeg, pdf or fhir.

    Raises:
        FileError: it is empty, or nothing we read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise FileError(f"it cannot be opened: {error.strerror}.") from error
    if not head:
        raise FileError("it is empty (0 bytes).")
    if head[:4] == b"PK\x03\x04" or head[:4] == b"PK\x05\x06":
        return "zip"
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if head[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if looks_like_pdf(head):
        return "pdf"
    if head[:2] == b"\x1f\x8b" or head[344:348] in (b"n+1\0", b"ni1\0") or head[4:8] == b"n+2\0":
        return "nifti"
    if is_dicom(path):
        return "dicom"
    if looks_like_fhir(head):
        return "fhir"
    raise FileError(f"it is nothing that can be read here. Allowed: {_ALLOWED}.")


def _read_one(path: Path, batch: _Batch, masks: list[tuple[Path, Volume]]) -> Artifact | None:
    kind = kind_of(path)
    note = _name_note(path, kind)
    try:
        return _read_as(kind, path, batch, masks)
    except FileError as error:
        raise type(error)(f"{error}{note}") from error


def _read_as(kind: str, path: Path, batch: _Batch, masks: list[tuple[Path, Volume]]) -> Artifact | None:
    if kind == "zip":
        _add_zip(path, batch)
        return None
    if kind in ("png", "jpeg"):
        return _add_picture(path, batch.store, claims=_claimed(path), kind=kind)
    if kind == "pdf":
        return add_pdf(path, batch.store)
    if kind == "fhir":
        return add_fhir(path, batch.store)
    image = read_nifti(path, "The file")
    if is_mask(np.asarray(image.volume.data)):
        masks.append((path, image.volume))
        return None
    return _add_volume(image.volume, image.codes, None, None, (), batch.store, synthetic=file_says_synthetic(path))


def _claimed(path: Path) -> str:
    name = path.name.lower()
    return next((kind for kind, endings in _SUFFIXES.items() if name.endswith(endings)), "")


def _name_note(path: Path, kind: str) -> str:
    claimed = _claimed(path)
    return "" if claimed in ("", kind) else f" Its content is {kind}, its name says {claimed}."


def _add_zip(path: Path, batch: _Batch) -> None:
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder) / "files"
        inside.mkdir()
        paths = unpack(path, inside)
        if any(_safe_kind(file) == "zip" for file in paths):
            raise FileError("It holds another archive; unpack it first.")
        taken = read_files(paths, batch.store, batch.pseudonyms)
    batch.artifacts += taken.artifacts
    batch.problems += [f"{path.name!r}, inside: {problem}" for problem in taken.problems[:5]]
    if not taken.artifacts and not taken.problems:
        raise FileError(f"It holds nothing that can be read. Allowed: {_ALLOWED}.")


def _add_dicom(paths: list[Path], batch: _Batch) -> Artifact:
    read = read_dicom(paths, batch.pseudonyms)
    if isinstance(read, DicomFilm):
        return _add_film(read, batch.store)
    return _add_series(read, batch.store)


def _add_series(read: DicomVolume, store: ArtifactStore) -> Artifact:
    whose = (read.patient, read.study)
    return _add_volume(
        read.volume, read.codes, read.modality, read.body_part, read.warnings, store, whose, synthetic=read.synthetic
    )


def _add_film(read: DicomFilm, store: ArtifactStore) -> Artifact:
    buffer = io.BytesIO()
    Image.fromarray(read.pixels).save(buffer, format="PNG")
    rows, columns = read.pixels.shape
    part = f", {read.body_part.lower()}" if read.body_part else ""
    new = NewArtifact(
        kind="radiograph",
        title=f"Radiograph{part}, {columns} x {rows}",
        media_type="image/png",
        modality=read.modality,
        body_part=read.body_part,
        view=read.view,
        shape=(rows, columns),
        spacing_mm=read.spacing_mm or (),
        patient=read.patient,
        study=read.study,
        synthetic=read.synthetic,
        warnings=(*read.warnings, *((WARNING,) if read.synthetic else ())),
    )
    return store.add(buffer.getvalue(), new, ".png")


def _add_volume(
    volume: Volume,
    codes: str,
    modality: str | None,
    body_part: str | None,
    warnings: tuple[str, ...],
    store: ArtifactStore,
    whose: tuple[str, str] = ("", ""),
    *,
    synthetic: bool = False,
) -> Artifact:
    data = np.asarray(volume.data)
    if modality is None:
        modality = "CT" if looks_like_ct(data) else None
        if modality is None:
            warnings = (*warnings, "The file does not tell its modality, and its values are not those of a CT in HU.")
    if modality == "CT":
        volume = Volume(np.clip(np.round(data), -32768, 32767).astype(np.int16), volume.affine)
    shape, spacing = volume.data.shape, volume.spacing_mm
    if max(spacing) > 3.0 + 1e-3 and modality == "CT":
        warnings = (*warnings, f"Slices of {max(spacing):.1f} mm are thick: heights are less certain.")
    part = f", {body_part.lower()}" if body_part else ""
    size = " x ".join(str(n) for n in shape)
    new = NewArtifact(
        kind="volume",
        title=f"{modality or 'Volume'}{part}, {size}, voxels of {' x '.join(f'{s:.2f}' for s in spacing)} mm",
        media_type="application/x-nifti",
        modality=modality,
        body_part=body_part,
        shape=shape,
        spacing_mm=spacing,
        orientation=codes,
        patient=whose[0],
        study=whose[1],
        synthetic=synthetic,
        warnings=(*warnings, WARNING) if synthetic else warnings,
    )
    return _store_volume(volume, new, store)


def _add_mask(volume: Volume, store: ArtifactStore, *, synthetic: bool = False) -> Artifact:
    data = np.asarray(volume.data).astype(np.int16)
    volume = Volume(data, volume.affine)
    volumes = [artifact for artifact in store.list() if artifact.kind == "volume"]
    of = next((a for a in reversed(volumes) if volume_of(store, a.handle).same_grid(volume)), None)
    warnings: tuple[str, ...] = ()
    if of is None and volumes:
        handles = ", ".join(artifact.handle for artifact in volumes)
        warnings = (f"It lies on another grid than {handles}, so it belongs to none of them.",)
    names = level_names([int(v) for v in np.unique(data) if v > 0])
    new = NewArtifact(
        kind="mask",
        title=f"Mask with {len(names)} vertebrae" if names else "Mask without vertebra labels",
        media_type="application/x-nifti",
        shape=data.shape,
        spacing_mm=volume.spacing_mm,
        orientation="RAS",
        labels=tuple(names.values()),
        of=of.handle if of else None,
        simulated=bool(of and of.simulated),
        synthetic=synthetic or bool(of and of.synthetic),
        warnings=warnings,
    )
    return _store_volume(volume, new, store)


def _store_volume(volume: Volume, new: NewArtifact, store: ArtifactStore) -> Artifact:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "volume.nii"
        save_volume(volume, path)
        return store.add(path, new, ".nii")


def _add_picture(path: Path, store: ArtifactStore, *, claims: str, kind: str) -> Artifact:
    if claims in ("nifti", "dicom", "fhir", "zip"):
        raise FileError("It is a picture.")
    try:
        with Image.open(path) as image:
            if image.width * image.height > _MAX_PIXELS:
                raise TooLarge(f"A picture may have {_MAX_PIXELS} pixels; this one has {image.width} x {image.height}.")
            image.load()
            plain = image.convert("RGB") if image.mode not in ("L", "I;16") else image.copy()
            synthetic = says_synthetic(image)
    except Image.DecompressionBombError as error:
        raise TooLarge(f"A picture may have {_MAX_PIXELS} pixels; this one has more.") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise FileError(f"The picture is truncated or damaged: {str(error)[:100]}.") from error
    buffer = io.BytesIO()
    plain.save(buffer, format="PNG")  # written anew, so that no metadata of the file is kept
    new = NewArtifact(
        kind="image",
        title=f"Picture, {plain.width} x {plain.height}",
        media_type="image/png",
        shape=(plain.height, plain.width),
        synthetic=synthetic,
        warnings=(
            "A picture tells neither modality nor scale: nothing can be measured in mm.",
            *((WARNING,) if synthetic else ()),
        ),
    )
    return store.add(buffer.getvalue(), new, ".png")
