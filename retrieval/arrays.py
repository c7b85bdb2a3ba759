"""Arrays on disk that are read by mapping and written a piece at a time, so that none has to fit into memory."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_PIECE = 1 << 24
"""Bytes that are read and written at once."""


def mapped(path: Path) -> NDArray[Any]:
    """The array of an `.npy` file, mapped read only; an empty one is read, since nothing can be mapped of it.

    Raises:
        OSError, ValueError: the file is not there, or is no plain array.
    """
    array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def create(path: Path, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """A new `.npy` file of this shape, mapped for writing.

    Raises:
        OSError: there is no room for it. Space is taken first, since a mapped page without any kills the process.
    """
    if 0 in shape:
        np.save(path, np.zeros(shape, dtype=dtype), allow_pickle=False)
        return np.zeros(shape, dtype=dtype)
    with path.open("wb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.flush()
        os.posix_fallocate(file.fileno(), 0, file.tell() + int(np.prod(shape)) * np.dtype(dtype).itemsize)
    array: NDArray[Any] = np.load(path, mmap_mode="r+", allow_pickle=False)
    return array


def release(array: NDArray[Any]) -> None:
    """Give a mapped array's pages back to the system; what was written stays in the file."""
    held = getattr(array, "_mmap", None)
    if held is not None:
        held.madvise(mmap.MADV_DONTNEED)


def pieces(array: NDArray[Any]) -> Iterator[slice]:
    """Slices of rows that together are the array, of about 16 MB each."""
    step = max(1, _PIECE // max(1, array.dtype.itemsize * int(np.prod(array.shape[1:]))))
    for start in range(0, len(array), step):
        yield slice(start, min(start + step, len(array)))


def joined(path: Path, old: NDArray[Any], new: NDArray[Any], keep: NDArray[np.bool_] | None = None) -> None:
    """Write the kept rows of `old` and then `new` to a file."""
    kept = len(old) if keep is None else int(keep.sum())
    out = create(path, (kept + len(new), *new.shape[1:]), new.dtype)
    at = 0
    for part in pieces(old):
        rows = old[part] if keep is None else old[part][keep[part]]
        out[at : at + len(rows)] = rows
        at += len(rows)
        release(old)
        release(out)
    out[at:] = new
    if isinstance(out, np.memmap):
        out.flush()
        release(out)


def ranges(starts: NDArray[Any], stops: NDArray[Any]) -> NDArray[np.int64]:
    """All numbers of several ranges [start, stop), one range after the other."""
    lengths = np.asarray(stops, dtype=np.int64) - starts
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    numbers: NDArray[np.int64] = np.arange(total, dtype=np.int64) + np.repeat(starts - (ends - lengths), lengths)
    return numbers


def bounds_of(lengths: Sequence[int] | NDArray[Any]) -> NDArray[np.int64]:
    """Where each row begins, and at the end where the last one stops: shape (rows + 1,)."""
    bounds = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=bounds[1:])
    return bounds
