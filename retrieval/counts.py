"""How often each word form stands in each text: rows of (term, count), on disk, in the order of the texts."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray

from retrieval.arrays import bounds_of, joined, mapped

_MOST = 65535


@dataclass(frozen=True)
class Counts:
    """Row r is `terms[bounds[r]:bounds[r + 1]]` with their `counts`; all three are mapped files."""

    bounds: NDArray[np.int64]
    terms: NDArray[np.int32]
    counts: NDArray[np.uint16]

    @classmethod
    def load(cls, folder: Path, name: str) -> Counts:
        """What `write` wrote.

        Raises:
            OSError, ValueError: a file is missing or is not one.
        """
        return cls(*(mapped(folder / file) for file in files(name)))

    @classmethod
    def of(cls, rows: Iterable[Mapping[int, int]]) -> Counts:
        """From term to count of each text."""
        lengths, terms, counts = array("q"), array("i"), array("H")
        for row in rows:
            lengths.append(len(row))
            terms.extend(row)
            counts.extend(min(count, _MOST) for count in row.values())
        return cls(
            bounds_of(np.array(lengths, dtype=np.int64)),
            np.array(terms, dtype=np.int32),
            np.array(counts, dtype=np.uint16),
        )

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def matrix(self, start: int, stop: int, columns: int) -> sparse.csr_array:
        """Rows [start, stop) as a sparse matrix of `columns` terms."""
        part = slice(int(self.bounds[start]), int(self.bounds[stop]))
        bounds = np.asarray(self.bounds[start : stop + 1]) - part.start
        data = np.asarray(self.counts[part], dtype=np.int32)
        return sparse.csr_array((data, np.asarray(self.terms[part]), bounds), shape=(stop - start, columns))

    def write(self, folder: Path, name: str, more: Counts, keep: NDArray[np.bool_] | None = None) -> None:
        """Write the kept rows of this and then `more`."""
        lengths = np.diff(self.bounds)
        kept = lengths if keep is None else lengths[keep]
        cells = None if keep is None else np.repeat(keep, lengths)
        bounds, terms, counts = (folder / file for file in files(name))
        np.save(bounds, bounds_of(np.concatenate([kept, np.diff(more.bounds)])), allow_pickle=False)
        joined(terms, self.terms, more.terms, cells)
        joined(counts, self.counts, more.counts, cells)


def files(name: str) -> tuple[str, str, str]:
    """The three files of one set of rows."""
    return (f"{name}_bounds.npy", f"{name}_terms.npy", f"{name}_counts.npy")
