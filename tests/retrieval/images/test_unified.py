"""One encoder for film, text and pair: that it learns what goes together, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import FileError, InputError
from core.ports import Picture
from retrieval.images.encoder import SmallFilmEncoder, own_encoder
from retrieval.images.index import ImageIndex
from retrieval.images.pairs import with_text
from retrieval.images.pictures import as_squares
from retrieval.images.search import ImageSearch
from retrieval.images.train import TrainConfig, train
from retrieval.images.trainingset import TrainingSet
from retrieval.images.unified_encoder import UnifiedFilmEncoder
from retrieval.images.unified_network import UnifiedEncoder
from retrieval.images.words import LONGEST, PADDING, UNKNOWN, Vocabulary
from tests.retrieval.images.build import kind_of_film

SAID = ("effusion at the left base", "clear lungs", "nodule in the right apex")
RECIPE = TrainConfig(objective="unified", masked_epochs=0, contrast_epochs=10, batch=12, half=False, strength=0.4)


def told_set(count: int = 36) -> TrainingSet:
    pictures = as_squares([kind_of_film(number % 3, number, 0.3) for number in range(count)])
    reports = tuple(f"{SAID[number % 3]} number {number}" for number in range(count))
    return TrainingSet(pictures, np.full(count, -1), reports, ())


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> UnifiedFilmEncoder:
    out = tmp_path_factory.mktemp("unified")
    train(told_set(), out, RECIPE, report=lambda line: None)
    made = own_encoder(out / "encoder.safetensors")
    assert isinstance(made, UnifiedFilmEncoder)
    return made


def fresh(count: int = 12) -> list[np.ndarray]:
    return [kind_of_film(number % 3, 900 + number, 0.3) for number in range(count)]


def test_new_films_find_their_words_and_words_their_films(encoder: UnifiedFilmEncoder) -> None:
    cosines = encoder.encode(fresh()) @ encoder.encode_texts(["effusion", "clear lungs", "nodule in the apex"]).T
    kinds = np.arange(12) % 3
    assert (cosines.argmax(1) == kinds).mean() >= 0.9
    assert (kinds[cosines.argmax(0)] == [0, 1, 2]).all()


def test_a_pair_lies_with_its_film_and_its_text(encoder: UnifiedFilmEncoder) -> None:
    films, texts = fresh(6), [SAID[number % 3] for number in range(6)]
    pairs = encoder.encode_pairs(films, texts)
    kinds = np.arange(6) % 3
    same = kinds[:, None] == kinds[None]
    for alone in (encoder.encode(films), encoder.encode_texts(texts)):
        cosines = pairs @ alone.T
        assert cosines[same].mean() > cosines[~same].mean() + 0.3
    assert np.allclose(np.linalg.norm(pairs, axis=1), 1, atol=1e-5)


def test_a_text_is_read_alike_whatever_stands_beside_it(encoder: UnifiedFilmEncoder) -> None:
    alone = encoder.encode_texts(["clear lungs"])
    beside = encoder.encode_texts(["nodule in the right apex number 3", "clear lungs"])
    assert float(alone[0] @ beside[1]) > 0.999


def test_words_it_never_saw_are_refused(encoder: UnifiedFilmEncoder) -> None:
    with pytest.raises(InputError, match="None of the words of 'scaphoid'"):
        encoder.encode_texts(["scaphoid"])
    with pytest.raises(InputError, match="one text per picture"):
        encoder.encode_pairs(fresh(2), ["clear lungs"])


def test_search_by_film_and_words_together(encoder: UnifiedFilmEncoder, tmp_path: Path) -> None:
    index = ImageIndex(tmp_path / "films", encoder)
    index.create()
    films = [kind_of_film(number % 3, 800 + number) for number in range(12)]  # so unlike that none is a copy of another
    index.add(Picture(film, f"f{number}") for number, film in enumerate(films))
    search = ImageSearch(index)
    query = Picture(kind_of_film(0, 700), "query")
    everything = encoder.encode(films)

    def nearest(vector: np.ndarray) -> list[str]:
        return [f"f{row}" for row in np.argsort(-(everything @ vector[0]))[:3]]

    alone, words = encoder.encode([query.pixels]), "nodule in the right apex"
    assert [hit.key for hit in search.search(query, 3).neighbours] == nearest(alone)
    pulled = search.search(query, 3, text=words)
    assert [hit.key for hit in pulled.neighbours] == nearest(encoder.encode_pairs([query.pixels], [words]))
    assert np.allclose(with_text(encoder, query, alone, words), encoder.encode_pairs([query.pixels], [words]))
    assert [hit.key for hit in search.search_text(words, 3).neighbours] == nearest(encoder.encode_texts([words]))


def test_a_stopped_run_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"masked_epochs": 1, "contrast_epochs": 2})
    whole = train(told_set(12), tmp_path / "whole", recipe, report=lambda line: None)
    train(told_set(12), tmp_path / "parts", recipe, report=lambda line: None, stop_after=2)
    parts = train(told_set(12), tmp_path / "parts", recipe, report=lambda line: None)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(value, parts.state_dict()[name], rtol=0, atol=0)


def test_films_without_reports_cannot_teach_it(tmp_path: Path) -> None:
    data = told_set()
    silent = TrainingSet(data.pictures, data.labels, ("",) * len(data), ())
    with pytest.raises(InputError, match="learns from films with reports"):
        train(silent, tmp_path / "silent", RECIPE, report=lambda line: None)


def test_weights_are_told_apart_by_their_header(tmp_path: Path) -> None:
    assert isinstance(own_encoder(SmallFilmEncoder()._weights), SmallFilmEncoder)
    with pytest.raises(FileError, match="There are no encoder weights"):
        own_encoder(tmp_path / "nothing.safetensors")
    (tmp_path / "text.safetensors").write_text("no weights")
    with pytest.raises(FileError, match="cannot be read as weights"):
        own_encoder(tmp_path / "text.safetensors")
    with pytest.raises(FileError, match="no encoder of films and texts"):
        UnifiedFilmEncoder(SmallFilmEncoder()._weights)


def test_something_must_be_there() -> None:
    with pytest.raises(ValueError, match="films, texts, or both"):
        UnifiedEncoder(10)(None, None)


def test_words_become_numbers() -> None:
    vocabulary = Vocabulary.of(["Clear lungs.", "clear apex", ""])
    assert vocabulary.words == ("clear", "apex", "lungs")
    numbers = vocabulary.encode(["CLEAR hila", "lungs " * 99])
    assert numbers.shape == (2, LONGEST)
    assert numbers[0, :3].tolist() == [3, UNKNOWN, PADDING]
    assert vocabulary.encode([""]).tolist() == [[PADDING]]
    with pytest.raises(InputError, match="no words"):
        Vocabulary.of(["...", ""])
