"""Several workers with one database and one folder of files: what one did, the others go on with."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from agent.assemble import build_assistant
from agent.assistant import Assistant
from agent.conversations import INTERRUPTED
from agent.events import TurnDone
from core.errors import InputError, SettingError
from core.settings import Settings, load_settings
from core.types import Turn
from tests.agent.openai_server import Script, serving
from tests.ui.service.conftest import radiograph_png
from ui.service.keys import KeyStore
from ui.service.limits import DailyQuota

pytestmark = pytest.mark.postgres
ME = "me"


def settings(url: str, folder: Path, worker: int, **more: Any) -> Settings:
    """Each worker has a home of its own; database and files are shared."""
    return load_settings(database=url, home=folder / f"worker{worker}", sessions=folder / "files", **more)


def ask(assistant: Assistant, conversation: str, question: str) -> Turn:
    *_, last = assistant.ask(ME, conversation, question)
    assert isinstance(last, TurnDone)
    return last.turn


def wait_for(what: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_a_conversation_goes_on_in_another_worker(database: str, tmp_path: Path) -> None:
    script = Script(["Hello.", "Good day.", "Bye."])
    with serving(script) as model:
        one, two = (settings(database, tmp_path, worker, model=model) for worker in (1, 2))
        with build_assistant(one) as first, build_assistant(two) as second:
            conversation = first.new_conversation(ME)
            assert ask(first, conversation, "hello").answer is not None
            film = tmp_path / "film.png"
            film.write_bytes(radiograph_png())
            (artifact,) = first.attach(ME, conversation, [film]).artifacts
            assert second.store(ME, conversation).get(artifact.handle).sha256 == artifact.sha256
            assert ask(second, conversation, "and then?").answer is not None
            asked = [message["content"] for message in script.requests[-1]["messages"] if message["role"] == "user"]
            assert asked[0] == "hello"
            film.write_bytes(radiograph_png(2))
            second.attach(ME, conversation, [film])
            assert [item.handle for item in first.store(ME, conversation).list()] == ["image1", "image2"] or [
                item.handle for item in first.store(ME, conversation).list()
            ] == ["xray1", "xray2"]
            assert len(first.turns(ME, conversation)) == 2
            second.delete(ME, conversation)
            assert first.conversations(ME) == ()


def test_one_worker_waits_for_anothers_turn(database: str, tmp_path: Path) -> None:
    script = Script(["hang", "Good day."])
    with serving(script) as model:
        one, two = (settings(database, tmp_path, worker, model=model) for worker in (1, 2))
        with build_assistant(one) as first, build_assistant(two) as second:
            conversation = first.new_conversation(ME)
            stop = threading.Event()
            running = threading.Thread(target=lambda: list(first.ask(ME, conversation, "hello", stop)))
            running.start()
            wait_for(lambda: len(script.requests) == 1)
            with pytest.raises(InputError, match="still being answered"):
                ask(second, conversation, "and?")
            stop.set()
            running.join(20)
            assert ask(second, conversation, "and?").answer is not None


KILLED = """
import sys
from agent.assemble import build_assistant
from core.settings import load_settings
from pathlib import Path
database, home, files, model, conversation = sys.argv[1:]
with build_assistant(load_settings(database=database, home=Path(home), sessions=Path(files), model=model)) as it:
    list(it.ask("me", conversation, "hello?"))
"""


def test_what_a_killed_worker_left_is_marked_and_freed(database: str, tmp_path: Path) -> None:
    script = Script(["hang", "Good day."])
    with serving(script) as model, build_assistant(settings(database, tmp_path, 1, model=model)) as living:
        assert living.model_status().reachable
        conversation = living.new_conversation(ME)
        folder = (str(tmp_path / "worker2"), str(tmp_path / "files"))
        doomed = subprocess.Popen([sys.executable, "-c", KILLED, database, *folder, model, conversation])
        wait_for(lambda: len(script.requests) == 1)
        doomed.kill()
        doomed.wait()
        assert ask(living, conversation, "again").answer is not None, "the living worker frees it when it is asked"
        first, second = living.turns(ME, conversation)
        assert (first.question, first.error) == ("hello?", INTERRUPTED)
        assert second.id == "2"


def test_memory_stays_small(database: str, tmp_path: Path) -> None:
    with serving(Script(["Hello."])) as model, build_assistant(settings(database, tmp_path, 1, model=model)) as assistant:
        conversation = assistant.new_conversation(ME)
        for number in range(6):
            assert ask(assistant, conversation, f"question {number}").answer is not None
        with psycopg.connect(database) as connection:
            states, blobs = (
                connection.execute(f"SELECT count(*) FROM {table} WHERE thread_id = %s", (conversation,)).fetchone()  # noqa: S608
                for table in ("checkpoints", "checkpoint_blobs")
            )
        assert states == (1,)
        assert blobs is not None
        assert blobs[0] < 12, "only the values of the last state are kept"


def test_keys_and_quotas_are_shared(database: str, tmp_path: Path) -> None:
    with (
        build_assistant(settings(database, tmp_path, 1)) as first,
        build_assistant(settings(database, tmp_path, 2)) as second,
    ):
        info, key = KeyStore(first.state.database).create("ana")
        other = KeyStore(second.state.database)
        assert other.user_of(key) == "ana"
        other.revoke(info.id)
        assert KeyStore(first.state.database).user_of(key) is None
        quotas = [DailyQuota(assistant.state.database, 2) for assistant in (first, second)]
        for quota in quotas:
            quota.take("ana")
        with pytest.raises(Exception, match="used up"):
            quotas[0].take("ana")


def test_a_database_that_is_away_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="cannot be reached"):
        build_assistant(settings(f"postgresql://consilium@/postgres?host={tmp_path}", tmp_path, 1))
