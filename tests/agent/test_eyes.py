from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from langchain_core.messages import AnyMessage, HumanMessage
from PIL import Image

from agent.assemble import build_assistant
from agent.events import Notice, TurnDone
from agent.eyes import Eyes, choose, with_pictures
from agent.ledger import TurnRun
from core.settings import load_settings
from core.store import SessionStore
from core.types import NewArtifact
from tests.agent.openai_server import ALL, NO_NATIVE, Script, serving
from tests.agent.situations import ATTACHED, CT, FILM, TWIN
from tools.registry import Registry
from tools.runtime import ToolRuntime

HERE, ELSEWHERE = Eyes(2, 800_000, stays_here=True), Eyes(2, 800_000, stays_here=False)


def test_what_the_tools_drew_comes_first_then_what_is_named_then_the_newest() -> None:
    drawn = FILM.model_copy(update={"handle": "image1", "kind": "image", "of": "ct1", "made_by": "call-1"})
    files = (*ATTACHED["sample"], drawn)
    assert [a.handle for a in choose("grade ct1", files, ["image1"], HERE)] == ["image1", "ct1"]
    assert [a.handle for a in choose("and now?", files, [], HERE)] == ["ct2", "ct1"]


def test_masks_and_records_are_no_pictures() -> None:
    assert choose("anything", ATTACHED["record"], [], HERE) == []


def test_flat_images_stay_here() -> None:
    assert choose("look", (CT, FILM), [], HERE) == [FILM, CT]
    assert choose("look", (CT, FILM), [], ELSEWHERE) == [CT]
    copied = FILM.model_copy(update={"handle": "image9", "of": "xray1", "made_by": "call-2"})
    drawn = FILM.model_copy(update={"handle": "image8", "of": "ct2", "made_by": "call-3"})
    assert choose("look", (FILM, copied, TWIN, drawn), ["image9", "image8"], ELSEWHERE) == [drawn, TWIN]


def test_only_what_a_scanner_measured_leaves_this_machine() -> None:
    ultrasound = CT.model_copy(update={"handle": "volume1", "modality": "US"})
    unknown = CT.model_copy(update={"handle": "volume2", "modality": None})
    drawn = FILM.model_copy(update={"handle": "image1", "of": "volume1", "made_by": "call-1"})
    assert choose("look", (ultrasound, unknown, drawn, CT), ["image1"], ELSEWHERE) == [CT]


def test_an_image_that_cannot_be_drawn_is_left_out_and_said(store: SessionStore) -> None:
    run = TurnRun(store, ToolRuntime(Registry([])), lambda event: None, 8, {})
    new = NewArtifact(kind="radiograph", title="film", media_type="image/png", modality="DX")
    handle = store.add(b"no picture", new, ".png").handle
    messages: list[AnyMessage] = [HumanMessage("What is here?")]
    assert with_pictures(messages, run, HERE) == messages
    assert len(run.warnings) == 1
    assert f"{handle} was not shown" in run.warnings[0]


@pytest.mark.usefixtures("home_with_index")
@pytest.mark.parametrize("can", [ALL, NO_NATIVE], ids=["native", "guided"])
def test_a_model_that_reads_images_gets_them_and_memory_does_not(can: frozenset[str], spine: list[Path]) -> None:
    script = Script([[("search_literature", '{"query": "RHLV"}')], "I can help."], can=can)
    with serving(script) as url, build_assistant(load_settings(model=url)) as assistant:
        conversation = assistant.new_conversation("me")
        assistant.attach("me", conversation, spine)
        list(assistant.ask("me", conversation, "What is at T12?"))
        memory = (load_settings().home / "checkpoints.sqlite").read_bytes()
    pictures = [part["image_url"]["url"] for request in script.requests for part in _parts(request) if "image_url" in part]
    assert len(pictures) == len(script.requests)
    with Image.open(io.BytesIO(base64.b64decode(pictures[0].partition(",")[2]))) as picture:
        assert picture.width * picture.height <= 802816
        assert picture.width > picture.height
    assert b"base64" not in memory


def _parts(request: dict[str, object]) -> list[dict[str, dict[str, str]]]:
    messages = request["messages"]
    assert isinstance(messages, list)
    return [part for message in messages if isinstance(message["content"], list) for part in message["content"]]


@pytest.mark.usefixtures("home_with_index")
def test_a_model_without_images_gets_none(spine: list[Path]) -> None:
    script = Script(["I can help."], can=ALL - {"images"})
    with serving(script) as url, build_assistant(load_settings(model=url)) as assistant:
        conversation = assistant.new_conversation("me")
        assistant.attach("me", conversation, spine)
        list(assistant.ask("me", conversation, "What is at T12?"))
        *_, last = assistant.ask("me", conversation, "And at L1?")
    assert isinstance(last, TurnDone)
    assert last.turn.answer is not None
    assert any("reads no pictures" in limit for limit in last.turn.answer.limits)
    assert _parts(script.requests[0]) == []


@pytest.mark.usefixtures("home_with_index")
def test_what_is_withheld_from_an_endpoint_elsewhere_is_said(
    tmp_path: Path, spine: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.models.endpoint.Endpoint.is_local", False)
    Image.new("L", (64, 64), 9).save(tmp_path / "film.png")
    script = Script(["I can help."])
    with serving(script) as url, build_assistant(load_settings(model=url)) as assistant:
        conversation = assistant.new_conversation("me")
        assistant.attach("me", conversation, [*spine, tmp_path / "film.png"])
        events = list(assistant.ask("me", conversation, "What is here?"))
    assert isinstance(events[-1], TurnDone)
    assert any(isinstance(event, Notice) and "image1: not sent to the model" in event.text for event in events)
    assert sum("image_url" in part for part in _parts(script.requests[0])) == 1
