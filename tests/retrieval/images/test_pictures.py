from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from core.errors import FileError
from retrieval.images.hashing import difference_hash, hash_distances
from retrieval.images.pictures import as_square, as_squares


def film(seed: int, rows: int = 40, columns: int = 40) -> np.ndarray:
    """Smooth random greys: what two films share is nothing."""
    coarse = np.random.default_rng(seed).normal(size=(5, 5))
    return np.asarray(Image.fromarray(coarse.astype(np.float32)).resize((columns, rows), Image.Resampling.BICUBIC))


def test_a_square_has_mean_zero_and_deviation_one_whatever_the_scale() -> None:
    for picture in (film(1), 4000 * film(1) + 100, film(1, 300, 200), (film(1) * 10000).astype(np.int32)):
        square = as_square(picture)
        assert square.shape == (32, 32)
        assert square.dtype == np.float32
        assert abs(float(square.mean())) < 1e-5
        assert float(square.std()) == pytest.approx(1, abs=1e-3)


def test_grey_scale_changes_do_not_move_it() -> None:
    np.testing.assert_allclose(as_square(film(2)), as_square(7 * film(2) - 3), atol=1e-4)


def test_a_batch_equals_its_pictures_one_by_one() -> None:
    pictures = [film(seed, 30 + seed, 50) for seed in range(4)]
    np.testing.assert_array_equal(as_squares(pictures), np.stack([as_square(picture) for picture in pictures]))


@pytest.mark.parametrize(
    ("picture", "told"),
    [
        (np.zeros((4, 40)), "at least 8 pixels"),
        (np.full((40, 40), 7), "one grey"),
        (np.zeros((3, 40, 40)), "rows x columns"),
        (np.full((40, 40), np.nan), "not numbers"),
    ],
)
def test_what_shows_nothing_is_refused(picture: np.ndarray, told: str) -> None:
    with pytest.raises(FileError, match=told):
        as_square(picture)


def test_copies_are_near_by_hash_and_other_films_far() -> None:
    original = film(3, 200, 200)
    copies = [original * 3 + 5, np.sign(original) * np.abs(original) ** 0.9, original[::2, ::2]]
    code = difference_hash(original)
    near = [hash_distances(code, np.frombuffer(difference_hash(c), np.uint8)[None])[0] for c in copies]
    far = [hash_distances(code, np.frombuffer(difference_hash(film(s, 200, 200)), np.uint8)[None])[0] for s in range(10, 30)]
    assert max(near) <= 12
    assert min(far) > 50
