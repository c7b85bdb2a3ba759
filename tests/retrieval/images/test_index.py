from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import IndexDamaged, InputError
from core.ports import Picture
from retrieval.images.index import ImageChange, ImageIndex, encode_pictures
from tests.retrieval.images.build import ShrinkEncoder, films, kind_of_film


@pytest.fixture
def index(tmp_path: Path) -> ImageIndex:
    made = ImageIndex(tmp_path / "films", ShrinkEncoder())
    made.create()
    return made


def test_adding_again_is_a_no_op_and_a_changed_picture_replaces(index: ImageIndex) -> None:
    pictures = films(6)
    assert index.add(pictures) == ImageChange(added=6)
    assert index.add(pictures) == ImageChange(unchanged=6)
    changed = replace(pictures[0], label="other")
    assert index.add([changed]) == ImageChange(replaced=1)
    generation = index.current()
    assert len(generation.rows) == generation.vectors.ntotal == 6
    assert generation.store.execute("SELECT label FROM pictures WHERE key = ?", (changed.key,)).fetchone() == ("other",)
    generation.store.close()


def test_an_add_that_was_stopped_is_taken_up(index: ImageIndex) -> None:
    pictures = films(9)

    def until_it_breaks() -> object:
        yield from pictures[:5]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.add(until_it_breaks(), batch=2)  # type: ignore[arg-type]
    assert index.verify() == []
    assert index.add(pictures, batch=2) == ImageChange(added=5, unchanged=4)


def test_removed_pictures_are_gone_from_every_file(index: ImageIndex) -> None:
    index.add(films(5))
    assert index.remove(["film001.png", "nowhere.png"]) == 1
    generation = index.current()
    assert generation.vectors.ntotal == 4
    assert all(int(i) // 8 != 1 for i in _ids(generation.regions))
    generation.store.close()


def _ids(vectors: object) -> list[int]:
    import faiss

    return list(faiss.vector_to_array(vectors.id_map))  # type: ignore[attr-defined]


def test_a_second_create_needs_force(index: ImageIndex) -> None:
    index.add(films(3))
    with pytest.raises(InputError, match="--force"):
        index.create()
    index.create(force=True)
    assert index.current().manifest.pictures == 0


def test_an_index_of_another_encoder_is_refused_with_the_command(index: ImageIndex) -> None:
    class Other(ShrinkEncoder):
        identity = "other/1"

    with pytest.raises(IndexDamaged, match="image-index create films --force"):
        ImageIndex(index.folder, Other()).current()


def test_damage_is_found(index: ImageIndex) -> None:
    index.add(films(4))
    folder = index.current_folder()
    assert folder is not None
    path = folder / "vectors.faiss"
    path.write_bytes(path.read_bytes()[:-7] + b"1234567")
    assert index.verify()


def test_a_missing_index_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(IndexDamaged, match="image-index create nothing"):
        ImageIndex(tmp_path / "nothing", ShrinkEncoder()).current()


def test_a_picture_of_parts_is_the_mean_of_its_parts() -> None:
    parts = (kind_of_film(0, 1), kind_of_film(1, 2))
    encoder = ShrinkEncoder()
    whole, single = encode_pictures(encoder, [Picture(parts[0], "v#volume", parts=parts), Picture(parts[0], "s")])
    mean = encoder.encode(parts).mean(axis=0)
    np.testing.assert_allclose(whole, mean / np.linalg.norm(mean), atol=1e-6)
    np.testing.assert_allclose(single, encoder.encode(parts[:1])[0], atol=1e-6)


def test_the_null_needs_enough_patients(index: ImageIndex) -> None:
    index.add(films(12))
    assert index.current().manifest.null.pairs == ()
    index.add(films(30, start=100))
    null = index.current().manifest.null
    assert len(null.pairs) == len(null.nearest) == 101
    assert null.closer_than(1.0) == 1
    assert null.nearest[50] > null.pairs[50]
