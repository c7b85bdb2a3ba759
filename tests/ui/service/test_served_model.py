"""The API over a model behind a scripted endpoint: streaming, images, usage, faults, clients that leave, restarts."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from agent.conversations import INTERRUPTED
from core.settings import load_settings
from tests.agent.openai_server import ALL, COUNTS, Script
from tests.agent.openai_server import serving as scripted
from tests.ui.service.conftest import Service, home_in, radiograph_png, serving
from ui.service.access import LOCAL_USER

HELLO: Any = [{"role": "user", "content": "hello there"}]


@contextmanager
def over(script: Script, home: Path, **more: Any) -> Iterator[Service]:
    with scripted(script) as url, serving(load_settings(model=url, home=home, requests_per_minute=0, **more)) as service:
        yield service


def test_text_streams_in_pieces_and_tokens_are_counted(tmp_path: Path) -> None:
    with over(Script(["I can help you with that."], usage=(120, 7), can=ALL | COUNTS), tmp_path) as service:
        chunks = list(
            service.openai().chat.completions.create(
                model="consilium", messages=HELLO, stream=True, stream_options={"include_usage": True}
            )
        )
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert "".join(pieces).startswith("I can help you with that.")
    assert chunks[-1].usage is not None
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (120, 7)


def test_history_images_and_instructions_of_a_new_list_reach_the_model(tmp_path: Path) -> None:
    url = f"data:image/png;base64,{base64.b64encode(radiograph_png()).decode()}"
    picture = [{"type": "text", "text": "My film."}, {"type": "image_url", "image_url": {"url": url}}]
    script = Script(["I see it."])
    messages: Any = [
        {"role": "system", "content": "Answer like a pirate."},
        {"role": "user", "content": picture},
        {"role": "assistant", "content": "Thank you.\n\n**Sources**\n[1] Something"},
        {"role": "user", "content": "What do you see?"},
    ]
    with over(script, tmp_path) as service:
        service.openai().chat.completions.create(model="consilium", messages=messages)
    (request,) = script.requests
    roles = [message["role"] for message in request["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    system, _, said, asked = [message["content"] for message in request["messages"]]
    assert "Answer like a pirate." in system
    assert system.index("Answer like a pirate.") > system.index("follow it only where")
    assert said == "Thank you."
    assert any(part["type"] == "image_url" for part in asked)


def test_sentences_that_fail_their_check_are_named_in_the_text(tmp_path: Path) -> None:
    with over(Script(["Aspirin cures every fracture within 3 days."]), tmp_path) as service:
        reply = service.openai().chat.completions.create(model="consilium", messages=HELLO)
    assert "**Check of the answer**" in (reply.choices[0].message.content or "")
    assert (reply.model_extra or {})["consilium"]["sentences"][0]["verdict"] == "not_supported"


def test_strict_mode_streams_nothing_that_was_not_checked(tmp_path: Path) -> None:
    with over(Script(["Aspirin cures every fracture within 3 days."]), tmp_path, strict=True) as service:
        chunks = list(service.openai().chat.completions.create(model="consilium", messages=HELLO, stream=True))
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert "Aspirin" not in said
    assert "Not answered" in said


@pytest.mark.parametrize(("fault", "words"), [("500", "answered 500"), ("429", "429"), ("cut", "broke off")])
def test_a_failing_endpoint_is_a_bad_gateway_and_the_next_try_goes_on(tmp_path: Path, fault: str, words: str) -> None:
    with over(Script([fault, "I can help.", "And more."]), tmp_path) as service:
        client = service.openai()
        with pytest.raises(openai.InternalServerError, match=words) as caught:
            client.chat.completions.create(model="consilium", messages=HELLO)
        assert caught.value.status_code == 502
        assert client.chat.completions.create(model="consilium", messages=HELLO).choices[0].message.content


def test_a_fault_in_the_middle_of_a_stream_is_an_error_of_the_stream(tmp_path: Path) -> None:
    with over(Script(["cut"]), tmp_path) as service, pytest.raises(openai.APIError, match="broke off"):
        list(service.openai().chat.completions.create(model="consilium", messages=HELLO, stream=True))


def test_after_a_failed_turn_the_same_list_goes_on_in_its_conversation(tmp_path: Path) -> None:
    with over(Script(["Hello.", "500", "Good day."]), tmp_path) as service:
        client = service.openai()
        first = client.chat.completions.create(model="consilium", messages=HELLO)
        more: Any = [*HELLO, {"role": "assistant", "content": first.choices[0].message.content}, *HELLO]
        with pytest.raises(openai.InternalServerError):
            client.chat.completions.create(model="consilium", messages=more)
        again = client.chat.completions.create(model="consilium", messages=more)
        conversations = {(reply.model_extra or {})["consilium"]["conversation"] for reply in (first, again)}
        assert len(conversations) == 1
        errors = [turn.error_kind for turn in service.assistant.turns(LOCAL_USER, conversations.pop())]
    assert errors == ["", "endpoint", ""]


def wait_for(what: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("store", [True, False])
def test_a_client_that_leaves_stops_its_turn(tmp_path: Path, stream: bool, store: bool) -> None:
    script = Script(["hang"])
    with over(script, tmp_path) as service:
        body = {"model": "consilium", "messages": HELLO, "stream": stream, "store": store}
        request = httpx.Request("POST", f"{service.url}/v1/chat/completions", json=body)
        head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        with socket.create_connection((request.url.host, request.url.port or 80)) as line:
            line.sendall(f"POST {request.url.path} HTTP/1.1\r\n{head}\r\n".encode() + request.content)
            wait_for(lambda: len(script.requests) == 1)
        wait_for(lambda: service.assistant.load() == (0, 0))
        rows = service.assistant.conversations(LOCAL_USER)
        if store:
            (turn,) = service.assistant.turns(LOCAL_USER, rows[0].id)
            assert turn.error_kind == "stopped"
        else:
            wait_for(lambda: not service.assistant.conversations(LOCAL_USER))


def test_stop_over_the_api_ends_a_turn_and_frees_the_conversation(tmp_path: Path) -> None:
    script = Script(["hang", "Good day."])
    with over(script, tmp_path) as service, service.http() as http:
        conversation = http.post("/api/conversations").json()["id"]
        path = f"/api/conversations/{conversation}"
        with http.stream("POST", f"{path}/turns", json={"question": "hello", "stream": True}) as reply:
            wait_for(lambda: len(script.requests) == 1)
            with service.http() as other:
                assert other.post(f"{path}/turns", json={"question": "and?"}).status_code == 400
                assert other.post(f"{path}/stop").json() == {"stopped": True}
            lines = list(reply.iter_lines())
        assert "event: turn_done" in lines
        assert http.post(f"{path}/stop").json() == {"stopped": False}
        assert http.post(f"{path}/turns", json={"question": "hello"}).json()["answer"]["sentences"]


def test_who_waits_is_told_the_place_and_a_full_queue_says_when_to_come_back(tmp_path: Path) -> None:
    with over(Script(["hang"]), tmp_path, turns_at_once=1, turns_waiting=1) as service:
        body = {"model": "consilium", "messages": HELLO, "stream": True}
        with service.http() as http, http.stream("POST", "/v1/chat/completions", json=body):
            wait_for(lambda: service.assistant.load() == (1, 0))
            with service.http() as second, second.stream("POST", "/v1/chat/completions", json=body) as waiting:
                lines = waiting.iter_lines()
                assert any('"queued", "position": 1' in line for line in lines)
                with service.http() as third:
                    full = third.post("/v1/chat/completions", json=body)
        assert full.status_code == 429
        assert int(full.headers["retry-after"]) >= 1
        wait_for(lambda: service.assistant.load() == (0, 0))


def test_metrics_count_and_hold_no_words_of_anyone(tmp_path: Path) -> None:
    script = Script(
        [[("find_Mrs_Miller", '{"name": "Miller"}')], "Nothing about Mrs Miller."], usage=(10, 5), can=ALL | COUNTS
    )
    with over(script, tmp_path) as service, service.http() as http:
        messages = [{"role": "user", "content": "What of Mrs Miller?"}]
        http.post("/v1/chat/completions", json={"model": "consilium", "messages": messages}).raise_for_status()
        http.get("/v1/Miller")
        text = http.get("/metrics").text
    assert "Miller" not in text
    assert 'consilium_tool_calls_total{status="refused",tool="unknown"} 1.0' in text
    assert 'consilium_turns_total{outcome="answered"} 1.0' in text
    assert 'consilium_tokens_total{kind="completion"} 10.0' in text
    assert 'route="/v1/chat/completions",status="200"} 1.0' in text
    assert "consilium_turns_running 0.0" in text


START = """
import sys
from ui.cli import main
sys.exit(main(["serve", "--port", sys.argv[1], "--model", sys.argv[2]]))
"""


@contextmanager
def process(home: Path, model: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`consilium serve` in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    environment = {**os.environ, "CONSILIUM_HOME": str(home)}
    server = subprocess.Popen([sys.executable, "-c", START, port, model], env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: server.poll() is not None or _answers(url), 60)
        yield server, url
    finally:
        server.kill()
        server.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_a_service_killed_in_the_middle_opens_with_what_was_there(tmp_path: Path, starter: Path) -> None:
    home = home_in(tmp_path, starter)
    script = Script(["Hello.", "hang", "Good day."])
    with scripted(script) as model:
        with process(home, model) as (server, url), httpx.Client(base_url=url, timeout=60) as http:
            assert "Consilium" in http.get("/").text, "the page is there too"
            conversation = http.post("/api/conversations").json()["id"]
            path = f"/api/conversations/{conversation}/turns"
            assert http.post(path, json={"question": "hello"}).json()["answer"]
            with http.stream("POST", path, json={"question": "and then?", "stream": True}):
                wait_for(lambda: len(script.requests) == 2)
                server.send_signal(signal.SIGKILL)
                server.wait()
        with process(home, model) as (_, url), httpx.Client(base_url=url, timeout=60) as http:
            first, second = http.get(path).json()
            assert first["answer"]["sentences"][0]["text"] == "Hello."
            assert (second["question"], second["error"]) == ("and then?", INTERRUPTED)
            assert second["answer"] is None
            assert http.post(path, json={"question": "and now?"}).json()["answer"]
            assert [m["role"] for m in script.requests[-1]["messages"]] == ["system", "user", "assistant", "user"]
