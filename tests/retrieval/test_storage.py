"""What lies on disk: growth, resuming, a full disk, filters, and the ranking against a plain calculation."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import IndexDamaged, InputError
from core.ports import SearchFilters
from retrieval import arrays
from retrieval.build import passage_text, prepare
from retrieval.chunking import Span
from retrieval.corpus import Document
from retrieval.index import Index, _batch_size
from retrieval.search import HybridSearch
from retrieval.spool import Spool
from retrieval.words import word_forms
from tests.fakes import WordEncoder

WORDS = ("bone", "heart", "lung", "fracture", "rate", "beats", "drug", "placebo", "trial", "women", "men", "old", "dose")


def texts(number: int, seed: int = 0) -> list[str]:
    draw = np.random.default_rng(seed)
    return [" ".join(draw.choice(WORDS, size=draw.integers(3, 40))) + "." for _ in range(number)]


def documents(number: int, seed: int = 0) -> list[Document]:
    kinds = [("Review",), ("Randomized Controlled Trial", "Multicenter Study"), ()]
    return [
        Document(
            id=f"d{i}",
            title=f"Title {WORDS[i % len(WORDS)]}",
            text=text,
            year=None if i % 7 == 0 else 1990 + i % 30,
            types=kinds[i % 3],
            mesh=("Humans/drug effects",) if i % 2 else ("Mice",),
            language="eng" if i % 5 else "ger",
            flags=("retracted",) if i % 11 == 0 else (),
        )
        for i, text in enumerate(texts(number, seed))
    ]


class Counting(WordEncoder):
    """Knows how many texts it was given."""

    def __init__(self) -> None:
        self.given = 0

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.given += len(texts)
        return super().encode(texts)


def test_batches_grow_with_the_index_so_that_the_whole_is_seldom_copied() -> None:
    there, writes = 0, 0
    while there < 1_000_000:
        there += _batch_size(there)
        writes += 1
    assert (_batch_size(0), _batch_size(10**7), writes) == (1000, 20_000, 64)


def test_vectors_made_before_a_kill_are_not_made_again(tmp_path: Path) -> None:
    given = documents(2500)
    first, second = Counting(), Counting()
    index = Index(tmp_path / "papers", first)

    class KilledError(Exception):
        pass

    def stop(done: int) -> None:
        if done == 2000:
            raise KilledError

    with pytest.raises(KilledError):
        index.add(given, batch_size=2500, encoded=stop)
    assert (tmp_path / "papers" / "spool.sqlite").is_file()
    again = Index(tmp_path / "papers", second)
    assert again.add(given, batch_size=2500).added == 2500
    assert second.given <= 500
    assert not (tmp_path / "papers" / "spool.sqlite").exists()
    assert again.verify() == []


@pytest.mark.parametrize("batch", [2, 10])
def test_one_id_with_two_texts_keeps_the_last_and_says_so(tmp_path: Path, batch: int) -> None:
    index = Index(tmp_path / "papers", WordEncoder())
    index.add([Document(id="7", text="before")])
    given = [Document(id=name, text=text) for name, text in [("7", "one"), ("8", "x"), ("8", "x"), ("9", "y"), ("7", "two")]]
    change = index.add(given, batch_size=batch)
    assert change.conflicts == ("7",)
    assert HybridSearch(index).document("7").text == "two"
    assert index.current().manifest.documents == 3
    assert index.add(given[:1] + given[:1]).conflicts == ()


def test_a_spool_is_of_one_encoder_and_forgiving(tmp_path: Path) -> None:
    (tmp_path / "spool").write_bytes(b"rubbish" * 100)
    encoder = Counting()
    with closing(Spool(tmp_path / "spool", encoder)) as spool:
        np.testing.assert_array_equal(spool.encode(["a b", "c", "a b"]), WordEncoder().encode(["a b", "c", "a b"]))
        assert encoder.given == 2

    class Other(Counting):
        identity = "other/1"

    other = Other()
    with closing(Spool(tmp_path / "spool", other)) as spool:
        spool.encode(["a b"])
    assert other.given == 1


_FULL = """
import json, resource, sys
from pathlib import Path
from core.errors import InputError
from retrieval.corpus import Document
from retrieval.index import Index
from tests.fakes import WordEncoder
index = Index(Path(sys.argv[1]), WordEncoder())
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    index.add([Document(id=f"n{i}", text=f"word{i} " * 50) for i in range(800)])
except InputError as error:
    print(json.dumps(str(error)))
"""


@pytest.mark.parametrize("limit", [20_000, 100_000, 250_000])
def test_a_full_disk_leaves_the_index_as_it_was(tmp_path: Path, limit: int) -> None:
    index = Index(tmp_path / "papers", WordEncoder())
    index.add(documents(30))
    said = subprocess.run(
        [sys.executable, "-c", _FULL, str(index.folder), str(limit)], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    assert "no room" in json.loads(said.stdout)
    assert index.verify() == []
    assert index.current().manifest.documents == 30
    assert [path.name for path in (index.folder / "generations").iterdir()] == ["000001"]
    assert index.add([Document(id="new", text="bone")]).added == 1


def test_an_older_format_is_told_with_what_to_do(tmp_path: Path) -> None:
    index = Index(tmp_path / "papers", WordEncoder())
    index.create()
    manifest = index.folder / "generations" / "000001" / "manifest.json"
    held = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({"format": 2, "encoder": held["encoder"]}))
    with pytest.raises(IndexDamaged, match=r"format 2; this version reads 3.*--force"):
        index.current()
    with pytest.raises(IndexDamaged, match="no generation '7'"):
        index.generation("7")


def test_added_elsewhere_or_here_is_the_same(tmp_path: Path) -> None:
    given = documents(12)
    one, other = (Index(tmp_path / name, WordEncoder()) for name in ("one", "other"))
    one.add(given)
    assert other.add_prepared(prepare(given, WordEncoder().encode)).added == 12
    assert other.add_prepared(prepare(given[:2], WordEncoder().encode)).replaced == 2
    hits = [HybridSearch(index).rank_many(["heart drug"], 20)[0] for index in (one, other)]
    assert {hit.document: round(hit.score, 5) for hit in hits[0]} == {hit.document: round(hit.score, 5) for hit in hits[1]}
    with pytest.raises(InputError, match="given twice"):
        other.add_prepared(prepare([given[0], given[0]], WordEncoder().encode))


def bm25(query: str, held: list[Document], k1: float = 0.9, b: float = 0.4) -> dict[str, float]:
    counts = {d.id: Counter(word_forms(f"{d.title} {d.text}")) for d in held}
    lengths = {name: sum(count.values()) for name, count in counts.items()}
    mean = sum(lengths.values()) / len(lengths)
    scores = dict.fromkeys(counts, 0.0)
    bound = 0.0
    for word, times in Counter(word_forms(query)).items():
        frequency = sum(word in count for count in counts.values())
        if frequency:
            idf = float(np.log1p((len(held) - frequency + 0.5) / (frequency + 0.5)))
            bound += times * idf
            for name, count in counts.items():
                norm = k1 * (1 - b + b * lengths[name] / mean)
                scores[name] += times * idf * count[word] / (count[word] + norm)
    return {name: score / bound for name, score in scores.items()}


def test_bm25_is_what_the_formula_says_after_adding_and_removing(tmp_path: Path) -> None:
    held = documents(60)
    index = Index(tmp_path / "papers", WordEncoder())
    index.add(held[:40], batch_size=7)
    index.remove(["d3", "d17", "d39"])
    index.add([*held[40:], held[4].model_copy(update={"text": "bone bone heart"})])
    there = [d for d in held if d.id not in ("d3", "d17", "d39", "d4")] + [
        held[4].model_copy(update={"text": "bone bone heart"})
    ]
    (hits,) = HybridSearch(index).rank_many(["heart bone women"], 100, "bm25", SearchFilters(include_retracted=True))
    assert {hit.document: hit.score for hit in hits} == pytest.approx(bm25("heart bone women", there), abs=1e-5)
    assert index.verify() == []


FILTERS = [
    SearchFilters(year_from=2005),
    SearchFilters(year_to=1995, include_retracted=True),
    SearchFilters(types=("review",)),
    SearchFilters(types=("Multicenter Study", "Review"), year_from=2000, year_to=2010),
    SearchFilters(mesh=("humans",), languages=("GER",)),
    SearchFilters(languages=("fre",)),
]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
@pytest.mark.parametrize("mode", ["hybrid", "bm25", "dense"])
def test_a_filtered_search_gives_all_that_meets_the_filter_and_nothing_else(
    tmp_path: Path, filters: SearchFilters, mode: str
) -> None:
    held = documents(80)
    index = Index(tmp_path / "papers", WordEncoder())
    index.add(held)
    (hits,) = HybridSearch(index).rank_many(["heart bone"], 100, mode, filters)  # type: ignore[arg-type]
    assert sorted(hit.document for hit in hits) == sorted(d.id for d in held if meets(d, filters))


def meets(document: Document, filters: SearchFilters) -> bool:
    lower = [kind.lower() for kind in document.types]
    year = document.year
    return (
        (filters.include_retracted or "retracted" not in document.flags)
        and (filters.year_from is None or (year is not None and year >= filters.year_from))
        and (filters.year_to is None or (year is not None and year <= filters.year_to))
        and (not filters.types or any(kind.lower() in lower for kind in filters.types))
        and (not filters.mesh or any(document.mesh[0].split("/")[0].lower() == name.lower() for name in filters.mesh))
        and (not filters.languages or any(document.language == name.lower() for name in filters.languages))
    )


def test_texts_of_one_passage_empty_titles_and_odd_texts_can_be_found(tmp_path: Path) -> None:
    index = Index(tmp_path / "papers", WordEncoder())
    odd = [Document(id=str(i), text=text) for i, text in enumerate(["?", "\u200b", "骨折", "a", "x" * 5000, "heart"])]
    index.add(odd)
    (hits,) = HybridSearch(index).rank_many(["heart"], 10)
    assert len(hits) == len(odd)
    assert hits[0].document == "5"
    assert HybridSearch(index).rank_many(["", " \n"], 3) == [[], []]
    assert HybridSearch(index).rank_many(["?"], 3, "bm25")[0][0].score == 0


@pytest.mark.parametrize("starts", [[0, 5, 5], [3], []])
def test_ranges_are_what_arange_gives(starts: list[int]) -> None:
    first = np.array(starts, dtype=np.int64)
    stops = first + np.arange(len(first)) * 3
    expected = [number for a, b in zip(first, stops, strict=True) for number in range(a, b)]
    assert arrays.ranges(first, stops).tolist() == expected


def test_a_record_that_is_only_a_title_counts_its_words_once(tmp_path: Path) -> None:
    index = Index(tmp_path / "papers", WordEncoder())
    bare = Document.model_validate({"id": "bare", "title": "Alendronate and the hip", "text": ""})
    index.add([bare, Document(id="whole", title="Alendronate and the hip", text="A trial.")])
    with closing(index.current().store):
        assert index.current().postings.lengths.tolist() == [2, 3]
    assert passage_text(bare, Span(0, len(bare.text))) == "Alendronate and the hip"
    (hits,) = HybridSearch(index).rank_many(["alendronate hip"], 2)
    assert {hit.document for hit in hits} == {"bare", "whole"}
