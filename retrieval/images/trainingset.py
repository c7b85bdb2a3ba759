"""What the image trainer reads: a MedMNIST-style `.npz`, or pictures with a table beside them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import FileError
from retrieval.images.pictures import SIZE, as_squares

TABLE = "metadata.csv"
ReadPixels = Callable[[Path], NDArray[np.generic]]


@dataclass(frozen=True)
class TrainingSet:
    """Pictures (n, 32, 32) as the encoder sees them, a class per picture (-1 unknown), a report per picture ("" none)."""

    pictures: NDArray[np.float32]
    labels: NDArray[np.int64]
    reports: tuple[str, ...]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.pictures)


def read_training_set(folder: Path, read_pixels: ReadPixels) -> TrainingSet:
    """The training pictures of a folder.

    Either one `.npz` with `train_images` (n, rows, columns) and `train_labels`, or `metadata.csv` with the columns
    `file` and, where known, `label`, `report` and `split` (only rows without a split or of `train` are read).

    Raises:
        FileError: neither is there, a column is missing, or nothing is left to train on.
    """
    arrays = sorted(folder.glob("*.npz"))
    if (folder / TABLE).is_file():
        return _from_table(folder, read_pixels)
    if len(arrays) == 1:
        return _from_arrays(arrays[0])
    raise FileError(
        f"{folder.name!r} must hold one .npz with train_images and train_labels, or {TABLE} with a column 'file'; "
        f"got {len(arrays)} .npz files and no {TABLE}."
    )


def read_arrays(path: Path, split: str) -> tuple[NDArray[np.generic], NDArray[np.int64]]:
    """Images and labels of one split of a `.npz` in the MedMNIST layout (no pickled objects are read).

    Raises:
        FileError: the arrays are not there or do not fit each other.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            images, labels = stored[f"{split}_images"], stored[f"{split}_labels"]
    except (OSError, KeyError, ValueError) as error:
        raise FileError(f"{path.name!r} must hold {split}_images and {split}_labels: {error}.") from error
    if images.ndim == 4:
        images = images.mean(axis=-1)
    if images.ndim != 3 or len(images) != len(labels):
        raise FileError(f"{split}_images of {path.name!r} must be (n, rows, columns) with n labels, got {images.shape}.")
    return images, labels.reshape(len(labels), -1)[:, 0].astype(np.int64)


def read_groups(path: Path, split: str) -> NDArray[np.str_] | None:
    """`{split}_groups` of a `.npz`: the subgroup of each picture, such as a sex, an age band or a device; None for none.

    Raises:
        FileError: there is not one group per picture.
    """
    with np.load(path, allow_pickle=False) as stored:
        if f"{split}_groups" not in stored:
            return None
        groups, pictures = stored[f"{split}_groups"].reshape(-1).astype(str), len(stored[f"{split}_labels"])
    if len(groups) != pictures:
        raise FileError(f"{split}_groups of {path.name!r} must have one group per picture: {pictures}, got {len(groups)}.")
    return np.asarray(groups)


def _from_arrays(path: Path) -> TrainingSet:
    images, labels = read_arrays(path, "train")
    classes = tuple(str(value) for value in np.unique(labels))
    return TrainingSet(as_squares(list(images)), labels, ("",) * len(labels), classes)


def _from_table(folder: Path, read_pixels: ReadPixels) -> TrainingSet:
    with (folder / TABLE).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or "file" not in rows[0]:
        raise FileError(f"{TABLE} needs a header with the column 'file'; got {list(rows[0]) if rows else 'no rows'}.")
    rows = [row for row in rows if row.get("split", "") in ("", "train")]
    if not rows:
        raise FileError(f"No row of {TABLE} is for training (split empty or 'train').")
    names = [row.get("label") or "" for row in rows]
    classes = tuple(sorted({name for name in names if name}))
    return TrainingSet(
        as_squares([read_pixels(folder / row["file"]) for row in rows], SIZE),
        _codes(names, classes),
        tuple(row.get("report") or "" for row in rows),
        classes,
    )


def _codes(names: Sequence[str], classes: Sequence[str]) -> NDArray[np.int64]:
    code = {name: number for number, name in enumerate(classes)}
    return np.asarray([code.get(name, -1) for name in names], dtype=np.int64)
