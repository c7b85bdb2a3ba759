"""Folders of images, with or without a table of what is known of them, as pictures to index."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import ConsiliumError, FileError
from core.ports import Picture, PictureReader
from retrieval.images.pictures import as_square
from retrieval.images.trainingset import TABLE

Skip = Callable[[str, str], None]
Pseudonym = Callable[[str], str]
_SPLITS = ("train", "val", "test")


def read_pictures(folder: Path, reader: PictureReader, pseudonym: Pseudonym, skipped: Skip) -> Iterator[Picture]:
    """Every image below a folder in name order; what cannot be used is told to `skipped` (name, reason) and passed over.

    `metadata.csv` may say more of a file: columns `file`, and any of `patient`, `study` (turned into pseudonyms),
    `label`, `report`, `modality`, `body_part`, `view`. A `.npz` in the MedMNIST layout gives one picture per row.

    Raises:
        FileError: the folder is not there, or its table cannot be read.
    """
    if not folder.exists():
        raise FileError(f"{folder.name!r} is not there.")
    table = _table(folder) if folder.is_dir() else {}
    paths = (
        sorted(path for path in folder.rglob("*") if path.is_file() and path.name != TABLE) if folder.is_dir() else [folder]
    )
    missing = table.keys() - {_name(path, folder) for path in paths}
    for name in sorted(missing):
        skipped(name, f"{TABLE} names it, but it is not there.")
    for path in paths:
        name = _name(path, folder)
        try:
            pictures = tuple(_array_pictures(path)) if path.suffix == ".npz" else reader.read(path)
            told = [
                _told(picture, name + picture.key.removeprefix(path.name), table.get(name, {}), pseudonym)
                for picture in pictures
            ]
            for picture in told:
                as_square(picture.pixels)  # what no encoder could read is skipped here, with its reason
        except ConsiliumError as error:
            skipped(name, str(error))
            continue
        yield from told


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if folder.is_dir() else path.name


def _table(folder: Path) -> dict[str, dict[str, str]]:
    path = folder / TABLE
    if not path.is_file():
        return {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FileError(f"{TABLE} cannot be read as UTF-8 CSV: {error}.") from error
    if rows and "file" not in rows[0]:
        raise FileError(f"{TABLE} needs a column 'file'; it has {', '.join(str(name) for name in rows[0])}.")
    return {row["file"]: row for row in rows}


def _told(picture: Picture, key: str, row: dict[str, str], pseudonym: Pseudonym) -> Picture:
    return replace(
        picture,
        key=key,
        label=row.get("label") or picture.label,
        report=row.get("report") or picture.report,
        modality=row.get("modality") or picture.modality,
        body_part=row.get("body_part") or picture.body_part,
        view=row.get("view") or picture.view,
        patient=pseudonym(row.get("patient") or "") or picture.patient,
        study=pseudonym(row.get("study") or "") or picture.study,
    )


def array_rows(path: Path) -> Iterator[tuple[str, NDArray[np.generic]]]:
    """Every array of pictures in a `.npz`, (n, rows, columns): `train_images`, `val_images`, `test_images`, others by name.

    Pictures of three colour channels are averaged to grey.

    Raises:
        FileError: there is none, or the file cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise FileError(f"{path.name!r} cannot be read as .npz: {error}.") from error
    usual = [f"{split}_images" for split in _SPLITS]
    found = False
    for name in sorted(arrays, key=lambda name: (usual.index(name) if name in usual else len(usual), name)):
        images = arrays[name]
        if images.ndim == 4 and images.shape[3] in (1, 3):
            images = images.mean(axis=3)
        if images.ndim == 3 and min(images.shape[1:]) >= 8:
            found = True
            yield name.removesuffix("_images"), images
    if not found:
        raise FileError(f"{path.name!r} holds no pictures: arrays of (n, rows, columns) are needed.")


def _array_pictures(path: Path) -> Iterator[Picture]:
    """Rows of a `.npz`, labelled by class number where there are labels."""
    with np.load(path, allow_pickle=False) as stored:
        labels = {name.removesuffix("_labels"): stored[name] for name in stored.files if name.endswith("_labels")}
    for name, images in array_rows(path):
        known = labels.get(name)
        for row, pixels in enumerate(images):
            label = "" if known is None else str(int(np.ravel(known[row])[0]))
            yield Picture(pixels, f"{path.name}/{name}-{row:06d}", label=label)
