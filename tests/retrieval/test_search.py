"""Search, the gate and the index on disk."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import IndexDamaged, SettingError
from core.ports import SearchFilters
from retrieval.chunking import passage_spans, sentence_spans
from retrieval.corpus import Document
from retrieval.encoders import MiniLM
from retrieval.index import Index
from retrieval.readers import Skipped, read_jsonl
from retrieval.search import HybridSearch, content_words
from retrieval.several import open_indexes
from tests.fakes import WordEncoder

DOCUMENTS = [
    Document(id="bone", title="Bone", text="Alendronate reduces vertebral fractures. It is taken weekly.", year=2001),
    Document(id="heart", title="Heart", text="Bisoprolol lowers the heart rate in heart failure.", year=2015),
    Document(
        id="old", title="Withdrawn", text="Alendronate cures vertebral fractures at once.", year=2010, flags=("retracted",)
    ),
]


@pytest.fixture
def index(tmp_path: Path) -> Index:
    made = Index(tmp_path / "papers", WordEncoder())
    made.add(DOCUMENTS)
    return made


@pytest.fixture(scope="module")
def cards(starter: Path, encoder: MiniLM) -> HybridSearch:
    return HybridSearch(Index(starter / "starter", encoder))


def test_a_passage_is_the_documents_text_at_its_span(index: Index) -> None:
    (hit,) = HybridSearch(index).search("alendronate vertebral fractures", 3).passages
    source = DOCUMENTS[0].text
    assert hit.text == source[hit.span[0] : hit.span[1]]
    assert hit.quote is not None
    assert source[hit.quote[0] : hit.quote[1]] == "Alendronate reduces vertebral fractures."


def test_retracted_sources_are_left_out_unless_asked_for(index: Index) -> None:
    search = HybridSearch(index)
    found = search.search("alendronate vertebral fractures", 5, SearchFilters(include_retracted=True)).passages
    assert {hit.document_id: hit.flags for hit in found} == {"bone": (), "old": ("retracted",)}


@pytest.mark.parametrize(("filters", "count"), [(SearchFilters(year_from=2002), 0), (SearchFilters(year_to=2001), 1)])
def test_years_are_exact(index: Index, filters: SearchFilters, count: int) -> None:
    assert len(HybridSearch(index).search("alendronate vertebral fractures", 5, filters).passages) == count


def test_adding_again_changes_nothing_and_removing_is_at_once(index: Index) -> None:
    before = (index.folder / "CURRENT").read_text()
    assert index.add(DOCUMENTS).unchanged == 3
    assert (index.folder / "CURRENT").read_text() == before
    search = HybridSearch(index)
    assert search.search("bisoprolol heart rate", 3).passages
    assert index.remove(["heart", "nothing"]).removed == 1
    assert not search.search("bisoprolol heart rate", 3).passages
    changed = DOCUMENTS[0].model_copy(update={"text": "Alendronate was renamed."})
    assert index.add([changed]).replaced == 1
    assert search.search("alendronate renamed", 1).passages[0].text == "Alendronate was renamed."
    assert index.verify() == []


def test_damage_and_another_encoder_are_told(index: Index) -> None:
    class Other(WordEncoder):
        identity = "other/1"

    with pytest.raises(IndexDamaged, match="built with words/0, the encoder is other/1"):
        Index(index.folder, Other()).current()
    current = index.folder / "generations" / (index.folder / "CURRENT").read_text()
    (current / "vectors.npy").write_bytes((current / "vectors.npy").read_bytes() + b"x")
    assert index.verify() == ["vectors.npy has changed since it was written"]
    (current / "manifest.json").unlink()
    assert "damaged" in index.verify()[0]
    with pytest.raises(IndexDamaged, match="no index 'none'"):
        Index(index.folder.parent / "none", WordEncoder()).current()


@pytest.mark.parametrize("query", ['"', "a OR b) NEAR", "text:* AND NOT", "'; DROP TABLE words; --", "ß“”", "?"])
def test_any_text_is_a_safe_query(index: Index, query: str) -> None:
    assert HybridSearch(index).search(query, 3).searched == "3 documents in 'papers'"


def test_spans_cover_every_sentence_exactly() -> None:
    text = "Dr. Smith saw 3.5 mm, e.g. at L1. It was “stable”.\n\nNew line:  héllo. " * 20
    assert next(text[s.start : s.end] for s in sentence_spans(text)).startswith("Dr. Smith")
    passages = passage_spans(text, 200)
    assert all(a.end <= b.start for a, b in pairwise(passages))
    assert max(p.end - p.start for p in passages) <= 200


def test_a_table_without_full_stops_is_cut_between_words() -> None:
    text = f"Short one. {'cell 1.5 | ' * 400}\n\n{'x' * 1000}. The end."
    passages = passage_spans(text, 200)
    assert max(p.end - p.start for p in passages) <= 400
    assert all(a.end <= b.start for a, b in pairwise(passages))
    kept = "".join(text[p.start : p.end] for p in passages)
    assert kept.replace(" ", "") == "".join(text.split())
    assert all(text[p.end] == " " for p in passages[:10])


def test_jsonl_names_the_bad_line(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text(
        '{"id": "a", "text": "x"}\n\n{"id": "b"}\nnonsense\n{"id": 7, "title": "T", "text": null}', encoding="utf-8"
    )
    skipped: list[Skipped] = []
    assert [(document.id, document.text) for document in read_jsonl(path, skipped)] == [("a", "x"), ("7", "T")]
    assert [line.line for line in skipped] == [3, 4]


def test_content_words_leave_the_question_words_out() -> None:
    assert content_words("What is the best treatment for Blorptitis?") == ["treatment", "blorptitis"]


@pytest.mark.parametrize(
    "question",
    [
        "How are vertebral fractures graded?",
        "what does RHLV mean",
        "Does calibration follow from a good AUROC?",
        "Which system removes identifiers from clinical notes?",
        "text-guided generation of chest CT",
        "Is a FID comparable between papers?",
    ],
)
def test_the_gate_lets_answerable_questions_through(cards: HybridSearch, question: str) -> None:
    assert cards.search(question, 3).passages


@pytest.mark.parametrize(
    "question",
    [
        "What is the best treatment for Blorptitis?",
        "first-line antibiotic for streptococcal pharyngitis",
        "how do I bake bread",
        "who won the world cup",
        "Is Quaxil effective for knee pain?",
        "malaria prophylaxis in Kenya",
    ],
)
def test_the_gate_stops_the_rest(cards: HybridSearch, question: str) -> None:
    outcome = cards.search(question, 3)
    assert outcome.passages == ()
    assert outcome.best_rejected


def test_several_indexes_are_searched_as_one(tmp_path: Path) -> None:
    home = tmp_path
    Index(home / "indexes" / "bones", WordEncoder()).add(DOCUMENTS[:1])
    Index(home / "indexes" / "hearts", WordEncoder()).add(DOCUMENTS[1:2])
    both = open_indexes(home, ("bones", "hearts"), WordEncoder())
    assert [hit.corpus for hit in both.search("alendronate vertebral fractures", 3).passages] == ["bones"]
    found = both.search("bisoprolol heart rate", 3)
    assert [hit.corpus for hit in found.passages] == ["hearts"]
    assert found.searched == "1 documents in 'bones' and 1 documents in 'hearts'"
    assert both.search("bisoprolol heart rate", 3, SearchFilters(corpora=("bones",))).passages == ()
    with pytest.raises(SettingError, match=r"no index 'none'.*bones"):
        open_indexes(home, ("none",), WordEncoder())


class LastFirst:
    """A reranker for which the passage that says least is best; it notes what it was asked."""

    identity = "last-first"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def score(self, question: str, passages: Sequence[str]) -> NDArray[np.float32]:
        self.asked.append(question)
        return np.array([-len(passage) for passage in passages], dtype=np.float32)


def test_a_conversations_search_reranks_what_the_gate_may_pass_and_only_that(tmp_path: Path) -> None:
    texts = [f"Alendronate reduces vertebral fractures{' in women of great age' * n}." for n in (2, 1, 0)]
    made = Index(tmp_path / "indexes" / "bones", WordEncoder())
    made.add(Document(id=str(number), text=text) for number, text in enumerate(texts))
    reranker = LastFirst()
    search = open_indexes(tmp_path, ("bones",), WordEncoder(), reranker)
    question = "alendronate vertebral fractures"
    plain = {hit.document_id: hit.score for hit in HybridSearch(made).search(question, 3).passages}
    found = {hit.document_id: hit.score for hit in search.search(question, 3).passages}
    assert found["2"] > plain["2"]
    assert search.search("quaxil blorptitis", 3).passages == ()
    assert reranker.asked == [question]


def test_batch_ranking_gives_each_document_once_in_every_mode(index: Index) -> None:
    long = Document(id="long", text="Alendronate helps bone. " * 200)
    index.add([long])
    for mode in ("hybrid", "bm25", "dense"):
        (hits,) = HybridSearch(index).rank_many(["alendronate bone"], 10, mode)
        assert sorted(hit.document for hit in hits) == ["bone", "heart", "long"]
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        span = next(hit.span for hit in hits if hit.document == "long")
        assert long.text[span[0] : span[1]].startswith("Alendronate helps bone.")
