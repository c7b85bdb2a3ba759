"""Our service over a real vLLM server, used with the `openai` package: streaming, pictures, a client that leaves."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from core.settings import load_settings
from tests.ui.service.conftest import Service, radiograph_png, serving
from tests.vllm.conftest import Server
from tests.vllm.test_real_server import idle

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600)]
HELLO: Any = [{"role": "user", "content": "Tell me everything about vertebrae."}]


def over(live: Server, home: Path, **more: Any) -> Any:
    settings = {"planner": "native", "answer_tokens": 256, "endpoint_timeout_s": 300.0, "requests_per_minute": 0, **more}
    return serving(load_settings(model=f"{live.url}/v1", home=home, **settings))


def test_text_streams_in_many_pieces_and_the_tokens_are_the_servers(live: Server, tmp_path: Path) -> None:
    with over(live, tmp_path) as service:
        stream = service.openai().chat.completions.create(
            model="consilium", messages=HELLO, stream=True, stream_options={"include_usage": True}, timeout=300
        )
        chunks = list(stream)
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    usage = chunks[-1].usage
    assert usage is not None
    print(f"{len(pieces)} pieces, {usage.completion_tokens} tokens written, {usage.prompt_tokens} read")
    assert len(pieces) > 5
    assert usage.completion_tokens > 5


def prompt_tokens(service: Service, content: object) -> int:
    messages: Any = [{"role": "user", "content": content}]
    reply = service.openai().chat.completions.create(model="consilium", messages=messages, timeout=300)
    assert isinstance(reply, ChatCompletion)
    assert reply.usage is not None
    return reply.usage.prompt_tokens


def test_a_picture_sent_to_the_service_reaches_the_model(live: Server, tmp_path: Path) -> None:
    url = f"data:image/png;base64,{base64.b64encode(radiograph_png()).decode()}"
    words = {"type": "text", "text": "What is this?"}
    with over(live, tmp_path, answer_tokens=32) as service:
        without = prompt_tokens(service, [words])
        with_it = prompt_tokens(service, [words, {"type": "image_url", "image_url": {"url": url}}])
    print(f"images received: 1; prompt tokens without it {without}, with it {with_it}")
    assert with_it - without > 20


def test_a_client_that_leaves_stops_the_servers_work(live: Server, endless: None, tmp_path: Path) -> None:
    with over(live, tmp_path, answer_tokens=6000) as service:
        stream = service.openai().chat.completions.create(model="consilium", messages=HELLO, stream=True, timeout=300)
        for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                break
        assert live.requests_running() > 0
        stream.close()
        assert idle(live, 20), "the server still writes for a client that has left"
