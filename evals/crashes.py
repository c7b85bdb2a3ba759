"""`consilium eval crashes`: kill -9 at random moments of adding and removing, and what the index is worth after it.

Each round a child process adds batches and removes some of them again, and says over a pipe what is done; the parent
kills it at a random moment and checks that the index opens, is whole, holds everything that was reported added, nothing
that was reported removed, nothing twice and nothing that nobody added. A cheap encoder stands in for MiniLM: what is
tested is the writing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from core.types import Frozen
from retrieval.corpus import Document
from retrieval.index import Change, Index
from retrieval.search import HybridSearch

_BATCH = 20
_DOCUMENTS = 60


class Outcome(Frozen):
    """How many rounds there were, in how many the child was still writing when killed, and all faults found."""

    rounds: int
    killed_while_writing: int
    documents: int
    faults: tuple[str, ...]


class HashEncoder:
    """Bags of hashed words; cheap and always the same."""

    identity = "hashed words/1"
    dimension = 64

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of shape (len(texts), 64), rows of norm 1."""
        vectors = np.full((len(texts), self.dimension), 1e-3, dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.split():
                vectors[row, hashlib.sha256(word.encode()).digest()[0] % self.dimension] += 1
        unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


def run(arguments: argparse.Namespace) -> int:
    """Print the outcome; 1 when there is a fault."""
    with tempfile.TemporaryDirectory() as scratch:
        outcome = survive(Path(scratch) / "crashes", arguments.rounds, arguments.seed)
    if arguments.json:
        print(outcome.model_dump_json())
    else:
        print(
            f"{outcome.rounds} kills, {outcome.killed_while_writing} of them during a write; "
            f"{outcome.documents} documents at the end; {len(outcome.faults)} faults"
        )
        print("\n".join(outcome.faults))
    return 1 if outcome.faults else 0


def survive(folder: Path, rounds: int, seed: int) -> Outcome:
    """Kill a writer `rounds` times."""
    faiss.omp_set_num_threads(1)  # a forked child has none of its parent's threads
    index = Index(folder, HashEncoder())
    index.create()
    pick = random.Random(seed)  # noqa: S311 - chooses moments
    safe: dict[str, bool | None] = {}
    faults: list[str] = []
    writing = 0
    length = 0.5
    for number in range(rounds):
        said, finished, took = _killed_writer(index, number, pick.uniform(0, length))
        writing += not finished
        # Kills should fall all over the work: as long as a whole child takes.
        length = max(took * 1.2, 0.02) if finished else length * 1.05
        unsure = {f"{number}-{i}" for i in range(_DOCUMENTS)}
        ids = _ids(index)
        faults += [f"round {number}: {fault}" for fault in _faults(index, ids, safe | said, unsure)]
        # What was done but not yet said when the child died may be there or not, but must stay as it is now.
        safe |= {document: document in ids for document in unsure}
    return Outcome(rounds=rounds, killed_while_writing=writing, documents=_count(index), faults=tuple(faults))


def _killed_writer(index: Index, number: int, after: float) -> tuple[dict[str, bool | None], bool, float]:
    """Id to whether it was said to be there, for what the child reported; whether it had finished; seconds."""
    reader, writer = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            _write(index, number, writer)
        finally:
            os._exit(0)
    os.close(writer)
    while time.monotonic() - started < after and os.waitpid(child, os.WNOHANG) == (0, 0):
        time.sleep(0.001)
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        pass
    with os.fdopen(reader, encoding="utf-8") as pipe:
        lines = [line for line in pipe.read().split("\n")[:-1] if line]
    said: dict[str, bool | None] = {}
    for line in lines:
        said |= json.loads(line)
    return said, "{}" in lines, time.monotonic() - started


def _write(index: Index, number: int, pipe: int) -> None:
    documents = [
        Document(id=f"{number}-{i}", title=f"Title {i}", text=f"Text of {number} word{i}. " * (1 + i % 50))
        for i in range(_DOCUMENTS)
    ]

    def report(done: Change) -> None:
        _say(pipe, {document.id: True for document in documents[: done.added]})

    index.add(documents, report, batch_size=_BATCH)
    gone = [document.id for document in documents[::3]]
    _say(pipe, dict.fromkeys(gone))  # from here on neither there nor gone is promised
    index.remove(gone)
    _say(pipe, dict.fromkeys(gone, False))
    _say(pipe, {})


def _say(pipe: int, state: dict[str, bool | None]) -> None:
    os.write(pipe, (json.dumps(state) + "\n").encode())


def _faults(index: Index, ids: list[str], states: dict[str, bool | None], unsure: set[str]) -> list[str]:
    found = index.verify()
    if found:
        return found
    there = {document for document, state in states.items() if state}
    gone = {document for document, state in states.items() if state is False}
    if lost := there - set(ids):
        found.append(f"{len(lost)} documents lost that were reported added")
    if ghosts := (set(ids) - there - unsure) | (gone & set(ids)):
        found.append(f"{len(ghosts)} documents there that should not be")
    if len(ids) != len(set(ids)):
        found.append("a document is there twice")
    hits = [hit.document for hit in HybridSearch(index).rank_many(["word7 title"], len(ids) + 100)[0]]
    if sorted(hits) != sorted(ids):
        found.append(f"search finds {len(hits)} documents of {len(ids)}")
    return found


def _ids(index: Index) -> list[str]:
    generation = index.current()
    with closing(generation.store) as store:
        return [document for (document,) in store.execute("SELECT id FROM documents")]


def _count(index: Index) -> int:
    generation = index.current()
    generation.store.close()
    return generation.manifest.documents
