"""`consilium eval load`: many users at once, each with a key and a secret of their own.

Every user asks in conversations of a few questions, reads, thinks and asks again. Every question holds the user's secret.
What must not happen: an error; a question without an answer; an answer, a source, a conversation list or a stored turn in
which another user's secret stands; a turn that was answered and is not stored as it was answered, in its place; a
conversation that does not go on where its list of messages did. The service runs in a process of its own, over real HTTP.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import secrets
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from core.database import SqliteDatabase
from core.types import Frozen
from evals.streams import Streamed, quantile, resident_mb, service, stream_chat
from ui.service.keys import KeyStore

_QUESTIONS = (
    "What is RHLV?",
    "How is the Genant grade defined?",
    "How well does TotalSegmentator segment CT?",
    "Which systems predict outcomes from health records?",
    "What does the literature say about calibration?",
    "What is a Hounsfield unit?",
    "hello",
    "What is the best treatment for Blorptitis?",
)
_DEPTH = 4
_FAILS_IN_WORDS = ("plan is not the JSON", "kept calling tools", "empty answer")
"""How a turn of a random model may end besides with an answer: told, and the conversation kept."""


class Report(Frozen):
    """What was seen."""

    model: str
    users: int
    seconds: float
    questions: int
    answered: int
    told_failures: int
    errors: dict[str, int]
    leaks: tuple[str, ...]
    lost: tuple[str, ...]
    first_words_p50_s: float
    first_words_p95_s: float
    answer_p50_s: float
    answer_p95_s: float
    answer_max_s: float
    memory_start_mb: float
    memory_end_mb: float

    @property
    def holds(self) -> bool:
        """No error, no lost message, no leak."""
        return not (self.errors or self.leaks or self.lost) and self.answered > 0


@dataclass
class _Conversation:
    messages: list[dict[str, str]] = field(default_factory=list)
    id: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Questions with their answers, or "" where the model failed in words."""


@dataclass
class _User:
    number: int
    key: str
    secret: str
    conversations: list[_Conversation] = field(default_factory=list)
    replies: list[Streamed] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    told: int = 0


def run(arguments: argparse.Namespace) -> int:
    """Print the report; 1 when something happened that must not."""
    with tempfile.TemporaryDirectory() as folder:
        report = _measure(Path(folder), arguments)
    if arguments.json:
        print(json.dumps({**report.model_dump(mode="json"), "holds": report.holds}))
    else:
        _print(report)
    return 0 if report.holds else 1


def _measure(home: Path, arguments: argparse.Namespace) -> Report:
    users = _make_users(home, arguments.users)
    with service(home, arguments.model, **_spoken(arguments)) as (url, process):
        asyncio.run(_warm(url, users[0]))
        before = resident_mb(process)
        started = time.monotonic()
        asyncio.run(_all(url, users, arguments.seconds, arguments.think, arguments.seed))
        seconds = time.monotonic() - started
        after = resident_mb(process)
        lost, leaks = asyncio.run(_audit(url, users))
    replies = [reply for user in users for reply in user.replies]
    good = [reply for reply in replies if not reply.error]
    return Report(
        model=arguments.model,
        users=len(users),
        seconds=round(seconds, 1),
        questions=len(replies) + sum(user.told for user in users),
        answered=len(good),
        told_failures=sum(user.told for user in users),
        errors=dict(Counter(reply.error for reply in replies if reply.error)),
        leaks=tuple(leaks),
        lost=(*lost, *(fault for user in users for fault in user.faults)),
        first_words_p50_s=round(quantile([r.first_s for r in good if r.first_s is not None], 0.5), 3),
        first_words_p95_s=round(quantile([r.first_s for r in good if r.first_s is not None], 0.95), 3),
        answer_p50_s=round(quantile([r.seconds for r in good], 0.5), 3),
        answer_p95_s=round(quantile([r.seconds for r in good], 0.95), 3),
        answer_max_s=round(max((r.seconds for r in good), default=0.0), 3),
        memory_start_mb=round(before),
        memory_end_mb=round(after),
    )


def _spoken(arguments: argparse.Namespace) -> dict[str, str]:
    settings = {
        "CONSILIUM_ANSWER_TOKENS": str(arguments.tokens),
        "CONSILIUM_ENDPOINT_TIMEOUT_S": "300",
        "CONSILIUM_TURNS_AT_ONCE": str(arguments.at_once),
    }
    return settings | ({"CONSILIUM_PLANNER": arguments.planner} if arguments.planner else {})


def _make_users(home: Path, count: int) -> list[_User]:
    database = SqliteDatabase(home / "conversations.sqlite")
    keys = KeyStore(database)
    users = [_User(number, keys.create(f"user{number}")[1], f"zebra-{secrets.token_hex(6)}") for number in range(count)]
    database.close()
    return users


def _client(url: str, user: _User, path: str = "/v1") -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {user.key}"}
    return httpx.AsyncClient(base_url=f"{url}{path}", headers=headers, timeout=httpx.Timeout(300.0))


async def _warm(url: str, user: _User) -> None:
    """The first answer loads weights and indexes."""
    async with _client(url, user) as client:
        messages = [{"role": "user", "content": _QUESTIONS[0]}]
        body = {"model": "consilium", "stream": True, "store": False, "messages": messages}
        await stream_chat(client, body)


async def _all(url: str, users: list[_User], seconds: float, think: float, seed: int) -> None:
    end = time.monotonic() + seconds
    await asyncio.gather(*(_live(url, user, end, think, random.Random(f"{seed}-{user.number}")) for user in users))  # noqa: S311


async def _live(url: str, user: _User, end: float, think: float, chance: random.Random) -> None:
    """One user: conversations of a few questions until the time is over."""
    async with _client(url, user) as client:
        await asyncio.sleep(chance.uniform(0, think))
        while time.monotonic() < end:
            conversation = _Conversation()
            user.conversations.append(conversation)
            for _ in range(_DEPTH):
                if time.monotonic() >= end or not await _ask(client, user, conversation, chance):
                    break
                await asyncio.sleep(chance.expovariate(1 / think))


async def _ask(client: httpx.AsyncClient, user: _User, conversation: _Conversation, chance: random.Random) -> bool:
    question = f"{chance.choice(_QUESTIONS)} ({user.secret})"
    messages = [*conversation.messages, {"role": "user", "content": question}]
    body = {"model": "consilium", "stream": True, "stream_options": {"include_usage": True}, "messages": messages}
    reply = await stream_chat(client, body)
    if any(words in reply.error for words in _FAILS_IN_WORDS):
        user.told += 1
        return False
    user.replies.append(reply)
    if reply.error:
        return False
    if not reply.text.strip() or not reply.extension:
        user.faults.append(f"user {user.number}: an answer without text or evidence field")
        return False
    here = str(reply.extension["conversation"])
    if conversation.id not in ("", here):
        user.faults.append(f"user {user.number}: a conversation went on as another one")
    conversation.id = here
    conversation.messages = [*messages, {"role": "assistant", "content": reply.text}]
    conversation.asked.append((question, " ".join(item["text"] for item in reply.extension["sentences"])))
    return True


async def _audit(url: str, users: list[_User]) -> tuple[list[str], list[str]]:
    """Everything that is stored, read back by its owner: what is not there, and whose secrets are."""
    lost: list[str] = []
    leaks: list[str] = []
    known = {user.secret: user.number for user in users}
    for user in users:
        seen = [reply.text + json.dumps(reply.extension) for reply in user.replies]
        async with _client(url, user, "/api") as client:
            listed = (await client.get("/conversations")).text
            seen.append(listed)
            for conversation in user.conversations:
                if conversation.id:
                    stored = await client.get(f"/conversations/{conversation.id}/turns")
                    seen.append(stored.text)
                    lost += _missing(user, conversation, stored.json())
            others = next((other for other in users if other is not user and other.conversations), None)
            if others is not None and others.conversations[0].id:
                foreign = await client.get(f"/conversations/{others.conversations[0].id}/turns")
                if foreign.status_code != 404:
                    leaks.append(f"user {user.number} could open a conversation of user {others.number}")
        for text in seen:
            leaks += [
                f"user {user.number} saw the secret of user {number}"
                for secret, number in known.items()
                if number != user.number and secret in text
            ]
    return lost, leaks


def _missing(user: _User, conversation: _Conversation, stored: list[dict[str, Any]]) -> list[str]:
    kept = [
        (turn["question"], " ".join(item["text"] for item in turn["answer"]["sentences"]))
        for turn in stored
        if turn["answer"]
    ]
    if kept == conversation.asked:
        return []
    return [f"user {user.number}: {len(conversation.asked)} answers came, {len(kept)} are stored, or differ"]


def _print(report: Report) -> None:
    print(f"{report.users} users for {report.seconds:.0f} s against the model {report.model}")
    failed = f", {report.told_failures} the model failed in words" if report.told_failures else ""
    print(f"questions {report.questions}, answered {report.answered}{failed}")
    print(f"errors {sum(report.errors.values())}, lost {len(report.lost)}, leaks {len(report.leaks)}")
    for line in (*report.errors, *report.lost[:10], *report.leaks[:10]):
        print(f"  {line}")
    print(f"first words: median {report.first_words_p50_s:.2f} s, p95 {report.first_words_p95_s:.2f} s")
    print(
        f"whole answer: median {report.answer_p50_s:.2f} s, p95 {report.answer_p95_s:.2f} s, max {report.answer_max_s:.2f} s"
    )
    print(f"memory of the service: {report.memory_start_mb:.0f} MB before, {report.memory_end_mb:.0f} MB after")
    print("holds" if report.holds else "DOES NOT HOLD")
