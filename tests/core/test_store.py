from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from core.errors import TooLarge, UnknownHandle
from core.store import SessionStore, remove_expired
from core.types import NewArtifact

CT = NewArtifact(kind="volume", title="CT", media_type="application/x-nifti", modality="CT")
FILM = NewArtifact(kind="radiograph", title="film", media_type="image/png", modality="DX")


def test_handles_count_per_kind(store: SessionStore) -> None:
    assert store.add(b"a", CT, ".nii").handle == "ct1"
    assert store.add(b"b", CT, ".nii").handle == "ct2"
    assert store.add(b"c", FILM, ".png").handle == "xray1"
    assert [artifact.handle for artifact in store.list()] == ["ct1", "ct2", "xray1"]


@pytest.mark.parametrize(("modality", "handle"), [("CT", "ct1"), ("MR", "mr1"), ("PT", "volume1"), (None, "volume1")])
def test_a_volume_is_called_by_its_modality(store: SessionStore, modality: str | None, handle: str) -> None:
    new = CT.model_copy(update={"modality": modality})
    assert store.add(b"x", new, ".nii").handle == handle


def test_adding_the_same_again_gives_the_same_handle(store: SessionStore) -> None:
    first = store.add(b"same", CT, ".nii")
    assert store.add(b"same", CT, ".nii") == first
    assert len(store.list()) == 1


def test_the_same_bytes_described_otherwise_are_another_artifact_and_one_blob(store: SessionStore) -> None:
    store.add(b"same", CT, ".nii")
    twin = store.add(b"same", CT.model_copy(update={"simulated": True}), ".nii")
    assert twin.handle == "ct2"
    assert len(list((store.folder / "blobs").iterdir())) == 1


def test_content_comes_back_after_reopening(store: SessionStore, tmp_path: Path) -> None:
    source = tmp_path / "Doe^Jane.nii"
    source.write_bytes(b"voxels")
    artifact = store.add(source, CT, ".nii")
    again = SessionStore(store.folder)
    assert again.get(artifact.handle) == artifact
    assert again.path(artifact.handle).read_bytes() == b"voxels"


def test_no_name_on_disk_tells_of_the_patient(store: SessionStore, tmp_path: Path) -> None:
    source = tmp_path / "Doe^Jane.nii"
    source.write_bytes(b"voxels")
    store.add(source, CT, ".nii")
    on_disk = [path.name for path in store.folder.rglob("*")] + [(store.folder / "artifacts.json").read_text()]
    assert not any("Doe" in text or "Jane" in text for text in on_disk)


def test_an_unknown_handle_lists_what_there_is(store: SessionStore) -> None:
    with pytest.raises(UnknownHandle, match="nothing is attached yet"):
        store.get("ct1")
    store.add(b"a", CT, ".nii")
    with pytest.raises(UnknownHandle, match=r"no 'xray1' in this conversation\. Attached: ct1"):
        store.path("xray1")


def test_limits_refuse_and_keep_nothing(tmp_path: Path) -> None:
    store = SessionStore(tmp_path / "s", max_file_mb=1, max_session_mb=2)
    with pytest.raises(TooLarge, match="at most 1 MB; this one has 2"):
        store.add(bytes(2 * 1024 * 1024), CT, ".nii")
    for filler in (1, 2):
        store.add(bytes([filler]) * 1024 * 1024, CT, ".nii")
    with pytest.raises(TooLarge, match="Start a new conversation"):
        store.add(b"one more", CT, ".nii")
    assert [artifact.handle for artifact in store.list()] == ["ct1", "ct2"]
    assert len(list((store.folder / "blobs").iterdir())) == 2


def test_threads_get_different_handles(store: SessionStore) -> None:
    threads = [threading.Thread(target=store.add, args=(bytes([n]), CT, ".nii")) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {artifact.handle for artifact in SessionStore(store.folder).list()} == {f"ct{n}" for n in range(1, 17)}


def test_expiry_deletes_what_was_not_touched(tmp_path: Path) -> None:
    old, new = SessionStore(tmp_path / "old"), SessionStore(tmp_path / "new")
    os.utime(old.folder, (0, 0))
    new.touch()
    assert remove_expired(tmp_path, days=30) == ("old",)
    assert not old.folder.exists()
    assert new.folder.exists()
    assert remove_expired(tmp_path / "nowhere", days=30) == ()
