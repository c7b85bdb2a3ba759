from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, cast

import pytest

from agent import responder as module
from agent.models.lines import Lines
from agent.ready_model import ReadyModel
from agent.responder import Responder

SERVED = ReadyModel(chat=cast(Any, None), name="m", endpoint="http://here/v1")


@pytest.fixture
def responder(tmp_path: Path) -> Responder:
    nothing = cast(Any, None)
    return Responder(nothing, nothing, nothing, nothing, tmp_path)


def test_a_turn_starts_when_the_one_before_it_has_sent_its_request(
    responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_START_S", 30.0)
    first, started = Lines(), threading.Event()

    def second() -> None:
        with responder._start(SERVED, Lines()):
            started.set()

    with responder._start(SERVED, first):
        waiting = threading.Thread(target=second)
        waiting.start()
        assert not started.wait(0.05)
        first.sent()
        assert started.wait(10)
        first.sent()  # later requests of a turn change nothing
    waiting.join(10)
    with responder._start(SERVED, Lines()):  # a turn that ends without a request lets go too
        pass
    assert responder._starting.acquire(blocking=False)
    assert not responder._starting.acquire(blocking=False)


def test_a_slow_start_does_not_hold_up_the_others_and_the_embedded_model_never_waits(
    responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_START_S", 0.01)
    reached: list[str] = []
    with responder._start(SERVED, Lines()):
        with responder._start(SERVED, Lines()):
            reached.append("served")
        monkeypatch.setattr(module, "_START_S", 30.0)
        with responder._start(ReadyModel(chat=cast(Any, None), name="embedded"), Lines()):
            reached.append("embedded")
    assert reached == ["served", "embedded"]
