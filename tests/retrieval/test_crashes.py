"""A few kills of a writer; `consilium eval crashes` does fifty."""

from __future__ import annotations

import warnings
from pathlib import Path

from evals.crashes import HashEncoder, survive
from retrieval.corpus import Document
from retrieval.index import Index


def test_a_killed_writer_costs_nothing_that_was_reported(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking while other tests' threads idle
        outcome = survive(tmp_path / "papers", rounds=6, seed=1)
    assert outcome.faults == ()


def test_repair_takes_each_way_back(tmp_path: Path) -> None:
    index = Index(tmp_path / "papers", HashEncoder())
    index.add([Document(id=str(n), text=f"Text number {n}.") for n in range(30)], batch_size=10)
    current = index.folder / "generations" / index.current_name()
    (current / "vectors.npy").write_bytes(b"rubbish")
    (index.folder / "generations" / "building-1").mkdir()
    assert index.verify()
    assert index.repair() == ["removed building-1", "made the index again from its 30 documents"]
    assert index.verify() == []
    index.remove(["0"])
    current = index.folder / "generations" / index.current_name()
    (current / "store.sqlite").write_bytes(b"rubbish")
    assert index.repair()[0].startswith("went back from generation")
    assert index.verify() == []
    (index.folder / "CURRENT").unlink()
    index.repair()
    assert index.verify() == []
