"""Faults that will happen: endpoints that fail in a row, full disks, locked databases, clocks, calls without results."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from agent.assemble import build_assistant
from agent.assistant import Assistant
from agent.breaker import Breaker
from agent.ending import in_words, storage_words
from agent.events import TurnDone
from agent.repair import LOST, repaired
from core.errors import ConsiliumError, EndpointError
from core.settings import load_settings
from core.store import SessionStore, remove_expired
from core.types import NewArtifact
from tests.agent.openai_server import Script, serving

ME = "me"


def test_an_endpoint_that_failed_three_times_is_left_alone_for_a_while() -> None:
    now = [100.0]
    breaker = Breaker(clock=lambda: now[0])
    for _ in range(3):
        breaker.check("http://x")
        breaker.tell(ok=False)
    with pytest.raises(EndpointError, match="3 times in a row"):
        breaker.check("http://x")
    now[0] += 16
    breaker.check("http://x")
    with pytest.raises(EndpointError):  # one question tries it, no second beside it
        breaker.check("http://x")
    breaker.tell(ok=True)
    breaker.check("http://x")


def test_a_question_that_was_stopped_leaves_the_breaker_as_it_was() -> None:
    now = [100.0]
    breaker = Breaker(failures=1, clock=lambda: now[0])
    breaker.tell(ok=False)
    now[0] += 16
    breaker.check("http://x")
    breaker.forget()
    breaker.check("http://x")


@pytest.mark.usefixtures("home_with_index")
def test_a_turn_after_three_failed_ones_does_not_reach_the_endpoint() -> None:
    script = Script(["500"])
    with serving(script) as url, build_assistant(load_settings(model=url)) as assistant:
        conversation = assistant.new_conversation(ME)
        errors = []
        for _ in range(5):
            *_, last = assistant.ask(ME, conversation, "What is RHLV?")
            assert isinstance(last, TurnDone)
            errors.append(last.turn.error)
    assert len(script.requests) == 3
    assert "500" in errors[0]
    assert "times in a row" in errors[4]


def test_storage_faults_are_told_in_words() -> None:
    assert "disk is full" in storage_words(OSError(errno.ENOSPC, "No space left on device")).lower()
    assert "disk is full" in storage_words(sqlite3.OperationalError("database or disk is full")).lower()
    assert "in use by another program" in storage_words(sqlite3.OperationalError("database is locked"))
    assert "cannot be written" in storage_words(sqlite3.OperationalError("attempt to write a readonly database"))
    assert "fault in the program" in in_words(OSError(errno.EIO, "what"), "")[0]


@pytest.fixture
def talking(home_with_index: None) -> Iterator[tuple[Assistant, str]]:
    with build_assistant(load_settings()) as assistant:
        yield assistant, assistant.new_conversation(ME)


def test_a_locked_database_ends_the_question_in_words_and_the_next_one_works(talking: tuple[Assistant, str]) -> None:
    assistant, conversation = talking
    other = sqlite3.connect(load_settings().home / "conversations.sqlite")
    other.execute("BEGIN EXCLUSIVE")
    assistant.state.database.run("PRAGMA busy_timeout = 50")
    with pytest.raises(ConsiliumError, match="in use by another program"):
        list(assistant.ask(ME, conversation, "What is RHLV?"))
    other.rollback()
    other.close()
    *_, last = assistant.ask(ME, conversation, "What is RHLV?")
    assert isinstance(last, TurnDone)
    assert last.turn.answer is not None


def test_a_turn_that_cannot_be_stored_says_so_and_is_written_with_the_next(
    talking: tuple[Assistant, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assistant, conversation = talking
    end = assistant._conversations.end

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(assistant._conversations, "end", full)
    *_, first = assistant.ask(ME, conversation, "What is RHLV?")
    assert isinstance(first, TurnDone)
    assert first.turn.answer is not None
    assert "disk is full" in first.turn.error.lower()
    assert first.turn.error_kind == "fault"
    monkeypatch.setattr(assistant._conversations, "end", end)
    *_, second = assistant.ask(ME, conversation, "What is a Hounsfield unit?")
    assert isinstance(second, TurnDone)
    assert second.turn.error == ""
    turns = assistant.turns(ME, conversation)
    assert [turn.question for turn in turns] == ["What is RHLV?", "What is a Hounsfield unit?"]
    assert all(turn.answer is not None for turn in turns)


def test_a_full_disk_leaves_the_store_as_it_was(store: SessionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    new = NewArtifact(kind="document", title="A", media_type="text/plain")
    store.add(b"one", new, ".txt")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("core.store.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.add(b"two", new.model_copy(update={"title": "B"}), ".txt")
    monkeypatch.undo()
    again = SessionStore(store.folder)
    assert [artifact.title for artifact in again.list()] == ["A"]
    assert not list(store.folder.glob("blobs/tmp*"))
    assert again.add(b"two", new.model_copy(update={"title": "B"}), ".txt").handle == "doc2"


def test_a_half_written_file_of_a_killed_process_is_swept(store: SessionStore) -> None:
    (store.folder / "blobs" / "tmpabc").write_bytes(b"half")
    store.reload()
    assert not (store.folder / "blobs" / "tmpabc").exists()


def test_a_damaged_list_of_files_is_told(store: SessionStore) -> None:
    store.add(b"one", NewArtifact(kind="document", title="A", media_type="text/plain"), ".txt")
    (store.folder / "artifacts.json").write_text('[{"artifact": {')
    with pytest.raises(ConsiliumError, match="damaged"):
        SessionStore(store.folder)


def test_a_clock_that_jumps_back_deletes_nothing_and_one_that_jumps_on_only_what_is_old(tmp_path: Path) -> None:
    for name in ("a", "b"):
        SessionStore(tmp_path / name)
    assert remove_expired(tmp_path, 30, now=0.0) == ()
    assert remove_expired(tmp_path, 30) == ()


def _call(number: str) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": "t", "args": {}, "id": number, "type": "tool_call"}])


def test_calls_without_results_get_one_and_results_without_calls_go() -> None:
    messages: list[AnyMessage] = [
        HumanMessage("?"),
        _call("1"),
        HumanMessage("still there?"),
        ToolMessage("stray", tool_call_id="9"),
        _call("2"),
        ToolMessage("found", tool_call_id="2"),
    ]
    mended = repaired(messages)
    assert [m.text for m in mended] == ["?", "", LOST, "still there?", "", "found"]
    assert repaired(mended) == mended
