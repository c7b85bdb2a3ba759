"""One suite for every vector store: what `core.ports.VectorStore` promises.

Chroma is held to it where its extra is installed; `docs/literature.md` says how to run that.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import InputError
from core.ports import VectorStore
from retrieval.corpus import Document
from retrieval.encoders import MiniLM
from retrieval.index import Index
from retrieval.search import HybridSearch
from retrieval.vectors.chroma_store import ChromaStore
from retrieval.vectors.faiss_store import FaissStore
from retrieval.vectors.mirror import follow, mirror_named
from retrieval.vectors.qdrant_store import QdrantStore

DIMENSION = 16
TEXTS = (
    "Alendronate reduced fractures of the hip in women with low bone mass.",
    "A randomized trial of statins in heart failure.",
    "Zoledronate once a year and the risk of vertebral fracture.",
    "Convolutional networks read chest films.",
)
Make = Callable[[Path], VectorStore]


def exact(folder: Path) -> VectorStore:
    folder.mkdir()
    return FaissStore.create(folder, DIMENSION)


def approximate(folder: Path) -> VectorStore:
    folder.mkdir()
    return FaissStore.create(folder, DIMENSION, exact_up_to=300)


STORES: dict[str, Make] = {
    "faiss": exact,
    "faiss ivf": approximate,
    "qdrant": lambda folder: QdrantStore(folder, DIMENSION),
}
if importlib.util.find_spec("chromadb"):
    STORES["chroma"] = lambda folder: ChromaStore(folder, DIMENSION)


@pytest.fixture(params=STORES, ids=str)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorStore]:
    made = STORES[request.param](tmp_path / "store")
    yield made
    if isinstance(made, QdrantStore):
        made.close()


def unit(rows: int, seed: int = 0) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).standard_normal((rows, DIMENSION), dtype=np.float32)
    scaled: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled


def numbers(*values: int) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def test_nothing_is_found_in_an_empty_store(store: VectorStore) -> None:
    ids, scores = store.search(unit(1)[0], 5)
    assert len(store) == len(ids) == len(scores) == 0


def test_search_is_by_inner_product_best_first(store: VectorStore) -> None:
    vectors = unit(50)
    store.add(np.arange(100, 150), vectors)
    ids, scores = store.search(vectors[7], 10)
    truth = np.argsort(-(vectors @ vectors[7]), kind="stable")[:10]
    assert (ids - 100).tolist() == truth.tolist()
    np.testing.assert_allclose(scores, (vectors @ vectors[7])[truth], atol=1e-5)


def test_more_than_there_is_gives_all(store: VectorStore) -> None:
    store.add(np.arange(3), unit(3))
    assert sorted(store.search(unit(1)[0], 10)[0].tolist()) == [0, 1, 2]


@pytest.mark.parametrize("kept", [400, 40, 4])
def test_a_filtered_search_is_what_brute_force_gives(store: VectorStore, kept: int) -> None:
    vectors = unit(800)
    store.add(np.arange(800), vectors)
    allowed = np.sort(np.random.default_rng(kept).choice(800, size=kept, replace=False))
    asked = unit(1, seed=9)[0]
    ids, _ = store.search(asked, 10, allowed)
    truth = allowed[np.argsort(-(vectors[allowed] @ asked), kind="stable")[:10]]
    assert ids.tolist() == truth.tolist()


def test_a_filter_may_name_what_is_not_there_and_keep_nothing(store: VectorStore) -> None:
    store.add(numbers(1, 2), unit(2))
    assert store.search(unit(1)[0], 5, numbers(2, 77))[0].tolist() == [2]
    assert store.search(unit(1)[0], 5, numbers())[0].tolist() == []


def test_adding_again_replaces_and_removing_is_at_once(store: VectorStore) -> None:
    vectors = unit(4)
    store.add(numbers(5, 6, 7), vectors[:3])
    store.add(numbers(6), vectors[3:])
    assert len(store) == 3
    np.testing.assert_allclose(store.get(numbers(6)), vectors[3:], atol=1e-6)
    store.remove(numbers(5, 999))
    assert sorted(store.search(vectors[0], 10)[0].tolist()) == [6, 7]
    assert len(store) == 2


def test_vectors_come_in_the_order_asked_for(store: VectorStore) -> None:
    vectors = unit(5)
    store.add(np.arange(5), vectors)
    np.testing.assert_allclose(store.get(numbers(4, 0, 2)), vectors[[4, 0, 2]], atol=1e-6)
    with pytest.raises(InputError, match="not in the store"):
        store.get(numbers(0, 88))


def test_what_does_not_belong_together_is_refused(store: VectorStore) -> None:
    with pytest.raises(InputError, match="2 vectors of length 16"):
        store.add(numbers(1, 2), unit(3))
    with pytest.raises(InputError, match="twice"):
        store.add(numbers(1, 1), unit(2))


def test_a_store_follows_a_generation(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    source = FaissStore.create(tmp_path / "source", DIMENSION)
    source.add(np.arange(20), unit(20))
    other = QdrantStore(tmp_path / "other", DIMENSION)
    assert follow(source, other) == (20, 0)
    source.remove(numbers(3, 4))
    source.add(numbers(20), unit(1, seed=5))
    assert follow(source, other) == (1, 2)
    assert other.ids().tolist() == source.ids.tolist()
    assert follow(source, other) == (0, 0)
    other.close()


def test_a_store_of_an_index_that_was_made_anew_gets_the_new_vectors(tmp_path: Path) -> None:
    other = QdrantStore(tmp_path / "other", DIMENSION)
    for seed in (1, 2):
        folder = tmp_path / f"source-{seed}"
        folder.mkdir()
        source = FaissStore.create(folder, DIMENSION)
        source.add(np.arange(8), unit(8, seed))
        follow(source, other)
    np.testing.assert_allclose(other.get(np.arange(8)), unit(8, 2), atol=1e-5)
    other.close()


@pytest.mark.parametrize("kind", [kind for kind in STORES if "faiss" not in kind])
def test_a_search_through_another_store_ranks_as_through_its_own(tmp_path: Path, encoder: MiniLM, kind: str) -> None:
    index = Index(tmp_path / "bones", encoder)
    index.add(Document(id=str(n), text=text) for n, text in enumerate(TEXTS))
    mirror = mirror_named(f"{kind}:{tmp_path / 'stores'}")
    assert mirror is not None
    through, own = HybridSearch(index, vectors=mirror.of), HybridSearch(index)
    question = "does alendronate protect the hip"
    assert ranked(through, question) == ranked(own, question)
    index.add([Document(id="new", text="Alendronate halves hip fractures.")])
    assert ranked(through, question) == ranked(own, question)
    assert "new" in ranked(through, question)
    index.remove(["new"])
    assert ranked(through, question) == ranked(own, question)
    mirror.close()


def ranked(search: HybridSearch, question: str) -> list[str]:
    return [hit.document for hit in search.rank_many([question], 3)[0]]


@pytest.mark.parametrize("name", ["qdrant", "qdrant:", "milvus:/x", "Faiss"])
def test_an_unknown_store_is_refused_with_what_is_allowed(name: str) -> None:
    with pytest.raises(InputError, match="Allowed: 'faiss'"):
        mirror_named(name)


def test_faiss_survives_reopening_and_finds_nearly_all_through_its_lists(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    store = FaissStore.create(tmp_path / "s", DIMENSION, exact_up_to=1000)
    vectors = unit(6000)
    store.add(np.arange(5000), vectors[:5000])
    store.add(np.arange(5000, 6000), vectors[5000:])
    store.remove(np.arange(0, 6000, 3))
    kept = np.flatnonzero(np.arange(6000) % 3)
    store = FaissStore(tmp_path / "s", exact_up_to=1000)
    assert store.ann is not None
    found = []
    for asked in unit(40, seed=3):
        truth = kept[np.argsort(-(vectors[kept] @ asked), kind="stable")[:10]]
        found.append(len(np.intersect1d(store.search(asked, 10)[0], truth)) / 10)
    assert np.mean(found) >= 0.99
