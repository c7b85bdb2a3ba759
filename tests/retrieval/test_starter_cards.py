"""The starter cards: their format, sentences that can be quoted alone, and figures that agree with each other."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
import syntok.segmenter
from pydantic import BaseModel, ConfigDict

import retrieval
from tools.imaging.labels import TOTALSEGMENTATOR, VERSE


class Card(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    id: str
    title: str
    text: str
    source: str
    types: list[Literal["system", "definition"]]


STARTER = Path(str(retrieval.__file__)).parent / "starter"
EDGES = re.compile(r"^\s|\s$|\s{2}|[\x00-\x1f]")
NUMBER = re.compile(r"\d+(?:,\d{3})+|\d+(?:\.\d+)?")
AT_MOST_ONE = (
    *("macro-F1", "macro F1", "macro precision", "macro recall", "Dice score", "(concordance index)", "(KID)"),
    *("nDCG@10", "AUROC", "AUPRC", "Brier score", "calibration error"),
)
UNIT_INTERVAL = re.compile(rf"(?:{'|'.join(map(re.escape, AT_MOST_ONE))}) of (?:only )?(\d+(?:\.\d+)?)")
WITH_INTERVAL = re.compile(r"(\d+(?:\.\d+)?)%?(?: [a-z ]+)? \(95% CI,? (?:about )?([\d.]+) to ([\d.]+)%?")
PRONOUNS = ("It ", "Its ", "This ", "That ", "These ", "Those ", "They ", "Their ", "He ", "She ", "We ", "Our ")


def read(name: str) -> list[Card]:
    lines = (STARTER / name).read_text(encoding="utf-8").splitlines()
    return [Card.model_validate_json(line) for line in lines]


SYSTEMS = read("systems.jsonl")
DEFINITIONS = read("definitions.jsonl")
CARDS = SYSTEMS + DEFINITIONS
BY_ID = {card.id: card for card in CARDS}


def sentences(text: str) -> Iterator[str]:
    for paragraph in syntok.segmenter.process(text):
        for sentence in paragraph:
            yield "".join(token.spacing + token.value for token in sentence).strip()


def numbers(text: str) -> set[str]:
    return {match.replace(",", "") for match in NUMBER.findall(text)}


each_card = pytest.mark.parametrize("card", CARDS, ids=lambda card: card.id)


def test_one_card_for_each_named_system() -> None:
    assert len(SYSTEMS) == 71
    assert len({card.source for card in SYSTEMS}) == 71
    assert all(card.types == ["system"] for card in SYSTEMS)


def test_the_definitions_are_a_short_list() -> None:
    assert 20 <= len(DEFINITIONS) <= 26
    assert all(card.types == ["definition"] for card in DEFINITIONS)


def test_ids_and_titles_are_unique() -> None:
    assert len(BY_ID) == len(CARDS)
    assert len({card.title for card in CARDS}) == len(CARDS)


@each_card
def test_fields_are_clean(card: Card) -> None:
    assert re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", card.id)
    for field in (card.title, card.text, card.source):
        assert field
        assert not EDGES.search(field)


@each_card
def test_a_card_has_four_to_ten_sentences(card: Card) -> None:
    assert 4 <= len(list(sentences(card.text))) <= 10


def test_no_sentence_occurs_twice() -> None:
    counts = Counter(sentence.casefold() for card in CARDS for sentence in sentences(card.text))
    assert [sentence for sentence, count in counts.items() if count > 1] == []


@each_card
def test_each_sentence_can_be_quoted_alone(card: Card) -> None:
    for sentence in sentences(card.text):
        assert sentence[0].isupper(), sentence
        assert not sentence.startswith(PRONOUNS), sentence
        assert sentence.endswith("."), sentence
        assert not sentence[-2].isdigit(), f"a splitter joins this with the next sentence: {sentence}"


@each_card
def test_the_splitter_and_the_full_stops_agree(card: Card) -> None:
    stops = re.split(r"(?<=[.!?])\s+(?=[A-Z0-9])", card.text)
    assert stops == list(sentences(card.text))


@each_card
def test_no_reference_is_written_into_the_text(card: Card) -> None:
    assert not re.search(r"https?:|www\.|\b10\.\d{4,}/|\bPMID\b|\bdoi\b", card.text, re.IGNORECASE)


@each_card
def test_figures_are_possible(card: Card) -> None:
    for percentage in re.findall(r"(\d+(?:\.\d+)?)%", card.text):
        assert 0 <= float(percentage) <= 100
    for value in UNIT_INTERVAL.findall(card.text):
        assert 0 <= float(value) <= 1
    for value, low, high in WITH_INTERVAL.findall(card.text):
        assert float(low) <= float(value) <= float(high), card.text


def test_the_interval_check_finds_the_intervals() -> None:
    found = [match for card in CARDS for match in WITH_INTERVAL.findall(card.text)]
    assert len(found) == sum(card.text.count("(95% CI") for card in CARDS)


@pytest.mark.parametrize(
    ("definition", "system", "figures"),
    [
        ("fid", "generatect", {"55.8"}),
        ("fid", "ct2x-gan", {"97.84"}),
        ("rhlv", "healthivert-gan", {"0", "3"}),
    ],
)
def test_a_figure_told_twice_is_the_same(definition: str, system: str, figures: set[str]) -> None:
    assert figures <= numbers(BY_ID[definition].text)
    assert figures <= numbers(BY_ID[system].text)


def test_genant_thresholds_are_those_of_the_grading() -> None:
    text = BY_ID["genant-grades"].text
    for statement in ("below 20%", "20% to 25%", "25% to 40%", "40% or more"):
        assert statement in text


@pytest.mark.parametrize(
    ("table", "values"),
    [(VERSE, (1, 7, 8, 19, 20, 24, 25)), (TOTALSEGMENTATOR, (26, 27, 31, 32, 43, 44, 50))],
    ids=["VerSe", "TotalSegmentator"],
)
def test_vertebra_numbers_in_the_card_are_those_of_the_code(table: dict[int, str], values: tuple[int, ...]) -> None:
    text = BY_ID["vertebra-numbering"].text
    for value in values:
        assert re.search(rf"\b{value} is {table[value]}\b", text), value
