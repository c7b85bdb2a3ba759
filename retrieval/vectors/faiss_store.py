"""The reference vector store: exact up to 200,000 vectors, above that FAISS IVF with 8-bit codes, scored again exactly.

The vectors themselves lie in a mapped file, and whatever finds candidates, the scores returned are exact inner
products. No HNSW: it cannot delete, and loses most of its recall under a restrictive filter.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from core.errors import InputError
from retrieval.arrays import create, joined, mapped, pieces, release

Ids = NDArray[np.int64]
Floats = NDArray[np.float32]

FILES = ("vectors.npy", "vector_ids.npy", "ann.faiss", "ann.json")
EXACT_UP_TO = 200_000
"""Vectors that are searched one by one: 75 million products, some 20 ms on one core."""
_EXACT_SHARE = 0.2
"""A filter that keeps less than this is searched exactly, whatever the size."""
_SAMPLES_PER_LIST = 48
_RETRAIN_AT = 4
"""The lists are made anew when there are this many times the vectors they were made for."""
_AIM, _DEPTH = 0.995, 100
_CHECKS = 128


class FaissStore:
    """Vectors in a folder. `exact_up_to` is for tests.

    Raises:
        OSError, ValueError: a file is missing or damaged.
    """

    def __init__(self, folder: Path, exact_up_to: int = EXACT_UP_TO) -> None:
        self.folder = folder
        self._exact_up_to = exact_up_to
        self._open()

    @classmethod
    def create(cls, folder: Path, dimension: int, exact_up_to: int = EXACT_UP_TO) -> FaissStore:
        """An empty store in a folder that is there."""
        create(folder / FILES[0], (0, dimension), np.float32)
        create(folder / FILES[1], (0,), np.int64)
        return cls(folder, exact_up_to)

    def _open(self) -> None:
        self.vectors: Floats = mapped(self.folder / FILES[0])
        self.ids: Ids = np.asarray(mapped(self.folder / FILES[1]))
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.ids):
            raise ValueError(f"{len(self.ids)} ids but vectors of shape {self.vectors.shape}")
        self._ann: Any = None
        if (self.folder / FILES[2]).is_file():
            self._ann = faiss.read_index(str(self.folder / FILES[2]))
            settings = json.loads((self.folder / FILES[3]).read_text(encoding="utf-8"))
            self._ann.nprobe = settings["nprobe"]

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.vectors.shape[1])

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, ids: Ids, vectors: Floats) -> None:
        """Add vectors; those of ids that are there are replaced."""
        check(self.dimension, ids, vectors)
        self._rewritten(np.asarray(ids, dtype=np.int64), np.asarray(ids, dtype=np.int64), vectors)

    def remove(self, ids: Ids) -> None:
        """Remove vectors; ids that are not there are ignored."""
        self._rewritten(np.asarray(ids, dtype=np.int64), np.zeros(0, np.int64), np.zeros((0, self.dimension), np.float32))

    def get(self, ids: Ids) -> Floats:
        """Vectors of shape (len(ids), dimension).

        Raises:
            InputError: an id is not there.
        """
        rows = self._rows(np.asarray(ids, dtype=np.int64))
        if len(rows) != len(ids):
            raise InputError("A vector was asked for that is not in the store.")
        found: Floats = np.asarray(self.vectors[rows])
        return found

    def search(self, vector: Floats, k: int, allowed: Ids | None = None) -> tuple[Ids, Floats]:
        """The `k` nearest by inner product, best first, of the ids in `allowed` (ascending) when given."""
        if allowed is not None and (self._ann is None or len(allowed) < _EXACT_SHARE * len(self.ids)):
            rows = self._rows(allowed)
            return self._best(self.ids[rows], _products(self.vectors, rows, vector), k)
        if self._ann is None:
            return self._best(self.ids, self.vectors @ vector, k)
        return self._approximate(vector, k, allowed)

    def _rows(self, ids: Ids) -> Ids:
        """Where ids lie; those that are not there are left out."""
        at = np.searchsorted(self.ids, ids)
        at[at == len(self.ids)] = 0
        rows: Ids = at[self.ids[at] == ids] if len(self.ids) else at[:0]
        return rows

    def _approximate(self, vector: Floats, k: int, allowed: Ids | None) -> tuple[Ids, Floats]:
        parameters = faiss.SearchParametersIVF()
        parameters.nprobe = self._ann.nprobe
        if allowed is not None:
            bits = np.zeros(int(self.ids[-1]) + 1, dtype=np.bool_)
            bits[allowed[allowed < len(bits)]] = True
            packed = np.packbits(bits, bitorder="little")
            parameters.sel = faiss.IDSelectorBitmap(len(packed), faiss.swig_ptr(packed))
        _, found = self._ann.search(vector[None], min(k + _DEPTH, len(self.ids)), params=parameters)
        ids = np.sort(found[0][found[0] >= 0])
        return self._best(ids, _products(self.vectors, np.searchsorted(self.ids, ids), vector), k)

    @staticmethod
    def _best(ids: Ids, scores: Floats, k: int) -> tuple[Ids, Floats]:
        k = min(k, len(ids))
        if k == 0:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        part = np.sort(np.argpartition(-scores, k - 1)[:k])
        part = part[np.argsort(-scores[part], kind="stable")]
        part = part[np.isfinite(scores[part])]
        return ids[part], scores[part]

    def _rewritten(self, drop: Ids, ids: Ids, vectors: Floats) -> None:
        beside = self.folder / f"building-{os.getpid()}"
        beside.mkdir()
        try:
            write(beside, self, drop, ids, vectors, self._exact_up_to)
            for name in FILES:
                (self.folder / name).unlink(missing_ok=True)
                if (beside / name).is_file():
                    (beside / name).replace(self.folder / name)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        self._open()

    @property
    def ann(self) -> Any:
        """The FAISS index that finds candidates; None while the search is exact."""
        return self._ann


def write(folder: Path, old: FaissStore, drop: Ids, ids: Ids, vectors: Floats, exact_up_to: int = EXACT_UP_TO) -> None:
    """Write a store to `folder`: `old` without `drop`, and then the new vectors."""
    keep = None if not len(drop) else ~np.isin(old.ids, drop)
    kept = old.ids if keep is None else old.ids[keep]
    order = np.argsort(ids, kind="stable")
    if len(kept) and len(ids) and ids[order[0]] <= kept[-1]:
        _write_sorted(folder, old, keep, ids, vectors)
    else:
        joined(folder / FILES[0], old.vectors, np.asarray(vectors[order], dtype=np.float32), keep)
        joined(folder / FILES[1], old.ids, np.asarray(ids[order], dtype=np.int64), keep)
    total = len(kept) + len(ids)
    if total > exact_up_to:
        _write_ann(folder, old, drop, ids, vectors)


def _write_sorted(folder: Path, old: FaissStore, keep: NDArray[np.bool_] | None, ids: Ids, vectors: Floats) -> None:
    """The rare case that new ids come before old ones."""
    rows = np.arange(len(old.ids)) if keep is None else np.flatnonzero(keep)
    every = np.concatenate([old.ids[rows], ids])
    order = np.argsort(every, kind="stable")
    out = create(folder / FILES[0], (len(every), old.dimension), np.float32)
    out[:] = np.concatenate([old.vectors[rows], vectors])[order]
    np.save(folder / FILES[1], every[order], allow_pickle=False)


def _write_ann(folder: Path, old: FaissStore, drop: Ids, ids: Ids, vectors: Floats) -> None:
    stored: Floats = mapped(folder / FILES[0])
    every: Ids = np.asarray(mapped(folder / FILES[1]))
    settings = json.loads((old.folder / FILES[3]).read_text(encoding="utf-8")) if old.ann is not None else None
    if settings and len(every) < _RETRAIN_AT * settings["made_for"]:
        index = old.ann
        if len(drop):
            index.remove_ids(drop)
        if len(ids):
            index.add_with_ids(np.ascontiguousarray(vectors, dtype=np.float32), np.asarray(ids, dtype=np.int64))
    else:
        index = _trained(stored)
        for part in pieces(stored):
            index.add_with_ids(np.ascontiguousarray(stored[part]), every[part])
            release(stored)
        settings = {"made_for": len(every), "nprobe": _lists_to_read(index, stored, every)}
    faiss.write_index(index, str(folder / FILES[2]))
    (folder / FILES[3]).write_text(json.dumps(settings), encoding="utf-8")


def _trained(stored: Floats) -> Any:
    dimension = stored.shape[1]
    lists = 1 << int(np.log2(max(16, len(stored) ** 0.5)) + 0.5)
    size = min(len(stored), _SAMPLES_PER_LIST * lists)
    rows = np.sort(np.random.default_rng(2026).choice(len(stored), size=size, replace=False))
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(dimension), dimension, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    index.cp.niter = 8
    index.cp.max_points_per_centroid = _SAMPLES_PER_LIST
    index.train(np.ascontiguousarray(stored[rows]))
    return index


def _lists_to_read(index: Any, stored: Floats, ids: Ids) -> int:
    """The fewest lists that find .995 of the true 10 nearest of sampled vectors, doubled: questions are no vectors."""
    rows = np.random.default_rng(7).choice(len(stored), size=min(_CHECKS, len(stored)), replace=False)
    asked = np.ascontiguousarray(stored[rows])
    truth = _true_nearest(stored, ids, asked)
    lists = int(index.nlist)
    probes = 4
    while probes < lists:
        index.nprobe = probes
        _, found = index.search(asked, 10 + _DEPTH)
        share = np.mean([len(np.intersect1d(a, b)) / len(a) for a, b in zip(truth, found, strict=True)])
        if share >= _AIM:
            break
        probes *= 2
    return min(lists, 2 * probes)


def _true_nearest(stored: Floats, ids: Ids, asked: Floats) -> Ids:
    best = np.full((len(asked), 10), -np.inf, dtype=np.float32)
    names = np.full((len(asked), 10), -1, dtype=np.int64)
    for part in pieces(stored):
        scores = np.concatenate([best, asked @ stored[part].T], axis=1)
        every = np.concatenate([names, np.broadcast_to(ids[part], (len(asked), part.stop - part.start))], axis=1)
        top = np.argpartition(-scores, min(9, scores.shape[1] - 1), axis=1)[:, :10]
        best, names = np.take_along_axis(scores, top, 1), np.take_along_axis(every, top, 1)
        release(stored)
    return names


def _products(vectors: Floats, rows: Ids, vector: Floats) -> Floats:
    """Inner products of some rows, a piece at a time."""
    found = np.zeros(len(rows), dtype=np.float32)
    for start in range(0, len(rows), 20_000):
        part = rows[start : start + 20_000]
        found[start : start + len(part)] = vectors[part] @ vector
    return found


def check(dimension: int, ids: Ids, vectors: Floats) -> None:
    """Refuse what does not belong together.

    Raises:
        InputError: a vector per id of the store's dimension is needed, each id once.
    """
    if vectors.shape != (len(ids), dimension):
        raise InputError(f"{len(ids)} vectors of length {dimension} are needed; got an array of shape {vectors.shape}.")
    if len(np.unique(ids)) != len(ids):
        raise InputError("An id is given twice.")
