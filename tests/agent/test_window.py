from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from agent.assemble import build_assistant
from agent.events import TurnDone
from agent.ledger import TurnRun
from agent.models.tokens import count_at, estimate_messages, estimate_text
from agent.window import LEFT_OUT, Window
from core.errors import InputError
from core.settings import load_settings
from core.store import SessionStore
from core.types import Turn
from tests.agent.openai_server import ALL, COUNTS, NO_NATIVE, Script, serving
from tools.registry import Registry
from tools.runtime import ToolRuntime

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


@pytest.fixture
def run(store: SessionStore) -> TurnRun:
    return TurnRun(store, ToolRuntime(Registry([])), lambda event: None, 8, {})


def called(number: int, words: int) -> list[AnyMessage]:
    call = {"name": "search_literature", "args": {}, "id": f"c{number}", "type": "tool_call"}
    result = ToolMessage(f"result {number} " + "word " * words, tool_call_id=f"c{number}", name="search_literature")
    return [AIMessage("", tool_calls=[call]), result]


def conversation(results: int = 3, words: int = 400) -> list[AnyMessage]:
    earlier: list[AnyMessage] = [HumanMessage("What is RHLV?"), *called(0, words), AIMessage("It is a measure [1].")]
    now: list[AnyMessage] = [HumanMessage("And what of T12?")]
    return [*earlier, *now, *(message for number in range(1, results + 1) for message in called(number, words))]


def contents(messages: list[AnyMessage]) -> list[str]:
    return [str(message.text) for message in messages if isinstance(message, ToolMessage)]


def test_what_fits_is_left_alone(run: TurnRun) -> None:
    messages = conversation()
    assert Window(16_384, 2_048, 1_000).fitted("system", messages, [], run) == messages
    assert run.left_out == ""


def test_the_oldest_results_go_first_and_whole(run: TurnRun) -> None:
    messages = conversation()
    fitted = Window(2_600, 600, 1_000).fitted("system", messages, [], run)
    assert contents(fitted)[:2] == [LEFT_OUT, LEFT_OUT]
    assert contents(fitted)[2:] == contents(messages)[2:], "never cut in the middle"
    assert len(fitted) == len(messages), "a call keeps its result, as the protocol wants it"
    assert contents(messages)[0].startswith("result 0"), "the memory is not changed"
    said = "2 older tool results (search_literature) were left out of what it read."
    assert run.left_out == f"The model's context of 2600 tokens was full: {said}"


def test_earlier_questions_go_when_results_are_not_enough(run: TurnRun) -> None:
    long: list[AnyMessage] = [HumanMessage("early " * 900), AIMessage("answer")]
    fitted = Window(2_600, 600, 1_000).fitted("system", [*long, *conversation(1)], [], run)
    assert fitted[0].text == "What is RHLV?"
    assert "1 older tool result (search_literature) and 1 earlier question with what was answered were" in run.left_out


def test_pictures_go_last_from_the_back(run: TurnRun) -> None:
    parts: list[str | dict[str, Any]] = [
        {"type": "text", "text": "Look"},
        *({"type": "text", "text": f"p{n}"} if k == 0 else PICTURE for n in range(3) for k in (0, 1)),
    ]
    fitted = Window(3_000, 500, 1_000).fitted("system", [HumanMessage(parts)], [], run)
    content = fitted[0].content
    assert isinstance(content, list)
    assert [part["text"] if isinstance(part, dict) and "text" in part else "picture" for part in content] == [
        "Look", "p0", "picture", "p1", "picture",
    ]  # fmt: skip
    assert "1 picture was left out" in run.left_out


def test_what_can_not_be_left_out_is_refused_with_the_figures(run: TurnRun) -> None:
    with pytest.raises(InputError, match=r"need about \d{4} tokens; the model's context of 2000 leaves 1000") as error:
        Window(2_000, 4_000, 1_000).fitted("system", [HumanMessage("word " * 2000)], [], run)
    assert "Ask for less at a time" in str(error.value)


def test_the_newest_result_alone_may_be_too_large(run: TurnRun) -> None:
    with pytest.raises(InputError, match="need about"):
        Window(2_600, 600, 1_000).fitted("system", conversation(1, 3000), [], run)


def test_the_endpoints_own_count_is_believed(run: TurnRun) -> None:
    asked: list[int] = []

    def count(messages: Any, tools: Any) -> int:
        asked.append(len(messages))
        return 100

    messages = conversation(3, 900)
    assert Window(2_600, 600, 1_000, count).fitted("system", messages, [], run) == messages
    assert asked == [len(messages) + 1]


def test_the_endpoint_is_not_asked_when_anything_would_fit(run: TurnRun) -> None:
    def count(messages: Any, tools: Any) -> int:
        raise AssertionError("asked")

    Window(16_384, 2_048, 1_000, count).fitted("system", [HumanMessage("hello")], [], run)


def test_pictures_are_counted_by_the_profile_not_by_their_bytes(run: TurnRun) -> None:
    big = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    message = HumanMessage([{"type": "text", "text": "Look"}, big])
    assert Window(4_000, 1_000, 1_000).fitted("system", [message], [], run) == [message]


def test_estimates_are_on_the_high_side() -> None:
    text = "Relative height loss compares the height of a vertebra with that of a synthesised healthy one."
    assert estimate_text(text) > len(text.split()) * 1.5
    assert estimate_text("椎骨骨折") >= 4
    assert estimate_messages([{"content": [PICTURE]}], image_tokens=500) >= 500


def test_tokens_are_counted_at_the_endpoint() -> None:
    script = Script([""], can=ALL | COUNTS)
    with serving(script) as url:
        assert count_at(url, "scripted", "", [{"role": "user", "content": "one two"}], [{"type": "function"}])
    assert script.counted[0]["tools"] == [{"type": "function"}]
    with serving(Script([""])) as url:
        assert count_at(url, "scripted", "", [], []) is None


@pytest.mark.usefixtures("home_with_index")
@pytest.mark.parametrize("can", [ALL, NO_NATIVE, ALL | COUNTS], ids=["native", "guided", "counted"])
def test_a_long_conversation_goes_on_and_says_what_was_left_out(can: frozenset[str]) -> None:
    def reply(request: dict[str, Any]) -> Any:
        now = str(request["messages"]).rpartition("tell me")[2]
        return "Done." if "<evidence>" in now else [("search_literature", '{"query": "RHLV", "k": 5}')]

    script = Script([reply], can=can, card={"max_model_len": 8_000})
    turns: list[Turn] = []
    with serving(script) as url, build_assistant(load_settings(model=url, answer_tokens=1_000)) as assistant:
        conversation = assistant.new_conversation("me")
        for number in range(6):
            *_, last = assistant.ask("me", conversation, f"tell me more of RHLV {number} " + "please " * 700)
            assert isinstance(last, TurnDone)
            turns.append(last.turn)
    assert all(turn.answer is not None for turn in turns), [turn.error for turn in turns]
    assert turns[-1].answer is not None
    assert any("context of 8000 tokens was full" in limit for limit in turns[-1].answer.limits)
    assert bool(script.counted) == (can == ALL | COUNTS)
