from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx
import openai
import pytest

from agent.models.stream import StreamedCompletions


def chunk(text: str = "", **more: object) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None, **more}
    return f"data: {json.dumps({'choices': [choice]})}\n\n".encode()


def read_whole(line: socket.socket) -> None:
    """A request with its body."""
    got = b""
    while b"\r\n\r\n" not in got:
        got += line.recv(65536)
    head, _, body = got.partition(b"\r\n\r\n")
    length = next(
        (int(field.split(b":")[1]) for field in head.split(b"\r\n") if field.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        body += line.recv(65536)


@contextmanager
def endpoint(pieces: Sequence[bytes | float], status: str = "200 OK", kind: str = "text/event-stream") -> Iterator[str]:
    """Answers one request: bytes are sent as they are, numbers are pauses in seconds."""
    listening = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        line, _ = listening.accept()
        with line:
            read_whole(line)  # what is left unread when it closes would reset the connection
            line.sendall(f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n".encode())
            for piece in pieces:
                if isinstance(piece, float):
                    time.sleep(piece)
                else:
                    line.sendall(piece)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    finally:
        thread.join(10)
        listening.close()


def texts(pieces: Sequence[bytes | float], **more: str) -> list[str]:
    with (
        endpoint(pieces, **more) as url,
        httpx.Client() as http,
        StreamedCompletions(None, http, url, "none").create(model="m", stream=True) as chunks,
    ):
        return [item["choices"][0]["delta"].get("content") or "" for item in chunks]


def test_words_that_come_together_become_one_piece_and_none_is_lost() -> None:
    words = [f"w{number} " for number in range(50)]
    pieces = texts([b"".join(map(chunk, words)), b"data: [DONE]\n\n"])
    assert "".join(pieces) == "".join(words)
    assert len(pieces) < 5


def test_words_far_apart_do_not_wait_for_each_other() -> None:
    assert texts([chunk("a"), 0.2, chunk("b"), 0.2, chunk("c"), b"data: [DONE]\n\n"]) == ["a", "b", "c"]


def test_events_cut_anywhere_are_put_together() -> None:
    whole = chunk("hello ") + chunk("there") + chunk("", finish_reason="stop") + b"data: [DONE]\n\n"
    assert "".join(texts([whole[:7], 0.05, whole[7:60], 0.05, whole[60:]])) == "hello there"


def test_what_is_no_plain_text_is_kept_apart() -> None:
    call = b'data: {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0}]}, "finish_reason": null}]}\n\n'
    assert texts([chunk("a") + chunk("b") + call + chunk("c")]) == ["ab", "", "c"]


@pytest.mark.parametrize(
    ("pieces", "more", "error"),
    [
        ([b"slow down"], {"status": "429 Too Many"}, openai.RateLimitError),
        ([b"no pictures"], {"status": "400 Bad"}, openai.BadRequestError),
        ([b"boom"], {"status": "500 Fault"}, openai.APIStatusError),
        ([b"<html>"], {"kind": "text/html"}, ValueError),
        ([b"data: {broken\n\n"], {}, ValueError),
        ([b'data: {"error": {"message": "away"}}\n\n'], {}, openai.APIError),
    ],
)
def test_faults_are_the_client_librarys(pieces: list[bytes | float], more: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        texts(pieces, **more)
