"""The agent against a real vLLM server. Run by `make vllm-test`."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import BaseTool
from PIL import Image

from agent.assemble import build_assistant
from agent.assistant import Assistant
from agent.ending import STOPPED
from agent.events import TextDelta, TurnDone
from agent.models.endpoint import chat_model, find_endpoint
from agent.models.guided import plan_schema
from agent.models.preflight import preflight
from core.settings import Settings, load_settings
from core.types import Turn
from tests.vllm.conftest import Server

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600), pytest.mark.usefixtures("clean_environment")]
ME = "me"
FAILS_IN_WORDS = ("plan is not the JSON", "kept calling tools")
"""How a turn of a random model may end, besides with an answer: told, and the conversation kept."""


def settings(server: Server, **more: object) -> Settings:
    return load_settings(model=f"{server.url}/v1", endpoint_timeout_s=120.0, **{"answer_tokens": 2048, **more})


def ask(assistant: Assistant, conversation: str, question: str, stop: threading.Event | None = None) -> Turn:
    *_, last = assistant.ask(ME, conversation, question, stop)
    assert isinstance(last, TurnDone)
    return last.turn


def idle(server: Server, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if server.requests_running() == 0:
            return True
        time.sleep(0.2)
    return False


def test_preflight_sees_what_this_model_can_do(live: Server, tmp_path: Path) -> None:
    seen = preflight(find_endpoint(settings(live)), "", tmp_path)
    for check in seen.checks:
        print(f"{'ok ' if check.works else 'no '} {check.name}: {check.seen}")
    assert {check.name for check in seen.checks if check.works} >= {"text", "streaming", "JSON schema", "images"}
    assert not seen.works("native tool calls"), "a random model does not call tools of its own accord"
    assert seen.planner == "guided"
    assert seen.context == 16384


def test_a_turn_streams_and_plans_by_schema(live: Server) -> None:
    with build_assistant(settings(live)) as assistant:
        assert "schema-guided JSON, reads images, context of 16384 tokens" in assistant.model_status().detail
        conversation = assistant.new_conversation(ME)
        called: set[str] = set()
        answered = 0
        for number in range(4):
            events = list(assistant.ask(ME, conversation, f"What is RHLV? Question {number}."))
            assert isinstance(events[-1], TurnDone)
            turn = events[-1].turn
            called |= {call.name for call in turn.calls}
            assert turn.answer is not None or any(words in turn.error for words in FAILS_IN_WORDS), turn.error
            if turn.answer is not None and any(isinstance(event, TextDelta) for event in events):
                answered += 1
                assert sum(isinstance(event, TextDelta) for event in events) > 1
        print(f"streamed answers: {answered} of 4, tools called: {sorted(called)}")
        assert called <= _names(assistant), "a schema-bound plan can only name our tools"
        assert answered


def test_schema_bound_plans_become_tool_calls(live: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The random model prefers an empty plan and strings that are no text, so a call in plain letters is asked for."""

    def at_least_one(tools: Sequence[BaseTool]) -> dict[str, Any]:
        schema: dict[str, Any] = _in_plain_letters(plan_schema(tools))
        schema["properties"]["calls"]["minItems"] = 1
        return schema

    monkeypatch.setattr("agent.models.guided.plan_schema", at_least_one)
    with build_assistant(settings(live)) as assistant:
        turn = ask(assistant, assistant.new_conversation(ME), "What is RHLV?")
        names = _names(assistant)
    print(f"{len(turn.calls)} tool calls: {[(call.name, call.status) for call in turn.calls]}; {turn.error}")
    assert turn.calls
    assert {call.name for call in turn.calls} <= names
    if len(turn.calls) >= settings(live).tool_calls_per_turn:
        assert turn.answer is not None, "when its calls are used up it is offered none, and answers"
    else:
        assert any(words in turn.error for words in FAILS_IN_WORDS)


def _names(assistant: Assistant) -> set[str]:
    return {tool.spec.name for tool in assistant.tools()}


def _in_plain_letters(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_in_plain_letters(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {name: _in_plain_letters(value) for name, value in schema.items()}
    if "maxLength" in changed and changed.get("type") == "string":
        changed = {"type": "string", "pattern": "^[a-z]{1,12}$"}
    return changed


def test_a_named_native_call_comes_back_as_a_call(live: Server) -> None:
    """A tool without parameters: a random model seldom ends an argument's text."""
    chat = chat_model(find_endpoint(settings(live)), settings(live))
    parameters = {"type": "object", "properties": {}, "additionalProperties": False}
    function = {"name": "report_ready", "description": "Reports.", "strict": True, "parameters": parameters}
    bound = chat.bind_tools([{"type": "function", "function": function}], tool_choice="report_ready")
    message = bound.invoke("Report.")
    assert isinstance(message, AIMessage)
    (call,) = message.tool_calls
    print(f"native tool call: {call['name']} {json.dumps(call['args'])}")
    assert (call["name"], call["args"]) == ("report_ready", {})


def test_an_image_reaches_the_model_and_counts_as_tokens(live: Server) -> None:
    chat = chat_model(find_endpoint(settings(live)), settings(live)).model_copy(update={"stream_usage": True})

    def prompt_tokens(side: int) -> int:
        buffer = io.BytesIO()
        Image.new("RGB", (side, side), (90, 90, 90)).save(buffer, format="PNG")
        uri = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
        content: list[str | dict[str, object]] = [
            {"type": "image_url", "image_url": {"url": uri}},
            {"type": "text", "text": "Look."},
        ]
        usage = chat.invoke([HumanMessage(content)], max_completion_tokens=4).usage_metadata
        assert usage is not None
        return usage["input_tokens"]

    small, large = prompt_tokens(56), prompt_tokens(224)
    print(f"prompt tokens with an image of 56 x 56: {small}, of 224 x 224: {large}")
    assert large - small == (224 // 28) ** 2 - (56 // 28) ** 2


def test_a_stop_reaches_the_server(live: Server, endless: None) -> None:
    with build_assistant(settings(live, answer_tokens=6000)) as assistant:
        assistant.model_status()
        stop = threading.Event()
        seen_running = threading.Event()

        def watch() -> None:
            while not stop.is_set():
                if live.requests_running() > 0:
                    seen_running.set()
                    time.sleep(0.3)
                    stop.set()

        watcher = threading.Thread(target=watch)
        watcher.start()
        turn = ask(assistant, assistant.new_conversation(ME), "Tell me everything about vertebrae.", stop)
        watcher.join(60)
        assert seen_running.is_set()
        assert turn.error == STOPPED
        assert idle(live, 10), "the server still works on a request that was stopped"


def test_sixteen_conversations_at_once(live: Server) -> None:
    with build_assistant(settings(live, answer_tokens=1024)) as assistant:
        conversations = [assistant.new_conversation(ME) for _ in range(16)]
        secrets = [f"secret-{number:02d}-zebra" for number in range(16)]
        with ThreadPoolExecutor(16) as pool:
            turns = list(pool.map(lambda pair: ask(assistant, *pair), zip(conversations, secrets, strict=True)))
        for turn, secret, conversation in zip(turns, secrets, conversations, strict=True):
            assert turn.answer is not None or any(words in turn.error for words in FAILS_IN_WORDS), turn.error
            kept = " ".join(item.model_dump_json() for item in assistant.turns(ME, conversation))
            assert secret in kept
            assert not any(other in kept for other in secrets if other != secret)
        assert idle(live, 20)


def test_a_server_that_dies_in_the_middle_is_told(server: Server, live: Server, endless: None) -> None:
    own = Server(tuple(_on_another_port(server.command)), _other_url(server), server.log.with_name("second.log"))
    with build_assistant(settings(own, answer_tokens=6000)) as assistant:
        conversation = assistant.new_conversation(ME)
        with own.started() as process:
            assistant.model_status()
            threading.Thread(target=_kill_when_busy, args=(own, process), daemon=True).start()
            turn = ask(assistant, conversation, "Tell me everything about vertebrae.")
            assert turn.answer is None
            assert "cannot be reached or broke off" in turn.error
        with own.started():
            again = ask(assistant, conversation, "hello", _after(5.0))
            assert again.answer is not None or again.error == STOPPED, "it answers again, at length"
            assert len(assistant.turns(ME, conversation)) == 2


def _after(seconds: float) -> threading.Event:
    stop = threading.Event()
    threading.Timer(seconds, stop.set).start()
    return stop


def _other_url(server: Server) -> str:
    return f"http://127.0.0.1:{_other_port(server)}"


def _other_port(server: Server) -> int:
    return int(server.url.rsplit(":", 1)[1]) + 1


def _on_another_port(command: tuple[str, ...]) -> list[str]:
    changed = list(command)
    place = changed.index("--port") + 1
    changed[place] = str(int(changed[place]) + 1)
    return changed


def _kill_when_busy(server: Server, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            busy = server.requests_running() > 0
        except httpx.HTTPError:
            busy = False
        if busy:
            time.sleep(0.5)
            os.killpg(process.pid, signal.SIGKILL)
        time.sleep(0.05)
