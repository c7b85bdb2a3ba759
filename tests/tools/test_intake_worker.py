"""Uploads are read elsewhere: what hangs, crashes or eats memory there ends there, and leaves the session as it was."""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path

import pydicom
import pytest
from PIL import Image

from core.pseudonym import Pseudonyms
from core.store import SessionStore
from core.types import NewArtifact
from tests.tools.test_intake import write_series
from tools.intake_worker import Limits, read_in_worker


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.new("L", (64, 64), 9).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_a_file_is_taken_in_and_known_here(picture: Path, store: SessionStore) -> None:
    taken = read_in_worker([picture], store, Limits())
    assert [artifact.handle for artifact in taken.artifacts] == ["image1"]
    assert store.path("image1").exists()


def test_both_processes_may_add_without_losing_any(picture: Path, store: SessionStore) -> None:
    stop = threading.Event()

    def add() -> None:
        number = 0
        while not stop.wait(0.005):  # each entry rewrites the list: without a pause the test is of its length
            number += 1
            store.add(str(number).encode(), NewArtifact(kind="document", title=str(number), media_type="text/plain"), ".txt")

    thread = threading.Thread(target=add)
    thread.start()
    taken = read_in_worker([picture], store, Limits())
    stop.set()
    thread.join()
    handles = [artifact.handle for artifact in SessionStore(store.folder).list()]
    assert taken.artifacts[0].handle in handles
    assert len(handles) == len(set(handles)) == len(store.list()) > 2


def test_what_takes_too_long_is_killed_and_leaves_nothing(tmp_path: Path, store: SessionStore, picture: Path) -> None:
    big = tmp_path / "big.png"
    Image.effect_noise((6000, 6000), 90).save(big, compress_level=0)
    before = set(Path(tempfile.gettempdir()).glob("consilium-upload-*"))
    started = time.monotonic()
    taken = read_in_worker([big], store, Limits(seconds=0.2))
    assert time.monotonic() - started < 10
    assert "longer than 0.2 s" in taken.problems[0]
    assert set(Path(tempfile.gettempdir()).glob("consilium-upload-*")) == before
    assert not list(store.folder.glob("blobs/tmp*"))
    assert read_in_worker([picture], store, Limits()).artifacts[0].handle == "image1"


def test_what_needs_too_much_memory_is_told(tmp_path: Path, store: SessionStore) -> None:
    Image.new("RGB", (9000, 9000)).save(tmp_path / "huge.png")
    taken = read_in_worker([tmp_path / "huge.png"], store, Limits(memory_mb=420))
    assert not taken.artifacts
    assert "memory" in taken.problems[0]


def test_a_stop_is_heard(tmp_path: Path, store: SessionStore) -> None:
    Image.effect_noise((6000, 6000), 90).save(tmp_path / "big.png", compress_level=0)
    cancelled = threading.Event()
    cancelled.set()
    assert read_in_worker([tmp_path / "big.png"], store, Limits(), cancelled).problems == ("Reading the files was stopped.",)


def test_the_process_gives_images_the_pseudonym_of_their_patient_and_no_name(tmp_path: Path, store: SessionStore) -> None:
    series = write_series(tmp_path / "upload", [0.0, 2.0, 4.0])
    for file in series.iterdir():
        slice_ = pydicom.dcmread(file)
        slice_.PatientID = "H-204 "
        slice_.save_as(file)
    pseudonyms = Pseudonyms.kept_in(tmp_path)
    taken = read_in_worker([series], store, Limits(), pseudonyms=pseudonyms)
    assert taken.problems == ()
    assert [artifact.patient for artifact in taken.artifacts] == [pseudonyms.of("|h-204")]  # no issuer
    kept = b"".join(path.read_bytes() for path in store.folder.rglob("*") if path.is_file())
    assert b"H-204" not in kept
    assert b"Doe" not in kept
