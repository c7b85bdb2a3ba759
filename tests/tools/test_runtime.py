from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable

import pytest
from pydantic import JsonValue

from core.errors import FileError, ToolFailed
from core.store import SessionStore
from core.types import CallRecord, NewArtifact
from tests.fakes import ToyParams, ToyTool, sleep_until_cancelled
from tools.base import Accepts, Requirement, ToolContext, ToolSpec
from tools.registry import Registry
from tools.runtime import CallOutcome, CallRequest, ToolRuntime


def call(
    store: SessionStore, tool: ToyTool, arguments: dict[str, JsonValue] | None = None, name: str = "toy"
) -> CallOutcome:
    return ToolRuntime(Registry([tool])).call(CallRequest(name, arguments or {}, "call-1", store))


def failing(error: Exception) -> Callable[[ToyParams, ToolContext], str]:
    def work(params: ToyParams, context: ToolContext) -> str:
        raise error

    return work


def test_a_call_returns_result_record_and_provenance(store: SessionStore) -> None:
    store.add(b"x", NewArtifact(kind="volume", title="CT", media_type="x", modality="CT"), ".nii")
    tool = ToyTool(accepts=(Accepts("target", ("volume",)),))
    outcome = call(store, tool, {"target": "ct1", "times": 2})
    assert outcome.result.status == "done"
    assert outcome.result.provenance.parameters == {"target": "ct1", "times": 2}
    assert outcome.result.provenance.inputs == {"ct1": store.get("ct1").sha256}
    assert outcome.record.arguments == {"target": "ct1", "times": 2}
    assert [timing.part for timing in outcome.result.timings] == ["total"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"times": "many"}, r"toy: times: .*valid integer.*got 'many'.*parameters are: target, times"),
        ({"colour": "red"}, r"colour: Extra inputs are not permitted"),
        ({"target": "ct1"}, r"no 'ct1' in this conversation"),
    ],
)
def test_bad_arguments_are_refused_in_words_the_model_can_use(
    store: SessionStore, arguments: dict[str, JsonValue], message: str
) -> None:
    result = call(store, ToyTool(accepts=(Accepts("target", ("volume",)),)), arguments).result
    assert result.status == "refused"
    assert re.search(message, result.summary), result.summary


def test_an_unknown_tool_is_refused_with_the_names(store: SessionStore) -> None:
    result = call(store, ToyTool(), name="tyo").result
    assert (result.status, result.summary) == ("refused", "There is no tool 'tyo'. The tools are: toy.")


@pytest.mark.parametrize(("error", "status"), [(FileError("broken file"), "refused"), (ToolFailed("no luck"), "failed")])
def test_our_errors_become_results(store: SessionStore, error: Exception, status: str) -> None:
    result = call(store, ToyTool(failing(error))).result
    assert (result.status, result.summary) == (status, str(error))


def test_a_fault_in_a_tool_is_logged_and_told_without_its_text(
    store: SessionStore, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        result = call(store, ToyTool(failing(RuntimeError("Jane Doe")))).result
    assert result.status == "failed"
    assert "Jane" not in result.summary
    assert "failed unexpectedly" in caplog.text


def test_a_missing_requirement_gives_the_command(store: SessionStore) -> None:
    class Needy(ToyTool):
        @property
        def spec(self) -> ToolSpec:
            need = Requirement("The segmenter", "pip install 'consilium[segment]'", lambda: False)
            return ToolSpec(**{**vars(super().spec), "requires": (need,)})

    result = call(store, Needy()).result
    assert result.status == "failed"
    assert "pip install 'consilium[segment]'" in result.summary


def test_a_slow_tool_is_stopped_and_told(store: SessionStore) -> None:
    started = time.perf_counter()
    result = call(store, ToyTool(sleep_until_cancelled, timeout_s=0.2)).result
    assert result.status == "timeout"
    assert "did not finish within 0.2 s" in result.summary
    assert time.perf_counter() - started < 1


def test_a_stop_ends_the_call_and_the_thread(store: SessionStore) -> None:
    cancelled = threading.Event()
    threading.Timer(0.1, cancelled.set).start()
    request = CallRequest("toy", {}, "call-1", store, cancelled=cancelled)
    outcome = ToolRuntime(Registry([ToyTool(sleep_until_cancelled, timeout_s=30)])).call(request)
    assert outcome.result.status == "cancelled"
    for thread in threading.enumerate():
        if thread.name == "tool-toy":
            thread.join(timeout=1)
            assert not thread.is_alive()


def test_a_tools_own_timeout_error_is_not_taken_for_the_limit(store: SessionStore) -> None:
    result = call(store, ToyTool(failing(TimeoutError("inner")))).result
    assert result.status == "failed"


def test_progress_reaches_the_caller(store: SessionStore) -> None:
    def work(params: ToyParams, context: ToolContext) -> str:
        context.progress(0.5, "half")
        return "done"

    seen: list[tuple[float, str]] = []
    request = CallRequest("toy", {}, "c", store, progress=lambda fraction, text: seen.append((fraction, text)))
    ToolRuntime(Registry([ToyTool(work)])).call(request)
    assert seen == [(0.5, "half")]


def test_the_audit_line_has_no_arguments(store: SessionStore, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        call(store, ToyTool(), {"times": 7})
    assert "tool=toy status=done" in caplog.text
    assert "7" not in caplog.text.split("seconds=")[0]


def test_an_audit_sees_every_call(store: SessionStore) -> None:
    records: list[CallRecord] = []
    runtime = ToolRuntime(Registry([ToyTool()]), records.append)
    for name in ("toy", "nope"):
        runtime.call(CallRequest(name, {}, name, store))
    assert [(record.id, record.status) for record in records] == [("toy", "done"), ("nope", "refused")]
