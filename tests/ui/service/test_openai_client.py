"""The `openai` package as any chat program uses it."""

from __future__ import annotations

import base64
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion

from tests.ui.service.conftest import Service, radiograph_png
from ui.service.access import LOCAL_USER

RHLV: Any = {"role": "user", "content": "What is RHLV?"}


def ask(service: Service, *messages: Any, **more: Any) -> ChatCompletion:
    reply = service.openai().chat.completions.create(model="consilium", messages=list(messages), **more)
    assert isinstance(reply, ChatCompletion)
    return reply


def told(reply: ChatCompletion) -> dict[str, Any]:
    extra: dict[str, Any] = (reply.model_extra or {})["consilium"]
    return extra


def text(reply: ChatCompletion) -> str:
    return reply.choices[0].message.content or ""


def data_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def test_the_model_is_listed(service: Service) -> None:
    client = service.openai()
    assert [model.id for model in client.models.list()] == ["consilium"]
    assert client.models.retrieve("consilium").owned_by == "consilium"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4")


def test_an_answer_comes_with_what_it_stands_on(service: Service) -> None:
    reply = ask(service, RHLV, temperature=0.3, user="someone")
    extra = told(reply)
    assert {item["verdict"] for item in extra["sentences"]} == {"supported"}
    cited = {number for sentence in extra["sentences"] for number in sentence["evidence"]}
    assert cited <= {item["id"] for item in extra["evidence"]}
    assert [call["name"] for call in extra["calls"]] == ["search_literature"]
    assert extra["ignored"] == ["temperature"]
    assert "**Sources**\n[1]" in text(reply)
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage is not None
    assert reply.usage.total_tokens == 0, "the embedded model generates nothing"


def test_the_list_of_sources_can_be_left_out(service: Service) -> None:
    assert "**Sources**" not in text(ask(service, RHLV, extra_body={"consilium": {"sources": False}}))


def test_a_stream_tells_steps_text_evidence_and_usage(service: Service) -> None:
    stream = service.openai().chat.completions.create(
        model="consilium",
        messages=[RHLV],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    pieces = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    extras = [chunk.model_extra["consilium"] for chunk in chunks if chunk.model_extra and "consilium" in chunk.model_extra]
    steps = [extra["event"]["kind"] for extra in extras if "event" in extra]
    assert steps[0] == "step_started"
    assert steps[-1] == "step_finished"
    assert extras[-1]["sentences"][0]["verdict"] == "supported"
    assert extras[-1]["sentences"][0]["text"] in pieces
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage is not None
    assert not chunks[-1].choices


def test_a_stream_without_the_option_tells_no_usage(service: Service) -> None:
    stream = service.openai().chat.completions.create(model="consilium", messages=[RHLV], stream=True)
    assert all(chunk.choices and chunk.usage is None for chunk in stream)


def test_an_image_is_taken_in_once_as_an_attachment(service: Service) -> None:
    url = data_url(radiograph_png())
    parts = [{"type": "text", "text": "Show me this picture."}, {"type": "image_url", "image_url": {"url": url}}]
    first = ask(service, {"role": "user", "content": parts})
    conversation = told(first)["conversation"]
    (artifact,) = [item for item in _artifacts(service, conversation) if item["made_by"] is None]
    assert artifact["shape"] == [256, 200]
    assert [call["name"] for call in told(first)["calls"]] == ["show_image"]
    again = ask(
        service,
        {"role": "user", "content": parts},
        {"role": "assistant", "content": text(first)},
        {"role": "user", "content": "Show it again."},
    )
    assert told(again)["conversation"] == conversation
    assert [item["handle"] for item in _artifacts(service, conversation) if item["made_by"] is None] == [artifact["handle"]]


def _artifacts(service: Service, conversation: str) -> list[dict[str, Any]]:
    with service.http() as http:
        found: list[dict[str, Any]] = http.get(f"/api/conversations/{conversation}/artifacts").raise_for_status().json()
    return found


def test_a_list_that_goes_on_continues_its_conversation(service: Service) -> None:
    first = ask(service, RHLV)
    history = [RHLV, {"role": "assistant", "content": f"  {text(first)}\n"}]
    system = {"role": "system", "content": "It is 14:07. Be brief."}
    second = ask(service, system, *history, {"role": "user", "content": "What is the Genant grade?"})
    assert told(second)["conversation"] == told(first)["conversation"]
    assert told(second)["turn"] == "2"
    turns = service.assistant.turns(LOCAL_USER, told(first)["conversation"])
    assert [turn.question for turn in turns] == ["What is RHLV?", "What is the Genant grade?"]


def test_a_list_that_was_edited_or_branches_is_another_conversation(service: Service) -> None:
    first = ask(service, RHLV)
    history = [RHLV, {"role": "assistant", "content": text(first)}]
    edited = [RHLV, {"role": "assistant", "content": "RHLV is a colour."}]
    question = {"role": "user", "content": "What is a Hounsfield unit?"}
    seen = {told(first)["conversation"]}
    assert told(ask(service, *history, question))["conversation"] in seen
    for messages in ([*edited, question], [*history, question], [*history, RHLV]):
        conversation = told(ask(service, *messages))["conversation"]
        assert conversation not in seen, "the conversation went on since, or the history is another"
        seen.add(conversation)


def test_equal_first_questions_are_different_conversations(service: Service) -> None:
    assert told(ask(service, RHLV))["conversation"] != told(ask(service, RHLV))["conversation"]


def test_what_is_not_to_be_stored_is_gone(service: Service) -> None:
    before = {info.id for info in service.assistant.conversations(LOCAL_USER)}
    first = ask(service, RHLV, store=False)
    assert {info.id for info in service.assistant.conversations(LOCAL_USER)} == before
    second = ask(service, RHLV, {"role": "assistant", "content": text(first)}, RHLV, store=False)
    assert told(second)["conversation"] != told(first)["conversation"]


def test_a_question_in_a_named_conversation_sees_its_files(service: Service) -> None:
    with service.http() as http:
        conversation = http.post("/api/conversations").json()["id"]
        files = {"files": ("film.png", radiograph_png(1), "image/png")}
        assert http.post(f"/api/conversations/{conversation}/files", files=files).json()["problems"] == []
    named = {"consilium": {"conversation": conversation}}
    reply = ask(service, {"role": "user", "content": "Show me the picture."}, extra_body=named)
    assert told(reply)["conversation"] == conversation
    assert [call["name"] for call in told(reply)["calls"]] == ["show_image"]
    with pytest.raises(openai.NotFoundError):
        ask(service, RHLV, extra_body={"consilium": {"conversation": "f" * 32}})


def test_a_file_part_is_taken_in(service: Service) -> None:
    record = (
        b'{"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {"resourceType": "Patient", "id": "p1"}}]}'
    )
    part = {"type": "file", "file": {"filename": "r.json", "file_data": base64.b64encode(record).decode()}}
    reply = ask(service, {"role": "user", "content": [{"type": "text", "text": "What is RHLV?"}, part]})
    assert [item["kind"] for item in _artifacts(service, told(reply)["conversation"])] == ["record"]


PNG = "data:image/png;base64,"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://example.org/x.png", "invalid_image_url"),
        ("data:image/png;base64,@@@", "invalid_base64"),
        (PNG, "empty_file"),
        ("data:image/webp;base64,AAAA", "invalid_image_format"),
        (PNG + base64.b64encode(b"this is no picture").decode(), "unreadable_file"),
        (PNG + base64.b64encode(radiograph_png()[:300]).decode(), "unreadable_file"),
    ],
)
def test_image_data_that_cannot_be_used_is_named(service: Service, url: str, code: str) -> None:
    before = len(service.assistant.conversations(LOCAL_USER))
    parts = [{"type": "text", "text": "Look."}, {"type": "image_url", "image_url": {"url": url}}]
    with pytest.raises(openai.BadRequestError) as caught:
        ask(service, {"role": "user", "content": parts})
    assert caught.value.code == code
    assert len(service.assistant.conversations(LOCAL_USER)) == before, "no empty conversation is left behind"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": "  "}]}, "messages.0.content"),
        ({"messages": [RHLV, {"role": "assistant", "content": "RHLV is"}]}, "messages"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]}, "messages.0.content"),
        ({"n": 2}, "n"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"logprobs": True}, "logprobs"),
        ({"extra_body": {"consilium": {"conversatoin": "x"}}}, "consilium.conversatoin"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_field(service: Service, change: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        service.openai().chat.completions.create(**{"model": "consilium", "messages": [RHLV], **change})
    assert (caught.value.param or "").startswith(param)
    assert caught.value.type == "invalid_request_error"


def test_an_unknown_model_is_not_found(service: Service) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        service.openai().chat.completions.create(model="gpt-4", messages=[RHLV])
    assert caught.value.code == "model_not_found"
