"""What the page's script fetches, over HTTP: only the session that was given a key gets anything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from core.types import NewArtifact
from tests.ui.fake_assistant import HOSTILE, FakeAssistant
from tools.imaging.volume import Volume, save_volume
from ui.jobs import Jobs
from ui.viewer.keys import COOKIE, Keys
from ui.viewer.routes import viewer_app

SESSION = "s" * 43
KEYS = Keys(b"k" * 32)


class Desk:
    def __init__(self, folder: Path) -> None:
        self.assistant = FakeAssistant(folder)
        self.jobs = Jobs()
        self.client = TestClient(viewer_app(self.assistant, KEYS, self.jobs), cookies={COOKIE: SESSION})
        self.conversation = self.assistant.new_conversation("ana")
        self.assistant.load_sample("ana", self.conversation)
        list(self.assistant.ask("ana", self.conversation, "q"))
        self.key = KEYS.key("ana", self.conversation, SESSION)

    def add_volume(self, folder: Path) -> NewArtifact:
        data = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
        save_volume(Volume(data, np.diag([2.0, 1.0, 3.0, 1.0])), folder / "v.nii")
        mask = np.zeros((4, 5, 6), np.uint8)
        mask[1:3, 2, 2:4] = 20
        save_volume(Volume(mask, np.diag([2.0, 1.0, 3.0, 1.0])), folder / "m.nii")
        store = self.assistant.store("ana", self.conversation)
        told = {"media_type": "application/x-nifti", "shape": (4, 5, 6), "spacing_mm": (2.0, 1.0, 3.0)}
        ct = store.add(folder / "v.nii", NewArtifact(kind="volume", title=HOSTILE, modality="CT", **told), ".nii")
        store.add(
            folder / "v.nii",
            NewArtifact(kind="volume", title="t", modality="CT", of=ct.handle, synthetic=True, **told),
            ".nii",
        )
        store.add(folder / "m.nii", NewArtifact(kind="mask", title="m", of=ct.handle, **told), ".nii")
        return ct


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


PATHS = ("evidence/turn1", "scene", "file/image1", "slice/ct1?plane=axial&index=3", "jobs")


@pytest.mark.parametrize("path", PATHS)
def test_the_session_that_was_given_a_key_is_served(desk: Desk, path: str) -> None:
    answer = desk.client.get(f"/{desk.key}/{path}")
    assert answer.status_code == 200
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", [*PATHS, "voxels/ct1"])
def test_another_session_gets_nothing_with_the_same_address(desk: Desk, path: str) -> None:
    for cookies in ({COOKIE: "o" * 43}, {}):
        other = TestClient(desk.client.app, cookies=cookies)
        assert other.get(f"/{desk.key}/{path}").status_code == 403
    forged = desk.key.split(".")[0] + "." + "0" * 64
    assert desk.client.get(f"/{forged}/{path}").status_code == 403


def test_a_key_opens_no_other_conversation_and_none_of_another_owner(desk: Desk) -> None:
    foreign = KEYS.key("eve", desk.conversation, SESSION)
    assert desk.client.get(f"/{foreign}/scene").status_code in (400, 404)
    mine = KEYS.key("ana", desk.assistant.new_conversation("ana"), SESSION)
    assert desk.client.get(f"/{mine}/file/image1").status_code == 404
    assert desk.client.get(f"/{mine}/evidence/turn1").status_code == 404


def test_evidence_tells_where_each_piece_is_shown_and_what_was_said_of_each_sentence(desk: Desk) -> None:
    told = desk.client.get(f"/{desk.key}/evidence/turn1").json()
    assert [item["tab"] for item in told["evidence"]] == ["images", "sources", "record", "record"]
    assert told["evidence"][0]["location"] == {"artifact": "ct1", "plane": "sagittal", "index": 7, "overlay": "mask1"}
    assert told["sentences"][2]["verdict"] == "contradicted"
    assert told["sentences"][2]["why"] == "1.8 is not in the evidence, which has 1.4."
    markup = [item["html"] for item in told["evidence"]] + [told["sources"], told["steps"], told["findings"]]
    assert all("<script" not in html and "<img" not in html for html in markup)


def test_the_scene_names_levels_twins_and_windows_and_the_voxels_come_as_they_are(desk: Desk, tmp_path: Path) -> None:
    ct = desk.add_volume(tmp_path)
    scene = desk.client.get(f"/{desk.key}/scene").json()
    image = next(item for item in scene["images"] if item["title"] == HOSTILE)
    assert image["shape"] == [4, 5, 6]
    assert image["overlays"][0]["labels"] == {"20": "L1"}
    twin = next(item for item in scene["images"] if item["title"] == "t")
    assert image["twins"] == [twin["handle"]]
    assert twin["mark"] == "SYNTHETIC"
    assert scene["windows"]["lung"] == [1500.0, -600.0]
    content = desk.client.get(f"/{desk.key}/voxels/{image['handle']}").content
    assert ct.title == HOSTILE
    assert content == (tmp_path / "v.nii").read_bytes()


def test_what_is_not_of_the_asked_kind_is_refused(desk: Desk) -> None:
    assert desk.client.get(f"/{desk.key}/voxels/image1").status_code == 400
    assert desk.client.get(f"/{desk.key}/file/record1").status_code == 400
    assert desk.client.get(f"/{desk.key}/file/ct99").status_code == 404
    assert desk.client.get("/static/../keys.py").status_code == 404
    assert desk.client.get("/static/desk.js").headers["content-type"].startswith("text/javascript")


def test_jobs_are_the_owners_alone(desk: Desk) -> None:
    job = desk.jobs.begin("eve", "c", "a secret question", lambda stop: iter(()))
    assert job is not None
    list(job.follow())
    assert desk.client.get(f"/{desk.key}/jobs").json() == []
    mine = desk.jobs.begin("ana", desk.conversation, "q2", lambda stop: iter(()))
    assert mine is not None
    list(mine.follow())
    assert desk.client.get(f"/{desk.key}/jobs").json() == [
        {"conversation": desk.conversation, "question": "q2", "running": False, "failed": False}
    ]
