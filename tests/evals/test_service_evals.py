"""What the service's benchmarks count as lost, leaked and late, on replies made by hand; the capacity formula."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from evals import load, overhead
from evals.capacity import Use, need
from evals.streams import Streamed, quantile, stream_chat


def sse(*chunks: object, end: bool = True) -> bytes:
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks] + (["data: [DONE]\n\n"] if end else [])
    return "".join(lines).encode()


def chunk(content: str = "", **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": None}], **more}


def streamed(body: bytes, status: int = 200) -> Streamed:
    async def ask() -> Streamed:
        transport = httpx.MockTransport(lambda request: httpx.Response(status, content=body))
        async with httpx.AsyncClient(transport=transport, base_url="http://here/v1") as client:
            return await stream_chat(client, {})

    return asyncio.run(ask())


def test_a_stream_is_read_to_its_end() -> None:
    told = streamed(
        sse(
            chunk(),
            chunk("a "),
            chunk("b", consilium={"sentences": [1]}),
            {"choices": [], "usage": {"completion_tokens": 2}},
        )
    )
    assert (told.text, told.tokens, told.error, told.extension) == ("a b", 2, "", {"sentences": [1]})
    assert told.first_s is not None


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (sse(chunk("a"), end=False), 200, "broke off"),
        (sse({"error": {"message": "boom"}}), 200, "boom"),
        (b"busy", 429, "429: busy"),
    ],
)
def test_what_goes_wrong_is_an_error(body: bytes, status: int, words: str) -> None:
    assert words in streamed(body, status).error


def stored(question: str, text: str) -> dict[str, Any]:
    return {"question": question, "answer": {"sentences": [{"text": text}]}}


def test_a_turn_that_is_missing_or_differs_is_lost() -> None:
    user = load._User(1, "key", "zebra-1")
    conversation = load._Conversation(asked=[("q1", "a1"), ("q2", "a2")])
    whole = [stored("q1", "a1"), {"question": "failed", "answer": None}, stored("q2", "a2")]
    assert load._missing(user, conversation, whole) == []
    for broken in (whole[:2], [stored("q2", "a2"), stored("q1", "a1")], [stored("q1", "a1"), stored("q2", "other")]):
        assert load._missing(user, conversation, broken)


def audit(seen: str) -> tuple[list[str], list[str]]:
    """Two users; what the first one is shown of everything is `seen`."""
    users = [load._User(n, f"key{n}", f"zebra-{n}", [load._Conversation(id=f"c{n}")]) for n in range(2)]

    def answer(request: httpx.Request) -> httpx.Response:
        mine = request.headers["authorization"].removeprefix("Bearer key")
        if request.url.path.endswith("conversations"):
            return httpx.Response(200, text=seen if mine == "0" else "")
        return httpx.Response(200 if f"/c{mine}/" in request.url.path else 404, json=[])

    class Client(httpx.AsyncClient):
        def __init__(self, **more: Any) -> None:
            super().__init__(**{**more, "transport": httpx.MockTransport(answer)})

    original, httpx.AsyncClient = httpx.AsyncClient, Client  # type: ignore[misc]
    try:
        return asyncio.run(load._audit("http://here", users))
    finally:
        httpx.AsyncClient = original  # type: ignore[misc]


def test_a_secret_in_the_wrong_place_is_a_leak() -> None:
    assert audit("zebra-0 is mine") == ([], [])
    assert audit("and there is zebra-1") == ([], ["user 0 saw the secret of user 1"])


def test_quantiles_are_of_the_values() -> None:
    values = [float(n) for n in range(1, 101)]
    assert (quantile(values, 0.5), quantile(values, 0.95), quantile([], 0.5), quantile([7.0], 0.95)) == (
        50.0,
        95.0,
        0.0,
        7.0,
    )


def test_bars_are_held_against_what_was_measured() -> None:
    fields = {
        "streams": 16, "rounds": 1, "throughput_ratio": 0.96, "added_first_words_ms": 12.0, "direct": (), "through": (),
        "idle_conversations": 200, "idle_mb": 50.0, "opening_turns": 50, "opening_page_s": 0.2, "opening_api_s": 0.1,
    }  # fmt: skip
    assert overhead.Report.model_validate(fields).holds
    for worse in ({"throughput_ratio": 0.94}, {"added_first_words_ms": 31.0}, {"idle_mb": 300.0}, {"opening_page_s": 1.0}):
        assert not overhead.Report.model_validate({**fields, **worse}).holds


def test_the_formula_of_the_scaling_page() -> None:
    row = need(10_000, Use(), 2000.0, 15_000.0)
    assert (round(row.questions_per_s, 2), round(row.turns), round(row.written_per_s), round(row.read_per_s), row.gpus) == (
        6.67, 80, 4667, 26667, 4,
    )  # fmt: skip
    assert need(1, Use(), 2000.0, 15_000.0).gpus == 1
