"""Encoders and rerankers other than the packaged ones, behind the same ports."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import EndpointError, InputError
from core.ports import SearchFilters
from retrieval.corpus import Document
from retrieval.encoders import MiniLM, packaged_model
from retrieval.index import Index
from retrieval.named import encoder_named, encoder_of, reranker_named
from retrieval.search import HybridSearch
from retrieval.sentence_models import SentenceEncoder, SentenceReranker
from retrieval.served import ServedEncoder, ServedReranker
from tests.fakes import WordEncoder
from tests.retrieval.local_server import serving

TEXTS = ["Alendronate reduces fractures.", "The heart beats.", "A much longer text about nothing in particular at all."]


def embeddings(body: bytes) -> tuple[int, bytes]:
    asked = json.loads(body)
    vectors = WordEncoder().encode(asked["input"]) * 3
    rows = [{"index": place, "embedding": vector.tolist()} for place, vector in enumerate(vectors)]
    return 200, json.dumps({"data": rows[::-1], "model": asked["model"]}).encode()


def rerank(body: bytes) -> tuple[int, bytes]:
    asked = json.loads(body)
    words = set(asked["query"].lower().split())
    shares = [len(words & set(text.lower().split())) / len(words) for text in asked["documents"]]
    rows = [{"index": place, "relevance_score": share} for place, share in enumerate(shares)]
    return 200, json.dumps({"results": sorted(rows, key=lambda row: -row["relevance_score"])}).encode()


def score(body: bytes) -> tuple[int, bytes]:
    asked = json.loads(body)
    status, answer = rerank(json.dumps({"query": asked["text_1"], "documents": asked["text_2"]}).encode())
    rows = [{"index": row["index"], "score": row["relevance_score"]} for row in json.loads(answer)["results"]]
    return status, json.dumps({"data": rows}).encode()


@pytest.fixture
def address() -> Iterator[str]:
    with serving({"/v1/embeddings": embeddings, "/v1/rerank": rerank}) as url:
        yield f"{url}/v1"


def test_a_served_encoder_keeps_the_order_and_gives_unit_vectors(address: str) -> None:
    encoder = encoder_named(f"{address}#words")
    assert isinstance(encoder, ServedEncoder)
    texts = [f"text number {i}" for i in range(150)]
    np.testing.assert_allclose(encoder.encode(texts), WordEncoder().encode(texts), atol=1e-6)
    assert (encoder.dimension, encoder.identity) == (64, "served/words")
    assert encoder.encode([]).shape == (0, 64)


def test_an_index_is_opened_with_the_encoder_it_was_made_with(address: str, tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    Index(folder, encoder_named(f"{address}#words")).create()
    (folder / "encoder").write_text(f"{address}#words", encoding="utf-8")
    assert encoder_of(folder, MiniLM()).identity == "served/words"
    default = MiniLM()
    assert encoder_of(tmp_path / "other", default) is default


@pytest.mark.parametrize("path", ["/v1/rerank", "/v1/score"])
def test_a_served_reranker_is_asked_by_either_protocol(path: str) -> None:
    with serving({path: rerank if path == "/v1/rerank" else score}) as url:
        reranker = reranker_named(f"{url}/v1#r")
        assert isinstance(reranker, ServedReranker)
        scores = reranker.score("heart beats", [TEXTS[1].replace(".", ""), TEXTS[0]])
        assert scores.dtype == np.float32
        assert scores[0] > 0 > scores[1]
        assert reranker.score("heart", []).shape == (0,)


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"not json"),
        (500, b"{}"),
        (200, b'{"data": [{"index": 0}]}'),
        (200, b'{"data": [{"index": 0, "embedding": [1, 2]}]}'),
        (404, b"{}"),
    ],
)
def test_an_endpoint_that_answers_rubbish_is_told(answer: tuple[int, bytes]) -> None:
    with serving({"/v1/embeddings": lambda _: answer}) as url, pytest.raises(EndpointError, match="embeddings"):
        ServedEncoder(f"{url}/v1", "m").encode(["a", "b"])


def test_names_that_mean_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="URL#MODEL"):
        encoder_named("http://127.0.0.1:9/v1")
    with pytest.raises(InputError, match="no sentence-transformers model"):
        encoder_named(str(tmp_path / "nothing"))
    with pytest.raises(InputError, match="no reranker weights"):
        reranker_named(str(tmp_path / "w.safetensors"))
    assert reranker_named("none") is None


def test_the_library_gives_the_same_vectors_as_our_own_code() -> None:
    encoder = SentenceEncoder(str(packaged_model()))
    ours = MiniLM().encode(TEXTS)
    assert encoder.dimension == 384
    assert (encoder.encode(TEXTS) * ours).sum(axis=1).min() > 0.999
    assert encoder.identity.startswith("model/")
    assert encoder.encode([]).shape == (0, 384)


def small_cross_encoder(folder: Path) -> Path:
    import torch
    from transformers.models.bert.configuration_bert import BertConfig
    from transformers.models.bert.modeling_bert import BertForSequenceClassification
    from transformers.models.bert.tokenization_bert import BertTokenizer

    torch.manual_seed(0)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "heart", "beats", "bone", "the", "."]
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, num_labels=1
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    BertTokenizer(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def test_any_cross_encoder_in_a_folder_reranks(tmp_path: Path) -> None:
    reranker = SentenceReranker(str(small_cross_encoder(tmp_path / "cross")))
    scores = reranker.score("heart", ["the heart beats", "bone"])
    assert scores.shape == (2,)
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores, reranker.score("heart", ["the heart beats", "bone"]), atol=1e-6)


class Backwards:
    """Likes best what the search likes least."""

    identity = "backwards"

    def score(self, question: str, passages: Sequence[str]) -> NDArray[np.float32]:
        return np.arange(len(passages), dtype=np.float32) * 1000


class Sure:
    """Prefers one document, by so many log-odds."""

    identity = "sure"

    def __init__(self, log_odds: float) -> None:
        self._log_odds = log_odds

    def score(self, question: str, passages: Sequence[str]) -> NDArray[np.float32]:
        return np.array([self._log_odds if "second" in passage else 0.0 for passage in passages], dtype=np.float32)


def test_what_a_reranker_is_sure_of_decides_between_two_and_what_it_hardly_tells_apart_does_not(tmp_path: Path) -> None:
    index = Index(tmp_path / "papers", WordEncoder())
    index.add([Document(id="1", text="heart rate beats"), Document(id="2", text="heart rate beats second")])
    search = HybridSearch(index)
    found = {sure: search.rank_many(["heart rate beats"], 2, reranker=Sure(sure))[0][0].document for sure in (0.05, 6.0)}
    assert found == {0.05: "1", 6.0: "2"}


def test_a_reranker_changes_the_order_within_reason(tmp_path: Path) -> None:
    index = Index(tmp_path / "papers", WordEncoder())
    index.add([Document(id=f"d{i}", text=f"heart rate {'beats ' * i} word{i}") for i in range(70)])
    search = HybridSearch(index)
    (plain,) = search.rank_many(["heart rate beats"], 70)
    (again,) = search.rank_many(["heart rate beats"], 70, reranker=Backwards())
    assert sorted(hit.document for hit in again) == sorted(hit.document for hit in plain)
    assert [hit.document for hit in again[50:]] == [hit.document for hit in plain[50:]]
    assert [hit.document for hit in again[:50]] != [hit.document for hit in plain[:50]]
    scores = [hit.score for hit in again]
    assert scores == sorted(scores, reverse=True)
    # However wide its scores spread, they move the search's by a few tenths; and the level stays.
    assert max(abs(hit.score - other.score) for hit in again[:50] for other in plain if other.document == hit.document) < 0.2
    assert np.mean([hit.score for hit in again[:50]]) == pytest.approx(np.mean([hit.score for hit in plain[:50]]), abs=1e-3)
    assert {hit.document: hit.span for hit in again} == {hit.document: hit.span for hit in plain}
    reranking = HybridSearch(index, reranker=Backwards())
    assert reranking.search("heart rate", 3, SearchFilters()).passages
