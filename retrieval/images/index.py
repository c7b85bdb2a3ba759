"""An image index on disk: pictures with what is known of them, their vectors, and what is near by chance.

A generation (see `retrieval.folder`) holds:

    manifest.json     format, encoder, counts, hashes of the other files, the null distributions
    store.sqlite      one row per picture: key, pseudonyms, label, report, hash, thumbnail
    vectors.faiss     one unit vector per picture, by row (inner product)
    regions.faiss     five unit vectors per picture (its quarters and its centre) in half precision, by 8 * row + region

Nothing is pickled. Names and identifiers of patients are never stored, only pseudonyms.
"""

from __future__ import annotations

import hashlib
import io
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import IndexDamaged, InputError
from core.ports import ImageEncoder, Picture
from core.types import Frozen
from retrieval.folder import GenerationFolder
from retrieval.generation import open_store, sha256
from retrieval.images.hashing import BITS, difference_hash
from retrieval.images.null import NullDistribution, null_of
from retrieval.images.regions import STRIDE, regions_of

FORMAT = 1
_BATCH = 500
"""Pictures per generation while adding, at first: what is lost at most when the writer is killed."""
_GROWTH, _MOST = 4, 10_000
"""Later a quarter of what is there: each write copies the whole, so their number must stay low."""
_THUMBNAIL = 160
_ENCODER = "ENCODER"
_FILES = ("store.sqlite", "vectors.faiss", "regions.faiss")
_SCHEMA = """
CREATE TABLE pictures (row INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, patient TEXT NOT NULL, study TEXT NOT NULL,
    label TEXT NOT NULL, report TEXT NOT NULL, modality TEXT NOT NULL, body_part TEXT NOT NULL, view TEXT NOT NULL,
    synthetic INTEGER NOT NULL, hash BLOB NOT NULL, digest TEXT NOT NULL, thumbnail BLOB NOT NULL);
CREATE INDEX pictures_patient ON pictures (patient);
CREATE INDEX pictures_study ON pictures (study);
"""
_MARKED = "CREATE INDEX IF NOT EXISTS pictures_synthetic ON pictures (row) WHERE synthetic = 1"
"""Without it every search would read the table, thumbnails included."""


def encoder_of(folder: Path) -> str:
    """What to load as the encoder of an index folder, as told to `ImageIndex.create`; empty for the usual one."""
    path = folder / _ENCODER
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


class ImageManifest(Frozen):
    """What a generation is made of."""

    format: int
    encoder: str
    dimension: int
    pictures: int
    files: dict[str, str]
    null: NullDistribution
    created: datetime


class ImageChange(Frozen):
    """What a write did."""

    added: int = 0
    replaced: int = 0
    unchanged: int = 0

    def plus(self, other: ImageChange) -> ImageChange:
        """Both together."""
        return ImageChange(**{name: getattr(self, name) + getattr(other, name) for name in ImageChange.model_fields})


@dataclass(frozen=True)
class ImageGeneration:
    """A generation that is open for reading; it stays readable after a newer one became current."""

    folder: Path
    manifest: ImageManifest
    store: sqlite3.Connection
    vectors: Any
    rows: NDArray[np.int64]
    hashes: NDArray[np.uint8]
    """(n, 32): the difference hash of each row in `rows`."""

    @cached_property
    def regions(self) -> Any:
        """Vectors of the regions: five times as many as pictures, read when the first box is asked for."""
        return faiss.read_index(str(self.folder / "regions.faiss"))


class ImageIndex:
    """An image index folder: create, add, remove, and open for search."""

    def __init__(self, folder: Path, encoder: ImageEncoder) -> None:
        self.folder = folder
        self.encoder = encoder
        self._generations = GenerationFolder(folder)

    @property
    def name(self) -> str:
        """The folder's name is the index's name."""
        return self.folder.name

    def create(self, force: bool = False, encoder: str = "") -> None:
        """Make an empty index; `encoder` is what to load for it (a path or URL), empty for the usual one.

        Raises:
            InputError: there is one already and `force` is not set.
        """
        if self._generations.current() and not force:
            raise InputError(f"There is an image index {self.name!r} already; --force empties it.")
        with self._generations.lock():
            self._write(None, frozenset(), [])
            (self.folder / _ENCODER).write_text(encoder, encoding="utf-8")

    def add(
        self, pictures: Iterable[Picture], report: Callable[[ImageChange], None] | None = None, batch: int = _BATCH
    ) -> ImageChange:
        """Add pictures; the same picture under the same key again is a no-op, another one replaces it.

        Written in batches: what `report` was told is safely on disk, so an add that was killed is taken up by adding again.
        """
        total = ImageChange()
        remaining = iter(pictures)
        with self._generations.lock():
            known = self._known()
            while chunk := list(islice(remaining, max(batch, min(len(known) // _GROWTH, _MOST)))):
                total = total.plus(self._add_batch(chunk, known))
                if report:
                    report(total)
        return total

    def remove(self, keys: Sequence[str]) -> int:
        """Remove pictures by key; returns how many were there."""
        with self._generations.lock():
            there = frozenset(keys) & self._known().keys()
            if there:
                self._write(self._generations.current(), there, [])
        return len(there)

    def current_folder(self) -> Path | None:
        """Where the current generation lies; None when there is none."""
        return self._generations.current()

    def current(self) -> ImageGeneration:
        """Open the current generation.

        Raises:
            IndexDamaged: there is none, it is damaged, or it was built with another encoder.
        """
        folder = self._generations.current()
        if folder is None:
            raise IndexDamaged(f"There is no image index {self.name!r}. Make it: consilium image-index create {self.name}")
        return self._open(folder)

    def verify(self) -> list[str]:
        """What is wrong with the current generation; empty when nothing is."""
        try:
            generation = self.current()
        except IndexDamaged as error:
            return [str(error)]
        with closing(generation.store):
            found = [
                f"{name} has changed since it was written"
                for name, digest in generation.manifest.files.items()
                if sha256(generation.folder / name) != digest
            ]
            ids = faiss.vector_to_array(generation.vectors.id_map).tolist()
            if sorted(ids) != generation.rows.tolist():
                found.append(f"{len(generation.rows)} pictures, but {len(ids)} vectors")
        return found

    def _open(self, folder: Path) -> ImageGeneration:
        repair = f"Make it again: consilium image-index create {self.name} --force"
        try:
            manifest = ImageManifest.model_validate_json((folder / "manifest.json").read_text(encoding="utf-8"))
            store = open_store(folder)
            vectors = faiss.read_index(str(folder / _FILES[1]))
            stored = store.execute("SELECT row, hash FROM pictures ORDER BY row").fetchall()
        except (OSError, ValueError, RuntimeError, sqlite3.Error) as error:
            raise IndexDamaged(f"Image index {self.name!r} is damaged ({error}). {repair}") from error
        if (manifest.encoder, manifest.dimension) != (self.encoder.identity, self.encoder.dimension):
            raise IndexDamaged(
                f"The image index {self.name!r} was built with {manifest.encoder}, "
                f"the encoder is {self.encoder.identity}. {repair}"
            )
        rows = np.asarray([row for row, _ in stored], dtype=np.int64)
        hashes = np.frombuffer(b"".join(code for _, code in stored), dtype=np.uint8).reshape(len(stored), BITS // 8)
        return ImageGeneration(folder, manifest, store, vectors, rows, hashes)

    def _known(self) -> dict[str, str]:
        """Key to the digest of picture and metadata."""
        if self._generations.current() is None:
            return {}
        with closing(self.current().store) as store:
            return dict(store.execute("SELECT key, digest FROM pictures").fetchall())

    def _add_batch(self, chunk: list[Picture], known: dict[str, str]) -> ImageChange:
        wanted = {picture.key: (picture, _digest(picture)) for picture in chunk}
        fresh = {key: pair for key, pair in wanted.items() if known.get(key) != pair[1]}
        replaced = frozenset(fresh) & known.keys()
        if fresh or not self._generations.current():
            self._write(self._generations.current(), replaced, [picture for picture, _ in fresh.values()])
        known.update((key, digest) for key, (_, digest) in fresh.items())
        return ImageChange(added=len(fresh) - len(replaced), replaced=len(replaced), unchanged=len(wanted) - len(fresh))

    def _write(self, start: Path | None, drop: frozenset[str], add: list[Picture]) -> None:
        self._generations.write(lambda folder: self._build(folder, start, drop, add))

    def _build(self, building: Path, start: Path | None, drop: frozenset[str], add: list[Picture]) -> None:
        with closing(_store_at(building, start)) as store:
            vectors, regions = self._vectors_at(start)
            gone = [store.execute("SELECT row FROM pictures WHERE key = ?", (key,)).fetchone()[0] for key in drop]
            store.executemany("DELETE FROM pictures WHERE row = ?", ((row,) for row in gone))
            rows = _insert(store, add)
            store.commit()
            if gone:
                vectors.remove_ids(np.asarray(gone, dtype=np.int64))
                regions.remove_ids(np.asarray([STRIDE * row + i for row in gone for i in range(STRIDE)], dtype=np.int64))
            if add:
                vectors.add_with_ids(encode_pictures(self.encoder, add), rows)
                self._add_regions(regions, rows, add)
            null = null_of(vectors, _groups(store))
        for name, index in zip(_FILES[1:], (vectors, regions), strict=True):
            faiss.write_index(index, str(building / name))
        manifest = ImageManifest(
            format=FORMAT,
            encoder=self.encoder.identity,
            dimension=self.encoder.dimension,
            pictures=vectors.ntotal,
            files={name: sha256(building / name) for name in _FILES},
            null=null,
            created=datetime.now(UTC),
        )
        (building / "manifest.json").write_text(manifest.model_dump_json(indent=1), encoding="utf-8")

    def _vectors_at(self, start: Path | None) -> tuple[Any, Any]:
        if start is None:
            size = self.encoder.dimension
            half = faiss.IndexScalarQuantizer(size, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
            return faiss.IndexIDMap2(faiss.IndexFlatIP(size)), faiss.IndexIDMap2(half)
        generation = self._open(start)
        generation.store.close()
        return generation.vectors, generation.regions

    def _add_regions(self, regions: Any, rows: NDArray[np.int64], add: list[Picture]) -> None:
        crops, ids = [], []
        for row, picture in zip(rows, add, strict=True):
            for number, crop in regions_of(picture.pixels):
                crops.append(crop)
                ids.append(STRIDE * int(row) + number)
        if crops:
            regions.add_with_ids(self.encoder.encode(crops), np.asarray(ids, dtype=np.int64))


def encode_pictures(encoder: ImageEncoder, pictures: Sequence[Picture]) -> NDArray[np.float32]:
    """One unit vector per picture; a picture of several parts is their mean."""
    parts = [picture.parts or (picture.pixels,) for picture in pictures]
    vectors = encoder.encode([part for several in parts for part in several])
    ends = np.cumsum([len(several) for several in parts])
    means = np.asarray([rows.mean(axis=0) for rows in np.split(vectors, ends[:-1])], dtype=np.float32)
    return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), dtype=np.float32)


def _store_at(building: Path, start: Path | None) -> sqlite3.Connection:
    """The next generation's SQLite file: a copy of the current one, or empty."""
    store = sqlite3.connect(building / "store.sqlite")
    # Nothing reads this file before it is complete and synced: a journal would only cost time.
    store.execute("PRAGMA journal_mode = OFF")
    store.execute("PRAGMA synchronous = OFF")
    if start is None:
        store.executescript(_SCHEMA)
    else:
        with closing(open_store(start)) as current:
            current.backup(store)
    store.execute(_MARKED)
    return store


def _insert(store: sqlite3.Connection, pictures: list[Picture]) -> NDArray[np.int64]:
    first = store.execute("SELECT coalesce(max(row), -1) + 1 FROM pictures").fetchone()[0]
    rows = range(first, first + len(pictures))
    store.executemany(
        "INSERT INTO pictures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (row, p.key, p.patient, p.study, p.label, p.report, p.modality, p.body_part, p.view, int(p.synthetic),
             difference_hash(p.pixels), _digest(p), _thumbnail(p.pixels))
            for row, p in zip(rows, pictures, strict=True)
        ),
    )  # fmt: skip
    return np.asarray(rows, dtype=np.int64)


def _groups(store: sqlite3.Connection) -> dict[int, str]:
    """Row to what must not be paired with itself in the null distribution: the patient, else the study, else the row."""
    found = store.execute("SELECT row, patient, study FROM pictures")
    return {row: patient or study or f"row {row}" for row, patient, study in found}


def _digest(picture: Picture) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(picture.pixels).tobytes())
    told = (picture.pixels.shape, picture.patient, picture.study, picture.label, picture.report, picture.view)
    digest.update(repr(told).encode())
    return digest.hexdigest()


def _thumbnail(pixels: NDArray[np.generic]) -> bytes:
    values = pixels.astype(np.float32)
    low, high = (float(v) for v in np.percentile(values, (0.5, 99.5)))
    grey = np.round(255 * np.clip((values - low) / max(high - low, 1e-6), 0, 1)).astype(np.uint8)
    image = Image.fromarray(grey)
    image.thumbnail((_THUMBNAIL, _THUMBNAIL))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
