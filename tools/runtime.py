"""Around every tool call: look-up, argument check, gate, time limit and cancel, error to result, audit, provenance.

A call never raises and never ends the conversation: whatever happens comes back as a `ToolResult` whose status
and summary say what to do about it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import BaseModel, JsonValue, ValidationError

from core.errors import (
    CallError,
    ConsiliumError,
    GateRefusal,
    InputError,
    MissingRequirement,
    ToolCancelled,
    ToolTimeout,
)
from core.types import CallRecord, CallStatus, SearchScope, Timing, ToolProvenance, ToolResult
from tools.base import ToolContext
from tools.gate import check_artifacts

if TYPE_CHECKING:
    from core.ports import ArtifactStore
    from tools.base import Progress, Tool
    from tools.registry import Registry

_log = logging.getLogger(__name__)

Audit = Callable[[CallRecord], None]


def log_call(record: CallRecord) -> None:
    """Audit line: tool, status, seconds; never arguments, which may hold words of a patient."""
    _log.info("tool=%s status=%s seconds=%.3f call=%s", record.name, record.status, record.seconds, record.id)


@dataclass(frozen=True)
class CallRequest:
    """One call as the model made it."""

    name: str
    arguments: Mapping[str, JsonValue]
    call_id: str
    store: ArtifactStore
    progress: Progress = lambda fraction, message: None
    cancelled: threading.Event = field(default_factory=threading.Event)
    scope: SearchScope = field(default_factory=SearchScope)


@dataclass(frozen=True)
class CallOutcome:
    """What came of it: the result for the model, the record for Steps and the audit log."""

    result: ToolResult
    record: CallRecord


class ToolRuntime:
    """Runs calls against a registry."""

    def __init__(self, registry: Registry, audit: Audit = log_call) -> None:
        self.registry = registry
        self._audit = audit

    def call(self, request: CallRequest) -> CallOutcome:
        """Run one call to its end."""
        started = time.perf_counter()
        try:
            result = self._run(request)
        except ConsiliumError as error:
            result = self._as_result(request, _status(error), str(error))
        except Exception:  # a fault of one tool must not end the turn; it is logged whole and told as a fault
            _log.exception("tool=%s failed unexpectedly", request.name)
            result = self._as_result(
                request,
                "failed",
                f"{request.name} failed because of a fault in the tool itself; see the log.",
            )
        seconds = time.perf_counter() - started
        result = result.model_copy(update={"timings": (*result.timings, Timing(part="total", seconds=seconds))})
        record = CallRecord(
            id=request.call_id,
            name=request.name,
            arguments=dict(request.arguments),
            status=result.status,
            seconds=round(seconds, 3),
            summary=result.summary,
            warnings=result.warnings,
        )
        self._audit(record)
        return CallOutcome(result, record)

    def _run(self, request: CallRequest) -> ToolResult:
        tool = self.registry.get(request.name)
        params = _validate(tool, request.arguments)
        for need in tool.spec.requires:
            if not need.present():
                raise MissingRequirement(need.what, need.command)
        inputs = check_artifacts(tool.spec, params, request.store)
        result = _run_within(tool, params, request)
        provenance = result.provenance.model_copy(
            update={
                "tool": tool.spec.name,
                "version": tool.spec.version,
                "parameters": params.model_dump(mode="json"),
                "inputs": {**inputs, **result.provenance.inputs},
            }
        )
        return result.model_copy(update={"provenance": provenance})

    def _as_result(self, request: CallRequest, status: CallStatus, text: str) -> ToolResult:
        known = request.name in self.registry.names()
        version = self.registry.get(request.name).spec.version if known else ""
        provenance = ToolProvenance(tool=request.name, version=version, parameters=dict(request.arguments))
        return ToolResult(status=status, summary=text, provenance=provenance)


def _validate(tool: Tool, arguments: Mapping[str, JsonValue]) -> BaseModel:
    try:
        return tool.spec.params.model_validate(dict(arguments))
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'arguments'}: {item['msg']} (got {item['input']!r})"
            for item in error.errors(include_url=False)
        )
        allowed = ", ".join(tool.spec.params.model_fields)
        raise CallError(f"{tool.spec.name}: {faults}. Its parameters are: {allowed}.") from error


def _run_within(tool: Tool, params: BaseModel, request: CallRequest) -> ToolResult:
    """Run in a thread of its own, so that a time limit or a stop gives the turn back at once.

    The thread is told through `context.cancelled` and ends at its next `context.check()`.
    """
    stop = threading.Event()
    context = ToolContext(request.store, request.call_id, request.progress, stop, request.scope)
    future: Future[ToolResult] = Future()
    threading.Thread(
        target=_fulfil, args=(future, tool, params, context), name=f"tool-{tool.spec.name}", daemon=True
    ).start()
    deadline = time.monotonic() + tool.spec.timeout_s
    try:
        return _wait(future, deadline, request.cancelled, tool)
    finally:
        stop.set()


def _fulfil(future: Future[ToolResult], tool: Tool, params: BaseModel, context: ToolContext) -> None:
    try:
        future.set_result(tool.run(params, context))
    except BaseException as error:  # handed to the waiting thread, which decides
        future.set_exception(error)


def _wait(future: Future[ToolResult], deadline: float, cancelled: threading.Event, tool: Tool) -> ToolResult:
    while True:
        if cancelled.is_set():
            raise ToolCancelled(f"{tool.spec.name} was stopped.")
        left = deadline - time.monotonic()
        if left <= 0:
            raise ToolTimeout(f"{tool.spec.name} did not finish within {tool.spec.timeout_s:g} s and was stopped.")
        try:
            return future.result(timeout=min(left, 0.05))
        except TimeoutError:
            if future.done():
                raise


def _status(error: ConsiliumError) -> CallStatus:
    if isinstance(error, ToolTimeout):
        return "timeout"
    if isinstance(error, ToolCancelled):
        return "cancelled"
    if isinstance(error, (GateRefusal, CallError, InputError)):
        return "refused"
    return "failed"
