"""What models and endpoints get wrong, once with native tool calls and once with schema-guided plans: one list for both."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agent.assemble import build_assistant
from agent.assistant import Assistant
from agent.events import Event, Notice, TurnDone
from agent.models.textual_calls import with_calls
from core.settings import load_settings
from core.types import Turn
from tests.agent.openai_server import ALL, COUNTS, NO_NATIVE, USAGE, RateLimited, Raw, Script, serving

ME = "me"
SEARCH = [("search_literature", '{"query": "What is RHLV?", "k": 1}')]
GOOD = "Relative Height Loss of Vertebrae compares the height of a vertebra with that of a synthesised one [1]."
pytestmark = pytest.mark.usefixtures("home_with_index")
both_planners = pytest.mark.parametrize("can", [ALL, NO_NATIVE], ids=["native", "guided"])


def turns(script: Script, **settings: Any) -> Iterator[Callable[[str], tuple[Turn, list[Event]]]]:
    with serving(script) as url, build_assistant(load_settings(model=url, **settings)) as assistant:
        conversation = assistant.new_conversation(ME)

        def ask(question: str) -> tuple[Turn, list[Event]]:
            return asked(assistant, conversation, question)

        yield ask


def asked(assistant: Assistant, conversation: str, question: str) -> tuple[Turn, list[Event]]:
    events = list(assistant.ask(ME, conversation, question))
    assert isinstance(events[-1], TurnDone)
    return events[-1].turn, events


def offers_tools(request: dict[str, Any]) -> bool:
    return bool(request.get("tools")) or "response_format" in request


@both_planners
def test_a_malformed_call_can_be_corrected(can: frozenset[str]) -> None:
    for ask in turns(Script([[("search_literature", "{broken")], SEARCH, GOOD], can=can)):
        turn, _ = ask("What is RHLV?")
        assert turn.answer is not None
        assert [sentence.verdict for sentence in turn.answer.sentences] == ["supported"]
        assert turn.calls[-1].status == "done"


@both_planners
def test_calls_that_stay_malformed_end_the_turn_in_words(can: frozenset[str]) -> None:
    for ask in turns(Script([[("search_literature", "{broken")]], can=can)):
        turn, _ = ask("What is RHLV?")
        assert turn.answer is None
        assert "plan is not the JSON" in turn.error or "kept calling tools" in turn.error


@both_planners
def test_a_tool_that_does_not_exist_is_refused_in_words(can: frozenset[str]) -> None:
    for ask in turns(Script([[("nope", "{}")], SEARCH, GOOD], can=can)):
        turn, _ = ask("What is RHLV?")
        assert [call.status for call in turn.calls] == ["refused", "done"]
        assert "There is no tool 'nope'" in turn.calls[0].summary
        assert turn.answer is not None


@both_planners
def test_arguments_that_no_parameter_takes_are_refused_in_words(can: frozenset[str]) -> None:
    wrong = [("search_literature", '{"query": "RHLV", "k": "many", "colour": "red"}')]
    for ask in turns(Script([wrong, SEARCH, GOOD], can=can)):
        turn, _ = ask("What is RHLV?")
        assert [call.status for call in turn.calls] == ["refused", "done"]
        assert "colour" in turn.calls[0].summary
        assert turn.answer is not None


@both_planners
def test_a_model_that_calls_on_and_on_is_made_to_answer(can: frozenset[str]) -> None:
    script = Script([lambda request: SEARCH if offers_tools(request) else GOOD], can=can)
    for ask in turns(script, tool_calls_per_turn=3):
        turn, _ = ask("What is RHLV?")
        assert len(turn.calls) == 3
        assert turn.answer is not None, "when its calls are used up it is no longer offered tools"
        assert not offers_tools(script.requests[-1])


@both_planners
def test_a_busy_endpoint_is_asked_again_when_it_says(can: frozenset[str]) -> None:
    script = Script([RateLimited("0.3"), "I can help."], can=can)
    for ask in turns(script):
        turn, events = ask("hello there")
        assert turn.answer is not None
        assert script.asked_at[1] - script.asked_at[0] >= 0.3
        assert any(isinstance(event, Notice) and "asks to wait" in event.text for event in events)


@both_planners
@pytest.mark.parametrize("told", ["120", "Fri, 31 Dec 2999 23:59:59 GMT", "soon"])
def test_a_wait_past_the_turns_budget_is_told_at_once(can: frozenset[str], told: str) -> None:
    for ask in turns(Script([RateLimited(told), "I can help."], can=can), rate_limit_wait_s=2.0):
        started = time.monotonic()
        turn, _ = ask("hello there")
        assert "429" in turn.error
        assert time.monotonic() - started < 2


@both_planners
def test_waiting_adds_up_over_a_turn(can: frozenset[str]) -> None:
    script = Script([RateLimited("0.4")], can=can)
    for ask in turns(script, rate_limit_wait_s=1.0):
        turn, _ = ask("hello there")
        assert "429" in turn.error
        assert len(script.requests) == 3


@both_planners
def test_thoughts_of_a_reasoning_model_are_no_answer(can: frozenset[str]) -> None:
    for ask in turns(Script([SEARCH, f"<think>Surely it cures everyone.</think>{GOOD}"], can=can)):
        turn, _ = ask("What is RHLV?")
        assert turn.answer is not None
        assert [sentence.text for sentence in turn.answer.sentences] == [GOOD]


@both_planners
def test_too_much_for_the_context_is_told_in_the_endpoints_words(can: frozenset[str]) -> None:
    words = "This model's maximum context length is 4096 tokens. However, you requested 9000 tokens."
    for ask in turns(Script([{"status": 400, "body": {"error": {"message": words}}}, "Hello."], can=can)):
        turn, _ = ask("hello there")
        assert "does not fit into the context" in turn.error
        assert "4096" in turn.error
        assert ask("hello")[0].answer is not None


@both_planners
def test_of_two_models_the_first_is_taken_and_it_is_said(can: frozenset[str]) -> None:
    script = Script(["I can help."], models=("one", "two"), can=can)
    with serving(script) as url, build_assistant(load_settings(model=url)) as assistant:
        assert "chosen of one, two, --model-name picks" in assistant.model_status().detail
        turn, _ = asked(assistant, assistant.new_conversation(ME), "hello")
    assert turn.answer is not None
    assert any("one was asked" in limit and "Others: two" in limit for limit in turn.answer.limits)
    assert script.requests[0]["model"] == "one"


@both_planners
def test_the_model_that_is_named_is_taken(can: frozenset[str]) -> None:
    script = Script(["I can help."], models=("one", "two"), can=can)
    for ask in turns(script, model_name="two"):
        turn, _ = ask("hello")
        assert turn.answer is not None
        assert not any("several models" in limit for limit in turn.answer.limits)
    assert script.requests[0]["model"] == "two"


def test_a_model_that_is_not_served_is_named_with_those_that_are() -> None:
    with (
        serving(Script([""], models=("one", "two"))) as url,
        build_assistant(load_settings(model=url, model_name="three")) as assistant,
    ):
        assert "does not serve 'three'. It serves: one, two" in assistant.model_status().detail


@both_planners
def test_costs_of_a_plain_turn_are_told(can: frozenset[str]) -> None:
    script = Script([SEARCH, GOOD], can=can | COUNTS, usage=USAGE)
    for ask in turns(script):
        turn, _ = ask("What is RHLV?")
    assert turn.answer is not None
    assert turn.answer.provenance is not None
    use, way = turn.answer.provenance.model_use, turn.answer.provenance.strategy
    assert use is not None
    assert way is not None
    asked_for = 3 if can is NO_NATIVE else 2
    assert (use.calls, use.prompt_tokens, use.completion_tokens) == (asked_for, 100 * asked_for, 10 * asked_for)
    assert not use.estimated
    assert (way.name, way.why) == ("plain", "open question")


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>\n{"name": "search_literature", "arguments": {"query": "What is RHLV?", "k": 1}}\n</tool_call>',
        '{"name": "search_literature", "parameters": {"query": "What is RHLV?", "k": 1}}',
        '```json\n[{"name": "search_literature", "arguments": {"query": "What is RHLV?", "k": 1}}]\n```',
        '<think>I should search.</think>{"name": "search_literature", "arguments": "{\\"query\\": \\"What is RHLV?\\"}"}',
    ],
)
def test_native_calls_that_were_written_as_text_are_made(text: str) -> None:
    for ask in turns(Script([Raw(text), GOOD])):
        turn, _ = ask("What is RHLV?")
        assert [(call.name, call.status) for call in turn.calls] == [("search_literature", "done")]
        assert turn.answer is not None
        assert [sentence.verdict for sentence in turn.answer.sentences] == ["supported"]


@pytest.mark.parametrize(
    "text",
    [
        '{"calls": [{"tool": "search_literature", "arguments": {"query": "What is RHLV?"}}]}',
        '```json\n{"calls": [{"tool": "search_literature", "arguments": {"query": "What is RHLV?"}}]}\n```',
        '<think>A search.</think>[{"tool": "search_literature", "arguments": {"query": "What is RHLV?"}}]',
    ],
)
def test_plans_in_other_wrappings_are_read(text: str) -> None:
    for ask in turns(Script([Raw(text), GOOD], can=NO_NATIVE)):
        turn, _ = ask("What is RHLV?")
        assert [(call.name, call.status) for call in turn.calls] == [("search_literature", "done")]
        assert turn.answer is not None


def test_an_answer_that_quotes_a_call_is_an_answer() -> None:
    from langchain_core.messages import AIMessage

    quoted = AIMessage('You may write {"name": "search_literature", "arguments": {}} for that.')
    other = AIMessage('{"name": "L1", "arguments": {}}')
    assert with_calls(quoted, ["search_literature"]) is quoted
    assert with_calls(other, ["search_literature"]) is other
