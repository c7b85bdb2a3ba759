from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import IndexDamaged, InputError
from core.ports import Picture
from retrieval.images.index import ImageIndex
from retrieval.images.search import ImageSearch, SeveralImageIndexes
from tests.retrieval.images.build import ShrinkEncoder, films, kind_of_film


@pytest.fixture
def index(tmp_path: Path) -> ImageIndex:
    made = ImageIndex(tmp_path / "films", ShrinkEncoder())
    made.add(films(60))
    return made


@pytest.fixture
def search(index: ImageIndex) -> ImageSearch:
    return ImageSearch(index)


def query(kind: int = 0, seed: int = 999) -> Picture:
    return Picture(kind_of_film(kind, seed), "query.png")


def test_neighbours_are_of_the_same_kind_nearest_first(search: ImageSearch) -> None:
    found = search.search(query(1), 5)
    assert [n.label for n in found.neighbours] == ["kind 1"] * 5
    similarities = [n.similarity for n in found.neighbours]
    assert similarities == sorted(similarities, reverse=True)
    assert all(n.closer_than > 0.6 for n in found.neighbours)
    assert "60 pictures in 'films'" in found.searched


def test_the_same_patient_and_study_are_never_neighbours(index: ImageIndex, search: ImageSearch) -> None:
    first = search.search(query(), 3)
    own = first.neighbours[0].key
    number = int(own[4:7])
    again = search.search(replace(query(), patient=f"p{number}"), 3)
    assert own not in [n.key for n in again.neighbours]
    assert again.same_patient == 1
    index.add([replace(query(0, 4321), key="mate.png", study="s1", patient="p900")])
    assert "mate.png" not in [n.key for n in search.search(replace(query(0, 4321), study="s1"), 10).neighbours]


def _copies(picture: np.ndarray) -> dict[str, np.ndarray]:
    grey = np.round(255 * (picture - picture.min()) / np.ptp(picture)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, format="JPEG", quality=50)
    return {
        "jpeg": np.asarray(Image.open(buffer)),
        "larger": np.asarray(Image.fromarray(grey).resize((96, 96), Image.Resampling.BICUBIC)),
        "brighter": np.clip(grey * 0.7 + 60, 0, 255),
        "noisy": grey + np.random.default_rng(0).normal(0, 4, grey.shape),
    }


def test_planted_copies_are_never_neighbours_nor_the_rest_of_their_patient(index: ImageIndex) -> None:
    """Without any identifier on the query: the copy in the index tells whose picture it is."""
    original = kind_of_film(2, 777)
    mate = kind_of_film(2, 778)
    index.add(
        [
            Picture(original, "copy.png", patient="planted", label="kind 2"),
            Picture(mate, "second-film.png", patient="planted", label="kind 2"),
        ]
    )
    search = ImageSearch(index)
    for name, pixels in _copies(original).items():
        found = search.search(Picture(pixels, "query.png"), 60)
        keys = {n.key for n in found.neighbours}
        assert not keys & {"copy.png", "second-film.png"}, name
        assert found.duplicates == 2, name


def test_one_patient_gives_one_neighbour(index: ImageIndex, search: ImageSearch) -> None:
    index.add([Picture(kind_of_film(0, 2000 + n), f"many{n}.png", patient="many") for n in range(5)])
    keys = [n.key for n in search.search(query(0), 30).neighbours]
    assert sum(key.startswith("many") for key in keys) <= 1


def test_nothing_near_is_said(search: ImageSearch) -> None:
    strange = np.indices((48, 48)).sum(axis=0) % 16 < 8
    found = search.search(Picture(strange.astype(np.float32), "query.png"), 3)
    assert found.neighbours == ()
    assert found.nearest_too_far is not None
    assert found.nearest_too_far < 0.6


def test_synthetic_pictures_are_never_offered(index: ImageIndex, search: ImageSearch) -> None:
    made = replace(query(0, 998), key="made.png", synthetic=True, patient="x")
    index.add([made])
    found = search.search(query(0, 998 + 1), 20)
    assert "made.png" not in [n.key for n in found.neighbours]


def test_a_box_compares_parts(index: ImageIndex, search: ImageSearch) -> None:
    mixed = kind_of_film(0, 5555)
    mixed[:24, :24] = kind_of_film(1, 5556)[:24, :24]
    found = search.search(Picture(mixed, "query.png"), 3, box=(0.0, 0.0, 0.5, 0.5))
    assert [n.label for n in found.neighbours] == ["kind 1"] * 3
    with pytest.raises(InputError, match="left, top, right, bottom"):
        search.search(query(), 3, box=(0.5, 0.0, 0.2, 1.0))


def test_an_index_of_one_picture_answers_without_a_null(tmp_path: Path) -> None:
    index = ImageIndex(tmp_path / "one", ShrinkEncoder())
    index.add(films(1))
    found = ImageSearch(index).search(query(0), 5)
    assert len(found.neighbours) == 1
    assert np.isnan(found.neighbours[0].closer_than)


def test_an_empty_index_gives_nothing(tmp_path: Path) -> None:
    index = ImageIndex(tmp_path / "none", ShrinkEncoder())
    index.create()
    assert ImageSearch(index).search(query(), 3).neighbours == ()


def test_a_search_sees_what_was_added_after_it_was_opened(index: ImageIndex, search: ImageSearch) -> None:
    before = search.search(query(0), 1).index
    index.add(films(3, start=300))
    after = search.search(query(0), 1)
    assert after.index != before
    assert "63 pictures" in after.searched


def test_text_is_refused_by_an_encoder_that_reads_none(search: ImageSearch) -> None:
    with pytest.raises(InputError, match="no text"):
        search.search_text("pneumonia", 3)


def test_k_must_be_one_or_more(search: ImageSearch) -> None:
    with pytest.raises(InputError, match="got 0"):
        search.search(query(), 0)


def test_several_indexes_are_searched_as_one(index: ImageIndex, tmp_path: Path) -> None:
    other = ImageIndex(tmp_path / "more", ShrinkEncoder())
    other.add(films(30, start=500))
    found = SeveralImageIndexes([ImageSearch(index), ImageSearch(other)]).search(query(0), 6)
    assert len(found.neighbours) == 6
    assert "'films'" in found.searched
    assert "'more'" in found.searched
    with pytest.raises(IndexDamaged, match="image-index add"):
        SeveralImageIndexes([]).search(query(0), 1)
