"""Whole turns over real HTTP with a scripted endpoint, for both ways of planning tool calls."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from agent.assemble import build_assistant
from agent.assistant import Assistant
from agent.ending import STOPPED
from agent.events import TextDelta, TurnDone
from core.settings import load_settings
from core.types import Turn
from tests.agent.openai_server import ALL, COUNTS, NO_NATIVE, SCORES, Script, serving

ME = "me"
pytestmark = pytest.mark.usefixtures("home_with_index")
both_planners = pytest.mark.parametrize("can", [ALL, NO_NATIVE], ids=["native", "guided"])


def ask(assistant: Assistant, conversation: str, question: str) -> Turn:
    *_, last = assistant.ask(ME, conversation, question)
    assert isinstance(last, TurnDone)
    return last.turn


def served(script: Script) -> Iterator[tuple[Assistant, str]]:
    with serving(script) as url, build_assistant(load_settings(model=url)) as built:
        yield built, built.new_conversation(ME)


@both_planners
def test_a_served_model_calls_tools_and_is_checked(can: frozenset[str]) -> None:
    good = "Relative Height Loss of Vertebrae compares the height of a vertebra with that of a synthesised one [1]."
    script = Script(
        [[("search_literature", '{"query": "What is RHLV?", "k": 2}')], f"{good} It cures everyone [7]."], can=can
    )
    for assistant, conversation in served(script):
        events = list(assistant.ask(ME, conversation, "What is RHLV?"))
        turn = events[-1].turn  # type: ignore[union-attr]
        assert "".join(event.text for event in events if isinstance(event, TextDelta)).startswith("Relative Height Loss")
        assert turn.answer is not None
        assert turn.answer.provenance is not None
        assert [sentence.verdict for sentence in turn.answer.sentences] == ["supported", "not_supported"]
        assert turn.answer.provenance.model == "scripted"
        assert [call.name for call in turn.calls] == ["search_literature"]
        assert script.requests[0]["messages"][0]["role"] == "system"
        assert _tools_offered(script.requests[0]) >= {"show_image", "read_record"}
        assert ("tools" in script.requests[0]) == (can is ALL)


def _tools_offered(request: dict[str, Any]) -> set[str]:
    """By native declaration, or in the plan's schema."""
    if "tools" in request:
        return {tool["function"]["name"] for tool in request["tools"]}
    kinds = request["response_format"]["json_schema"]["schema"]["properties"]["calls"]["items"]["anyOf"]
    return {kind["properties"]["tool"]["enum"][0] for kind in kinds}


def test_no_two_messages_of_one_side_reach_a_model_without_native_calls() -> None:
    script = Script([[("search_literature", '{"query": "RHLV"}')], "It is a measure [1]."], can=NO_NATIVE)
    for assistant, conversation in served(script):
        ask(assistant, conversation, "What is RHLV?")
        ask(assistant, conversation, "And again?")
    for request in script.requests:
        sides = [message["role"] for message in request["messages"]]
        assert all(one != two for one, two in pairwise(sides)), sides
        assert "tool" not in sides


def test_what_the_model_can_do_is_checked_once_and_told() -> None:
    script = Script(["Hello."], can=NO_NATIVE)
    with serving(script) as url:
        for _ in range(2):
            with build_assistant(load_settings(model=url)) as assistant:
                assert "schema-guided JSON, reads images" in assistant.model_status().detail
    assert sorted(script.checks) == sorted(ALL | SCORES | COUNTS)


def test_a_model_that_can_neither_call_nor_keep_to_a_schema_is_declined() -> None:
    for assistant, conversation in served(Script(["hello"], can=frozenset({"text", "streaming"}))):
        assert "neither call tools nor keep to a JSON schema" in assistant.model_status().detail
        assert "neither call tools" in ask(assistant, conversation, "hello").error


@pytest.mark.parametrize(
    ("fault", "message"), [("500", "answered 500"), ("429", "429"), ("html", "not the protocol|empty answer")]
)
@both_planners
def test_a_failing_endpoint_is_told_and_the_conversation_goes_on(fault: str, message: str, can: frozenset[str]) -> None:
    script = Script([fault, "I can help."], can=can)
    for assistant, conversation in served(script):
        turn = ask(assistant, conversation, "hello there")
        assert turn.answer is None
        assert any(part in turn.error for part in message.split("|"))
        assert ask(assistant, conversation, "again").answer is not None
        assert len(assistant.turns(ME, conversation)) == 2


@pytest.mark.parametrize(
    ("fault", "message"), [("hang", "silent for too long"), ("truncated", "broke off"), ("cut", "broke off|not the JSON")]
)
@both_planners
def test_a_slow_or_broken_stream_is_told_and_the_conversation_goes_on(fault: str, message: str, can: frozenset[str]) -> None:
    script = Script([fault, "I can help."], can=can)
    with serving(script) as url, build_assistant(load_settings(model=url, endpoint_timeout_s=1.0)) as assistant:
        conversation = assistant.new_conversation(ME)
        turn = ask(assistant, conversation, "hello there")
        assert turn.answer is None
        assert any(part in turn.error for part in message.split("|"))
        assert ask(assistant, conversation, "again").answer is not None


@both_planners
def test_a_stop_does_not_wait_for_a_hanging_endpoint(can: frozenset[str]) -> None:
    with serving(Script(["hang"], can=can)) as url, build_assistant(load_settings(model=url)) as assistant:
        stop = threading.Event()
        threading.Timer(0.5, stop.set).start()
        started = time.monotonic()
        *_, last = assistant.ask(ME, assistant.new_conversation(ME), "hello there", stop)
        assert time.monotonic() - started < 5
        assert isinstance(last, TurnDone)
        assert last.turn.error == STOPPED


@both_planners
def test_an_endless_loop_ends(can: frozenset[str]) -> None:
    for assistant, conversation in served(Script([[("search_literature", '{"query": "RHLV"}')]], can=can)):
        turn = ask(assistant, conversation, "question")
        assert "kept calling tools" in turn.error
        assert sum(call.status == "done" for call in turn.calls) <= 8


def test_an_endpoint_that_is_down_is_told() -> None:
    with build_assistant(load_settings(model="http://127.0.0.1:9/v1")) as assistant:
        turn = ask(assistant, assistant.new_conversation(ME), "hello")
        assert "cannot be reached" in turn.error
        assert not assistant.model_status().reachable
