"""`consilium image-index` as a person runs it: make, fill, search, remove, embed, and what is wrong with bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.settings import load_settings
from tests.retrieval.images.build import kind_of_film
from ui.cli import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONSILIUM_HOME", str(tmp_path / "home"))
    films = tmp_path / "films"
    films.mkdir()
    for number in range(6):
        film = kind_of_film(number % 2, number)
        grey = np.round(255 * (film - film.min()) / np.ptp(film)).astype(np.uint8)
        Image.fromarray(grey).resize((96, 96)).save(films / f"film{number}.png")
    table = ["file,patient,label", *(f"film{n}.png,p{n},{'effusion' if n % 2 else 'clear'}" for n in range(6))]
    (films / "metadata.csv").write_text("\n".join(table), encoding="utf-8")
    return films


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, object]]:
    code = main(["image-index", *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_made_filled_searched_and_removed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "create", "films")[0] == 0
    (folder / "broken.png").write_bytes(b"\x89PNG nothing")
    code, added = told(capsys, "add", "films", str(folder))
    skipped = added["skipped"]
    assert isinstance(skipped, list)
    assert (code, added["added"], [item["file"] for item in skipped]) == (0, 6, ["broken.png"])
    assert told(capsys, "add", "films", str(folder))[1]["unchanged"] == 6
    code, found = told(capsys, "search", "films", str(folder / "film0.png"), "--k", "2")
    hits = found["hits"]
    assert isinstance(hits, list)
    assert code == 0
    assert "film0.png" not in [hit["key"] for hit in hits], "a copy of the query is no neighbour"
    assert found["copies_left_out"] == 1
    assert told(capsys, "remove", "films", "film1.png")[1] == {"removed": 1}
    assert told(capsys, "stats", "films")[1]["pictures"] == 5


def test_rows_of_an_embedding_are_in_name_order(folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, made = told(capsys, "embed", str(folder), "--out", str(tmp_path / "E.npy"))
    vectors = np.load(tmp_path / "E.npy")
    assert (code, made["names"]) == (0, [f"film{number}.png" for number in range(6)])
    assert vectors.shape == (6, made["dimension"])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_weights_of_an_own_training_are_remembered_by_the_index(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Trained, indexed and searched by a person who names the weights once; the assistant uses the same."""
    said = [f"film{n}.png,p{n},{'effusion at the base' if n % 2 else 'clear lungs'}" for n in range(6)]
    (folder / "metadata.csv").write_text("\n".join(["file,patient,report", *said]), encoding="utf-8")
    (tmp_path / "recipe.json").write_text('{"masked_epochs": 0, "contrast_epochs": 1, "batch": 4, "half": false}')
    trained = ("train", str(folder), "--out", str(tmp_path / "out"), "--config", str(tmp_path / "recipe.json"))
    code, made = told(capsys, *trained, "--objective", "unified")
    assert (code, made["pictures"]) == (0, 6)
    weights = str(tmp_path / "out" / "encoder.safetensors")
    assert told(capsys, "create", "own", "--encoder", weights)[0] == 0
    assert told(capsys, "add", "own", str(folder))[1]["added"] == 6
    code, both = told(capsys, "search", "own", str(folder / "film0.png"), "--text", "effusion")
    assert code == 0
    assert isinstance(both["hits"], list)
    assert "film0.png" not in [hit["key"] for hit in both["hits"]]
    code, words = told(capsys, "search", "own", "--text", "effusion", "--k", "6")
    assert isinstance(words["hits"], list)
    assert (code, len(words["hits"])) == (0, 6)
    assert told(capsys, "embed", str(folder), "--out", str(tmp_path / "E.npy"), "--encoder", weights)[1]["dimension"] == 192
    from agent.assemble import _ImageIndexes
    from core.ports import Picture

    outcome = _ImageIndexes(load_settings()).search(Picture(kind_of_film(1, 77), "new"), 2)
    assert outcome.searched == "6 pictures in 'own'"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("create", "../films"), 2, "An index name is up to 64 letters"),
        (("add", "films", "nowhere"), 2, "nowhere"),
        (("search", "films"), 2, "Give an IMAGE"),
        (("search", "films", "--text", "a fracture"), 2, "reads no text"),
        (("embed", "nowhere", "--out", "E.npy"), 2, "is not there"),
        (("embed", ".", "--out", "E.csv"), 2, "must end in .npy"),
    ],
)
def test_bad_input_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, words: str
) -> None:
    assert load_settings().home == folder.parent / "home"
    main(["image-index", "create", "films"])
    assert main(["image-index", *arguments]) == code
    assert words in capsys.readouterr().err
