"""Neighbours of a picture: never its own patient or a copy of it, and none where nothing is near."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from core.errors import IndexDamaged, InputError
from core.ports import Neighbour, NeighbourOutcome, Picture
from retrieval.images.hashing import difference_hash, hash_distances
from retrieval.images.index import ImageGeneration, ImageIndex, encode_pictures
from retrieval.images.pairs import with_text
from retrieval.images.regions import STRIDE, Box, crop, nearest_region

_COPY_BITS = 20
"""Of 256: of 600 chest films of 28 x 28 pixels, 1 in 100 has another picture nearer than this; recompressed and rescaled
copies lie within it in 95 of 100."""
_COPY_COSINE = 0.98
_SAME_COSINE = 0.9995
_SAME_BITS = 8
"""So few differing bits mean a copy whatever the vectors say."""
_NEAR = 50
"""How many of the nearest are looked at for copies."""
_COLUMNS = "row, key, patient, study, label, report, modality, body_part, view, synthetic, thumbnail"


@dataclass(frozen=True)
class _Candidates:
    """Rows that may be neighbours, nearest first, with their cosines."""

    rows: NDArray[np.int64]
    cosines: NDArray[np.float32]


_NONE = _Candidates(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32))


class ImageSearch:
    """`core.ports.ImageSearcher` over one index; safe to use from several threads."""

    def __init__(self, index: ImageIndex) -> None:
        self._index = index
        self._lock = threading.Lock()
        self._generation: ImageGeneration | None = None

    def search(
        self, query: Picture, k: int, box: Box | None = None, include_synthetic: bool = False, text: str = ""
    ) -> NeighbourOutcome:
        """At most `k` neighbours of a picture, or of the part of it in `box`, nearest first.

        With a `text`, of the picture and the text together, where the encoder reads text; whether the nearest is near
        enough is then not judged.

        Raises:
            IndexDamaged: the index is not there, is damaged, or was built with another encoder.
            InputError: `k` is under 1, the box is not inside the picture, or the encoder cannot read the text.
        """
        if k < 1:
            raise InputError(f"k must be 1 or more, got {k}.")
        start = time.perf_counter()
        asked = replace(query, pixels=crop(query.pixels, box), parts=()) if box else query
        alone = encode_pictures(self._index.encoder, [asked])
        vector = with_text(self._index.encoder, asked, alone, text) if text.strip() else alone
        encoded = time.perf_counter()
        generation = self._current()
        own = self._own_rows(generation, query)
        nearest = _nearest_of_all(generation, vector, k) if box is None else _NONE
        like = nearest if vector is alone else _nearest_of_all(generation, alone, k)
        copies = self._copies(generation, query, like, own) if box is None else frozenset()
        allowed = self._allowed(generation, own | copies, include_synthetic)
        all_may = box is None and bool(np.isin(nearest.rows, allowed).all())
        found = nearest if all_may else _nearest(generation, vector, allowed, k, box)
        neighbours = self._neighbours(generation, found, k)
        timings = {"encode": encoded - start, "search": time.perf_counter() - encoded}
        return self._outcome(generation, neighbours, len(own), len(copies), timings, gate=box is None and not text.strip())

    def search_text(self, text: str, k: int) -> NeighbourOutcome:
        """Pictures that a description fits, where the encoder reads text.

        Raises:
            InputError: the encoder reads no text, or the text is empty.
        """
        if not text.strip():
            raise InputError("The description is empty.")
        vector = self._index.encoder.encode_texts([text])
        generation = self._current()
        found = _nearest(generation, vector, self._allowed(generation, frozenset(), False), k, None)
        # Cosines between text and picture lie on another scale than those between pictures: the null does not apply.
        return self._outcome(generation, self._neighbours(generation, found, k), 0, 0, {}, gate=False)

    def _current(self) -> ImageGeneration:
        with self._lock:
            if self._generation is None or self._index.current_folder() != self._generation.folder:
                self._generation = self._index.current()
            return self._generation

    def _own_rows(self, generation: ImageGeneration, query: Picture) -> frozenset[int]:
        """Rows of the query's patient or study."""
        rows: set[int] = set()
        with self._lock:
            for column, value in (("patient", query.patient), ("study", query.study)):
                if value:
                    sql = f"SELECT row FROM pictures WHERE {column} = ?"  # noqa: S608 - a name of ours
                    rows.update(row for (row,) in generation.store.execute(sql, (value,)))
        return frozenset(rows)

    def _copies(
        self, generation: ImageGeneration, query: Picture, nearest: _Candidates, own: frozenset[int]
    ) -> frozenset[int]:
        """Rows that show the query itself under another name, and the rest of those pictures' patients."""
        if not len(generation.rows):
            return frozenset()
        cosines, rows = nearest.cosines[:_NEAR], nearest.rows[:_NEAR]
        bits = hash_distances(difference_hash(query.pixels), generation.hashes)
        near_bits = bits[np.searchsorted(generation.rows, rows)]
        copy = (cosines >= _SAME_COSINE) | ((near_bits <= _COPY_BITS) & (cosines >= _COPY_COSINE))
        copies = {int(row) for row in rows[copy]} | {int(row) for row in generation.rows[bits <= _SAME_BITS]}
        return frozenset(copies | self._mates(generation, copies)) - own

    def _mates(self, generation: ImageGeneration, rows: set[int]) -> set[int]:
        """All rows of the patients of some rows: a copy tells whose picture the query is."""
        sql = "SELECT row FROM pictures WHERE patient IN (SELECT patient FROM pictures WHERE row = ? AND patient != '')"
        with self._lock:
            return {mate for row in rows for (mate,) in generation.store.execute(sql, (row,))}

    def _allowed(self, generation: ImageGeneration, excluded: frozenset[int], include_synthetic: bool) -> NDArray[np.int64]:
        rows = generation.rows
        if not include_synthetic:
            with self._lock:
                marked = [row for (row,) in generation.store.execute("SELECT row FROM pictures WHERE synthetic = 1")]
            rows = rows[~np.isin(rows, marked)] if marked else rows
        return rows[~np.isin(rows, list(excluded))] if excluded else rows

    def _neighbours(self, generation: ImageGeneration, found: _Candidates, k: int) -> list[Neighbour]:
        """The best picture of each patient: ten slices of one patient are one case."""
        neighbours: list[Neighbour] = []
        seen: set[str] = set()
        for row, cosine in zip(found.rows, found.cosines, strict=True):
            with self._lock:
                sql = f"SELECT {_COLUMNS} FROM pictures WHERE row = ?"  # noqa: S608 - names of ours
                stored = generation.store.execute(sql, (int(row),)).fetchone()
            case = stored[2] or stored[3] or stored[1].split("#")[0]
            if case in seen:
                continue
            seen.add(case)
            neighbours.append(_neighbour(stored, float(cosine), generation))
            if len(neighbours) == k:
                break
        return neighbours

    def _outcome(
        self,
        generation: ImageGeneration,
        neighbours: Sequence[Neighbour],
        own: int,
        copies: int,
        timings: dict[str, float],
        gate: bool,
    ) -> NeighbourOutcome:
        number = len(generation.rows)
        searched = f"{number} {'picture' if number == 1 else 'pictures'} in {self._index.name!r}"
        far = bool(neighbours) and gate and generation.manifest.null.is_far(neighbours[0].similarity)
        return NeighbourOutcome(
            neighbours=() if far else tuple(neighbours),
            searched=searched,
            same_patient=own,
            duplicates=copies,
            nearest_too_far=neighbours[0].similarity if far else None,
            index=generation.manifest.files["vectors.faiss"][:16],
            timings=timings,
        )


def _nearest_of_all(generation: ImageGeneration, vector: NDArray[np.float32], k: int) -> _Candidates:
    """Nearest rows, whoever they are of: copies are looked for among them, and mostly all of them may be neighbours."""
    if not generation.vectors.ntotal:
        return _NONE
    cosines, rows = generation.vectors.search(vector, min(max(10 * k, _NEAR), generation.vectors.ntotal))
    return _Candidates(rows[0], cosines[0])


def _nearest(
    generation: ImageGeneration, vector: NDArray[np.float32], allowed: NDArray[np.int64], k: int, box: Box | None
) -> _Candidates:
    """Nearest allowed rows; for a box, by the indexed region that overlaps it most."""
    if not len(allowed):
        return _NONE
    index: Any = generation.vectors if box is None else generation.regions
    ids = allowed if box is None else STRIDE * allowed + nearest_region(box)
    wanted = min(len(ids), max(10 * k, 50))
    everything = len(ids) == index.ntotal
    parameters = None if everything else _only(ids)
    cosines, found = index.search(vector, wanted, params=parameters)
    real = found[0] >= 0
    rows = found[0][real] if box is None else found[0][real] // STRIDE
    return _Candidates(rows, cosines[0][real])


def _only(ids: NDArray[np.int64]) -> Any:
    """Search parameters that allow these ids only."""
    parameters: Any = faiss.SearchParameters
    return parameters(sel=faiss.IDSelectorBatch(ids))


def _neighbour(stored: tuple[Any, ...], cosine: float, generation: ImageGeneration) -> Neighbour:
    _, key, _, _, label, report, modality, body_part, view, synthetic, thumbnail = stored
    return Neighbour(
        key=key,
        similarity=cosine,
        closer_than=generation.manifest.null.closer_than(cosine),
        label=label,
        report=report,
        modality=modality,
        body_part=body_part,
        view=view,
        synthetic=bool(synthetic),
        thumbnail=thumbnail,
    )


class SeveralImageIndexes:
    """`core.ports.ImageSearcher` over all image indexes of a folder: the nearest of all, each index with its own gate."""

    def __init__(self, searches: Sequence[ImageSearch]) -> None:
        self._searches = tuple(searches)

    def search(self, query: Picture, k: int, box: Box | None = None) -> NeighbourOutcome:
        """Neighbours from every index.

        Raises:
            IndexDamaged: there is no image index.
        """
        if not self._searches:
            raise IndexDamaged(
                "There is no image index yet. Make one from a folder of images: consilium image-index create NAME, then "
                "consilium image-index add NAME DIR"
            )
        outcomes = [search.search(query, k, box) for search in self._searches]
        neighbours = sorted((n for outcome in outcomes for n in outcome.neighbours), key=lambda n: -n.similarity)
        far = [outcome.nearest_too_far for outcome in outcomes if outcome.nearest_too_far is not None]
        return NeighbourOutcome(
            neighbours=tuple(neighbours[:k]),
            searched=" and ".join(outcome.searched for outcome in outcomes),
            same_patient=sum(outcome.same_patient for outcome in outcomes),
            duplicates=sum(outcome.duplicates for outcome in outcomes),
            nearest_too_far=max(far) if far and not neighbours else None,
            index="+".join(outcome.index for outcome in outcomes),
            timings=outcomes[0].timings,
        )
