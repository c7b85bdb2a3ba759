"""`consilium eval restarts`: kill -9 under load with many users, start again, and what is left.

In a child process so many users ask at once, over one assistant with its databases, checkpoints, files and a literature index
that is written meanwhile. The child says over a pipe which turns it gave back; the parent kills it at a random moment, starts
again on the same home, and looks: every turn that was given back is there as it was; no turn, file or checkpoint of one user
holds a word of another's; databases pass their integrity check; the index verifies; the audit log is whole; no conversation is
stuck. The model echoes: what is tested is the keeping.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from agent.assistant import Assistant
from agent.events import TurnDone
from agent.ready_model import ReadyModel
from agent.state import open_state
from core.audit import AuditLog
from core.settings import load_settings
from core.store import SessionStore
from core.types import Frozen, NewArtifact
from evals.crashes import HashEncoder
from retrieval.corpus import Document
from retrieval.index import Index
from tools.registry import Registry
from tools.text.deidentify.tool import Deidentify


class Outcome(Frozen):
    """Rounds, turns that were given back in all, in how many rounds a question was running when the kill came, and the faults."""

    rounds: int
    users: int
    acknowledged: int
    killed_while_answering: int
    seconds: float
    faults: tuple[str, ...]


class Echo(BaseChatModel):
    """Calls one tool and then says the question back."""

    @property
    def _llm_type(self) -> str:
        return "echo"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Echo:
        """Itself."""
        return self

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None, **kwargs: Any,
    ) -> ChatResult:  # fmt: skip
        question = next(str(m.text) for m in reversed(messages) if isinstance(m, HumanMessage))
        if isinstance(messages[-1], ToolMessage):
            reply = AIMessage(f"You asked about {question}?")
        else:
            call = {
                "name": "deidentify",
                "args": {"target": "doc1"},
                "id": hashlib.sha256(question.encode()).hexdigest()[:12],
                "type": "tool_call",
            }
            reply = AIMessage("", tool_calls=[call])
        return ChatResult(generations=[ChatGeneration(message=reply)])


def run(arguments: argparse.Namespace) -> int:
    """Print the outcome; 1 when there is a fault."""
    with tempfile.TemporaryDirectory() as scratch:
        done = survive(Path(scratch) / "home", arguments.rounds, arguments.users, arguments.seed)
    if arguments.json:
        print(done.model_dump_json())
    else:
        print(
            f"{done.rounds} kills with {done.users} users, {done.killed_while_answering} of them while answering; "
            f"{done.acknowledged} turns given back; {len(done.faults)} faults; {done.seconds:.0f} s"
        )
        print("\n".join(done.faults[:40]))
    return 1 if done.faults else 0


def survive(home: Path, rounds: int, users: int, seed: int) -> Outcome:
    """Kill a loaded assistant `rounds` times."""
    started = time.monotonic()
    pick = random.Random(seed)  # noqa: S311 - chooses moments
    Index(home / "indexes" / "load", HashEncoder()).create()
    kept: dict[tuple[str, str, str], str] = {}
    faults: list[str] = []
    answering = 0
    for number in range(rounds):
        said, asked = _killed(home, number, users, pick.uniform(0.3, 3.0))
        kept |= said
        answering += asked > len(said)
        faults += [f"round {number}: {fault}" for fault in _faults(home, kept, users)]
    return Outcome(
        rounds=rounds, users=users, acknowledged=len(kept), killed_while_answering=answering,
        seconds=round(time.monotonic() - started, 1), faults=tuple(faults),
    )  # fmt: skip


def _killed(home: Path, number: int, users: int, after: float) -> tuple[dict[tuple[str, str, str], str], int]:
    """What the child gave back before it was killed, and how many questions it had begun."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            _load(home, number, users, writer)
        finally:
            os._exit(0)
    os.close(writer)
    pipe = os.fdopen(reader, "rb")
    first = pipe.readline()  # the load has begun
    time.sleep(after if first else 0)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    lines = [json.loads(line) for line in pipe.read().split(b"\n") if line.endswith(b"]")]
    pipe.close()
    return {(owner, conversation, turn): digest for kind, owner, conversation, turn, digest in lines if kind == "done"}, sum(
        line[0] == "asked" for line in lines
    )


def _load(home: Path, number: int, users: int, pipe: int) -> None:
    """In the child: every user asks and asks; an index is written beside."""
    settings = load_settings(home=home)
    lock = threading.Lock()

    def say(*line: str) -> None:
        with lock:
            os.write(pipe, json.dumps(line).encode() + b"\n")

    with Assistant(settings, Registry([Deidentify()]), lambda: ReadyModel(Echo(), "echo")) as assistant:
        threads = [threading.Thread(target=_user, args=(assistant, user, number, say), daemon=True) for user in range(users)]
        threads.append(threading.Thread(target=_index, args=(home, number), daemon=True))
        say("begun")
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _user(assistant: Assistant, user: int, number: int, say: Any) -> None:
    owner = f"owner{user}"
    old = assistant.conversations(owner)
    conversation = old[0].id if old and number % 3 else assistant.new_conversation(owner)
    note = f"{word(user)} {number}".encode()
    assistant.store(owner, conversation).add(
        note, NewArtifact(kind="document", title=f"Note {word(user)}", media_type="text/plain"), ".txt"
    )
    for count in range(1000):
        say("asked", owner, conversation, str(count), "")
        for event in assistant.ask(owner, conversation, f"{word(user)} {number} {count}"):
            if isinstance(event, TurnDone):
                say("done", owner, conversation, event.turn.id, _digest(event.turn.model_dump_json()))


def word(user: int) -> str:
    """The word that only this user says."""
    return f"secret{hashlib.sha256(str(user).encode()).hexdigest()[:10]}"


def _index(home: Path, number: int) -> None:
    index = Index(home / "indexes" / "load", HashEncoder())
    for batch in range(1000):
        index.add([Document(id=f"{number}-{batch}-{i}", title=f"T{i}", text=f"text {batch} {i}") for i in range(5)])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _faults(home: Path, kept: dict[tuple[str, str, str], str], users: int) -> Iterator[str]:
    state = open_state(load_settings(home=home))  # as at a start: turns of the killed process are marked
    conversations = state.conversations
    by_conversation: dict[str, str] = {}
    for user in range(users):
        owner = f"owner{user}"
        others = [word(other) for other in range(users) if other != user]
        for row in conversations.list(owner):
            by_conversation[row.id] = word(user)
            turns = {turn.id: turn for turn in conversations.turns(owner, row.id)}
            for (who, conversation, number), digest in kept.items():
                if (who, conversation) == (owner, row.id) and (
                    number not in turns or _digest(turns[number].model_dump_json()) != digest
                ):
                    yield f"turn {number} of {owner} that was given back is lost or changed"
            told = " ".join(turn.model_dump_json() for turn in turns.values()) + row.title
            if any(other in told for other in others):
                yield f"a turn of {owner} holds another user's word"
            if any(turn.answer is None and not turn.error for turn in turns.values()):
                yield f"a turn of {owner} is stuck"
            yield from _foreign_files(home / "sessions" / row.id, others)
    lost = {c for _, c, _ in kept} - set(by_conversation)
    if lost:
        yield f"{len(lost)} conversations with given turns are gone"
    state.close()
    yield from _databases(home, by_conversation, [word(user) for user in range(users)])
    yield from (f"index: {fault}" for fault in Index(home / "indexes" / "load", HashEncoder()).verify())
    yield from (f"audit log: {fault}" for fault in AuditLog(home).verify().faults)


def _foreign_files(folder: Path, others: list[str]) -> Iterator[str]:
    if not folder.is_dir():
        return
    store = SessionStore(folder)
    store.reload()
    for artifact in store.list():
        content = store.path(artifact.handle).read_bytes()
        if hashlib.sha256(content).hexdigest() != artifact.sha256:
            yield f"{artifact.handle} is not what it was"
        if any(other.encode() in content for other in others):
            yield f"{artifact.handle} holds another user's word"


def _databases(home: Path, by_conversation: dict[str, str], words: list[str]) -> Iterator[str]:
    for name in ("conversations.sqlite", "checkpoints.sqlite"):
        connection = sqlite3.connect(home / name)
        (state,) = connection.execute("PRAGMA integrity_check").fetchone()
        if state != "ok":
            yield f"{name}: {state}"
        if name == "checkpoints.sqlite":
            for thread, content in connection.execute("SELECT thread_id, checkpoint FROM checkpoints"):
                own = by_conversation.get(thread, "")
                if any(other.encode() in content for other in words if other != own):
                    yield "a checkpoint holds another user's word"
        connection.close()
