"""`consilium eval overhead`: what the service costs beside the endpoint it stands before, and what idle conversations cost.

The requests that the service makes of the endpoint are recorded first, byte for byte. Then, in turns, sixteen clients
stream through the service and sixteen send the recorded requests to the endpoint themselves: prompts, tools and limits are
equal, so what differs is the service. Pairs of rounds follow each other directly, and the medians of the pairs' ratios are
told: other load on the machine falls on both.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from core.settings import Settings, load_settings
from core.types import Frozen
from evals.streams import Streamed, resident_mb, search_opened, service, stream_chat

_STREAMS = 16
_TURNS = 50
_IDLE = 200


class Side(Frozen):
    """One round of one side."""

    tokens_per_s: float
    first_words_ms: float
    tokens: int


class Report(Frozen):
    """The figures, each with its bar."""

    streams: int
    rounds: int
    throughput_ratio: float
    added_first_words_ms: float
    direct: tuple[Side, ...]
    through: tuple[Side, ...]
    idle_conversations: int
    idle_mb: float
    opening_turns: int
    opening_page_s: float
    opening_api_s: float

    @property
    def holds(self) -> bool:
        """95 % of the throughput, 30 ms, 300 MB, 1 s."""
        streamed = not self.rounds or (self.throughput_ratio >= 0.95 and self.added_first_words_ms <= 30.0)
        return streamed and self.idle_mb < 300 and max(self.opening_page_s, self.opening_api_s) < 1.0


def run(arguments: argparse.Namespace) -> int:
    """Print the report; 1 when a bar is missed."""
    with tempfile.TemporaryDirectory() as folder:
        direct, through = ([], []) if arguments.model == "embedded" else _side_by_side(Path(folder), arguments)
        idle_mb, page_s, api_s = 0.0, 0.0, 0.0
        if not arguments.only_streams:
            idle_mb = _idle(Path(folder) / "idle")
            page_s, api_s = _opening(Path(folder) / "opening")
    report = Report(
        streams=_STREAMS,
        rounds=len(direct),
        throughput_ratio=round(_median([t.tokens_per_s / d.tokens_per_s for d, t in zip(direct, through, strict=True)]), 4),
        added_first_words_ms=round(
            _median([t.first_words_ms - d.first_words_ms for d, t in zip(direct, through, strict=True)]), 1
        ),
        direct=tuple(direct),
        through=tuple(through),
        idle_conversations=_IDLE,
        idle_mb=round(idle_mb, 1),
        opening_turns=_TURNS,
        opening_page_s=round(page_s, 3),
        opening_api_s=round(api_s, 3),
    )
    if arguments.json:
        print(json.dumps({**report.model_dump(mode="json"), "holds": report.holds}))
    else:
        _print(report)
    return 0 if report.holds else 1


def _median(values: list[float]) -> float:
    return statistics.median(values) if values else 0.0


def _side_by_side(folder: Path, arguments: argparse.Namespace) -> tuple[list[Side], list[Side]]:
    chosen = {"planner": "native", "answer_tokens": arguments.tokens, "endpoint_timeout_s": 300.0}
    settings = load_settings(model=arguments.model, home=folder / "recording", **chosen)
    questions = [f"Tell me everything about vertebra number {number}." for number in range(_STREAMS)]
    recorded = _recorded(settings, questions)
    environment = {f"CONSILIUM_{name.upper()}": str(value) for name, value in chosen.items()}
    direct: list[Side] = []
    through: list[Side] = []
    with service(folder / "home", arguments.model, **environment) as (url, _):
        bodies = [_question(question) for question in questions]

        def one(address: str, sent: list[Any]) -> Side:
            return asyncio.run(_round(address, sent))

        search_opened(url)
        one(recorded[0].url, [item.body for item in recorded])
        one(f"{url}/v1", bodies)
        for number in range(arguments.rounds):
            for side in ("direct", "through") if number % 2 == 0 else ("through", "direct"):
                if side == "direct":
                    direct.append(one(recorded[0].url, [item.body for item in recorded]))
                else:
                    through.append(one(f"{url}/v1", list(bodies)))
    return direct, through


def _question(question: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": question}]
    return {
        "model": "consilium", "stream": True, "stream_options": {"include_usage": True}, "store": False,
        "messages": messages, "consilium": {"sources": False},
    }  # fmt: skip


@dataclass(frozen=True)
class _Recorded:
    url: str
    body: bytes


def _recorded(settings: Settings, questions: Sequence[str]) -> list[_Recorded]:
    """The requests that first questions in a conversation make of the endpoint. They are not sent."""
    from agent.assemble import build_assistant
    from agent.models.lines import NotedTransport

    seen: list[_Recorded] = []

    def record(self: NotedTransport, request: httpx.Request) -> httpx.Response:
        seen.append(_Recorded(str(request.url).removesuffix("/chat/completions"), request.read()))
        raise httpx.ConnectError("recorded", request=request)

    with build_assistant(settings) as assistant:
        assistant.model_status()
        original = NotedTransport.handle_request
        NotedTransport.handle_request = record  # type: ignore[method-assign]
        logging.disable(logging.ERROR)  # each turn fails, as it should
        try:
            for question in questions:
                list(assistant.ask("recorder", assistant.new_conversation("recorder"), question))
        finally:
            logging.disable(logging.NOTSET)
            NotedTransport.handle_request = original  # type: ignore[method-assign]
    return seen


async def _round(url: str, bodies: list[Any]) -> Side:
    """All streams at once; tokens are the endpoint's own count."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=httpx.Timeout(600.0), limits=limits) as client:
        started = time.perf_counter()
        replies: list[Streamed] = await asyncio.gather(*(stream_chat(client, body) for body in bodies))
        seconds = time.perf_counter() - started
    broken = [reply.error for reply in replies if reply.error]
    if broken:
        raise SystemExit(f"{len(broken)} of {len(replies)} streams of {url} failed: {broken[0]}")
    tokens = sum(reply.tokens for reply in replies)
    first = statistics.median(reply.first_s for reply in replies if reply.first_s is not None)
    return Side(tokens_per_s=round(tokens / seconds, 1), first_words_ms=round(1000 * first, 1), tokens=tokens)


def _idle(home: Path) -> float:
    """MB that conversations hold which were asked one question each and then left alone."""
    from agent.assemble import build_assistant

    with build_assistant(load_settings(home=home)) as assistant:

        def talk() -> None:
            list(assistant.ask("idle", assistant.new_conversation("idle"), "What is RHLV?"))

        for _ in range(10):
            talk()
        before = resident_mb(os.getpid())
        for _ in range(_IDLE):
            talk()
        return resident_mb(os.getpid()) - before


def _opening(home: Path) -> tuple[float, float]:
    """Seconds until the page has a conversation of many turns in it, and until the API has told it; medians of five."""
    import gradio as gr
    from starlette.testclient import TestClient

    from agent.assemble import build_assistant
    from ui.handlers import Handlers
    from ui.jobs import Jobs
    from ui.layout import lay_out
    from ui.service.access import LOCAL_USER
    from ui.service.app import build_service
    from ui.session import owner_of, token_from
    from ui.viewer.keys import Keys

    settings = load_settings(home=home)
    token = token_from(None)
    with build_assistant(settings) as assistant:
        conversations = []
        for owner in (owner_of(token, None), LOCAL_USER):
            conversation = assistant.new_conversation(owner)
            conversations.append(conversation)
            for number in range(_TURNS):
                list(assistant.ask(owner, conversation, f"What is RHLV? ({number})"))
        with gr.Blocks():
            on = Handlers(assistant, lay_out(), Keys(b"k" * 32), Jobs())
        action = json.dumps({"kind": "open", "conversation": conversations[0], "count": 1})
        request: Any = type("Request", (), {"username": None})()
        page_s = _timed(lambda: on.act(action, token, "", request))
        client = TestClient(build_service(assistant, settings), base_url="http://127.0.0.1")
        api_s = _timed(lambda: client.get(f"/api/conversations/{conversations[1]}/turns").raise_for_status())
    return page_s, api_s


def _timed(work: Callable[[], object]) -> float:
    spent = []
    for _ in range(5):
        started = time.perf_counter()
        work()
        spent.append(time.perf_counter() - started)
    return statistics.median(spent)


def _print(report: Report) -> None:
    for direct, through in zip(report.direct, report.through, strict=True):
        print(
            f"direct {direct.tokens_per_s:8.1f} tokens/s, first words {direct.first_words_ms:7.1f} ms    "
            f"through the service {through.tokens_per_s:8.1f} tokens/s, {through.first_words_ms:7.1f} ms"
        )
    if report.rounds:
        print(f"throughput kept {100 * report.throughput_ratio:.1f} % (bar 95 %), {report.streams} streams")
        print(f"first words later by {report.added_first_words_ms:.1f} ms (bar 30 ms)")
    print(f"{report.idle_conversations} idle conversations: {report.idle_mb:.1f} MB (bar 300 MB)")
    opening = f"{report.opening_page_s:.2f} s on the page, {report.opening_api_s:.2f} s over the API"
    print(f"{report.opening_turns} turns open in {opening} (bar 1 s)")
    print("holds" if report.holds else "DOES NOT HOLD")
