"""Vectors made for a batch that is not written yet, by the hash of their text: a killed writer goes on where it was."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.ports import Encoder

_SCHEMA = "CREATE TABLE IF NOT EXISTS vectors (text BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID"


class Spool:
    """A file of vectors beside an index; made anew when it cannot be read."""

    def __init__(self, path: Path, encoder: Encoder) -> None:
        self._encoder = encoder
        try:
            self._store = _open(path)
        except sqlite3.DatabaseError:
            path.unlink(missing_ok=True)
            self._store = _open(path)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of shape (len(texts), dimension); those of texts that were encoded before are not made again."""
        prefix = self._encoder.identity
        names = [hashlib.sha256(f"{prefix}\n{text}".encode()).digest() for text in texts]
        known = {name: vector for name in names if (vector := self._vector(name)) is not None}
        missing = {name: text for name, text in zip(names, texts, strict=True) if name not in known}
        if missing:
            made = self._encoder.encode(list(missing.values()))
            known |= dict(zip(missing, made, strict=True))
            rows = [(name, vector.tobytes()) for name, vector in zip(missing, made, strict=True)]
            with self._store:
                self._store.executemany("INSERT INTO vectors VALUES (?, ?)", rows)
        return np.stack([known[name] for name in names])

    def close(self) -> None:
        """Close the file."""
        self._store.close()

    def _vector(self, name: bytes) -> NDArray[np.float32] | None:
        found = self._store.execute("SELECT vector FROM vectors WHERE text = ?", (name,)).fetchone()
        return np.frombuffer(found[0], dtype=np.float32) if found else None


def _open(path: Path) -> sqlite3.Connection:
    store = sqlite3.connect(path)
    store.execute("PRAGMA synchronous = NORMAL")
    store.execute(_SCHEMA)
    return store
