"""How many passages are handed on, and one per study; abbreviations; routing."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.abbreviations import ABBREVIATIONS, spelled_out
from retrieval.corpus import Document
from retrieval.selecting import adaptive_count, first_of_each_study, trials
from retrieval.several import routed
from retrieval.words import word_forms
from tests.fakes import passage


@pytest.mark.parametrize(
    ("scores", "count"),
    [
        ([], 0),
        ([0.9], 1),
        ([0.9, 0.85, 0.2, 0.1], 2),
        ([-0.1, -0.2, -0.9], 2),
        ([0.0, 0.0, 0.0], 3),
        ([-5.0, -5.1], 2),
        ([0.5, float("nan"), 0.4], 1),
        ([1.0, 0.99, 0.98, 0.97, 0.96], 4),
    ],
)
def test_counting_stops_at_a_drop_whatever_the_signs(scores: list[float], count: int) -> None:
    assert adaptive_count(scores, 4) == count


@pytest.mark.parametrize("shift", [-10.0, -0.5, 0.0, 3.0])
def test_a_shift_of_all_scores_changes_nothing(shift: float) -> None:
    scores = np.sort(np.random.default_rng(1).uniform(0, 1, 20))[::-1]
    assert adaptive_count(list(scores + shift), 20) == adaptive_count(list(scores), 20)


def documents(*given: Document) -> tuple[list[Document], np.ndarray[tuple[int, int], np.dtype[np.float32]]]:
    return list(given), np.eye(len(given), dtype=np.float32)


def test_reports_of_one_trial_count_once() -> None:
    found = documents(
        Document(id="a", text="The main result. ClinicalTrials.gov NCT01234567."),
        Document(id="b", text="Another drug, NCT07654321."),
        Document(id="c", text="Two-year follow-up.", trials=("NCT01234567",)),
        Document(id="d", text="A review of NCT01234567 and NCT07654321."),
    )
    assert first_of_each_study(*found) == [0, 1, 3]


def test_an_article_takes_its_preprints_place() -> None:
    title = "Alendronate in women with low bone mass"
    found = documents(
        Document(id="a", title=title, text="x", flags=("preprint",)),
        Document(id="b", title=f"{title}.", text="y"),
        Document(id="c", title="Results", text="z"),
        Document(id="d", title="Results", text="w"),
    )
    assert first_of_each_study(*found) == [1, 2, 3]


def test_the_same_words_count_once() -> None:
    found = [Document(id=name, text="x") for name in "abc"]
    vectors = np.array([[1, 0], [0.6, 0.8], [0.9999, 0.0141]], dtype=np.float32)
    assert first_of_each_study(found, vectors) == [0, 1]


def test_registry_numbers() -> None:
    assert trials(Document(id="a", text="isrctn12345678 was registered")) == {"ISRCTN12345678"}
    assert trials(Document(id="a", text="nothing", trials=("GENBANK1",))) == frozenset()


def test_only_capitals_that_the_index_does_not_know_are_spelled_out() -> None:
    assert spelled_out("Is CABG better than PCI?") == "coronary artery bypass grafting; percutaneous coronary intervention"
    assert spelled_out("Is CABG better than PCI?", lambda word: word == "PCI") == "coronary artery bypass grafting"
    assert spelled_out("HFrEF and NSAIDs") == (
        "heart failure with reduced ejection fraction; non-steroidal anti-inflammatory drugs"
    )
    assert spelled_out("acute kidney injury (AKI) after ibs") == ""
    assert all(key == key.upper() and " " in meaning for key, meaning in ABBREVIATIONS.items())


def test_negations_are_words() -> None:
    assert word_forms("no effect and not the cause, without harm") == ["no", "effect", "not", "caus", "without", "harm"]


def test_an_index_about_something_else_is_left_out() -> None:
    near = [passage("a", score=0.8), passage("b", score=0.6)]
    far = [passage("c", score=0.5)]
    close = [passage("d", score=0.7)]
    assert [p.text for p in routed([near, far, close])] == ["a", "d", "b"]
    assert [p.text for p in routed([far, []])] == ["c"]
    assert routed([]) == []
    # Scores may be negative.
    assert [p.text for p in routed([[passage("e", score=-0.1)], [passage("f", score=-0.2)]])] == ["e", "f"]
