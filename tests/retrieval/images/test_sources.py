from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import FileError
from core.ports import Picture
from core.pseudonym import Pseudonyms
from retrieval.images.sources import array_rows, read_pictures
from tests.retrieval.images.build import kind_of_film
from tools.imaging.pictures import FilmReader

PSEUDONYMS = Pseudonyms(b"k" * 32)


def save(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    film = kind_of_film(0, seed)
    Image.fromarray(np.round(255 * (film - film.min()) / np.ptp(film)).astype(np.uint8)).save(path)


def read(folder: Path) -> tuple[list[Picture], dict[str, str]]:
    skipped: dict[str, str] = {}
    pictures = list(
        read_pictures(folder, FilmReader(PSEUDONYMS), PSEUDONYMS.of, lambda name, why: skipped.update({name: why}))
    )
    return pictures, skipped


def test_the_table_says_whose_and_what_it_is(tmp_path: Path) -> None:
    save(tmp_path / "a" / "one.png", 1)
    save(tmp_path / "two.png", 2)
    rows = "file,patient,label,report,view\na/one.png,MRN 17,pneumonia,Opacity on the right.,PA\ngone.png,MRN 3,,,\n"
    (tmp_path / "metadata.csv").write_text(rows)
    pictures, skipped = read(tmp_path)
    assert [p.key for p in pictures] == ["a/one.png", "two.png"]
    one = pictures[0]
    assert (one.label, one.report, one.view) == ("pneumonia", "Opacity on the right.", "PA")
    assert one.patient == PSEUDONYMS.of("mrn 17")
    assert "MRN" not in one.patient
    assert skipped == {"gone.png": "metadata.csv names it, but it is not there."}


def test_what_cannot_be_read_is_skipped_with_its_reason(tmp_path: Path) -> None:
    save(tmp_path / "good.png", 1)
    (tmp_path / "broken.png").write_bytes((tmp_path / "good.png").read_bytes()[:60])
    (tmp_path / "notes.txt").write_text("not an image")
    Image.new("L", (64, 64), 90).save(tmp_path / "flat.png")
    Image.new("L", (4, 4), 90).save(tmp_path / "tiny.png")
    colours = np.zeros((64, 64, 3), dtype=np.uint8)
    colours[:32, :, 0] = 200
    colours[32:, :, 2] = 200
    Image.fromarray(colours).save(tmp_path / "photo.png")
    pictures, skipped = read(tmp_path)
    assert [p.key for p in pictures] == ["good.png"]
    assert set(skipped) == {"broken.png", "notes.txt", "flat.png", "tiny.png", "photo.png"}
    assert "damaged" in skipped["broken.png"]
    assert "one grey" in skipped["flat.png"]
    assert "colour" in skipped["photo.png"]


def test_arrays_give_one_picture_per_row_with_its_label(tmp_path: Path) -> None:
    images = np.stack([kind_of_film(0, seed) for seed in range(3)])
    np.savez(tmp_path / "set.npz", test_images=images, train_images=images, train_labels=np.array([[1], [0], [2]]))
    pictures, skipped = read(tmp_path)
    assert not skipped
    assert [p.key for p in pictures][:4] == [
        "set.npz/train-000000",
        "set.npz/train-000001",
        "set.npz/train-000002",
        "set.npz/test-000000",
    ]
    assert [p.label for p in pictures] == ["1", "0", "2", "", "", ""]
    assert [name for name, _ in array_rows(tmp_path / "set.npz")] == ["train", "test"]


def test_arrays_without_pictures_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", numbers=np.arange(5))
    with pytest.raises(FileError, match="no pictures"):
        list(array_rows(tmp_path / "set.npz"))


def test_a_table_without_files_and_a_missing_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="not there"):
        read(tmp_path / "nowhere")
    (tmp_path / "metadata.csv").write_text("name,label\nx,y\n")
    with pytest.raises(FileError, match="column 'file'"):
        read(tmp_path)
