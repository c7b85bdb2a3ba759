"""What happens during a turn, as typed events in order. The page and the command line render these.

A turn's stream is: positions in the queue while it waits, any number of steps, notices and text deltas, then exactly
one `TurnDone` (which carries the turn as stored, whether answered, failed or cancelled).
"""

from __future__ import annotations

from typing import Literal

from pydantic import JsonValue

from core.types import CallRecord, Frozen, Turn


class Queued(Frozen):
    """All places are taken: the question waits. `position` is 1 for the one that is answered next."""

    kind: Literal["queued"] = "queued"
    position: int


class StepStarted(Frozen):
    """A tool call begins."""

    kind: Literal["step_started"] = "step_started"
    call_id: str
    tool: str
    arguments: dict[str, JsonValue]


class StepProgress(Frozen):
    """A running call reports: fraction in 0..1 and words such as "grading L1"."""

    kind: Literal["step_progress"] = "step_progress"
    call_id: str
    tool: str
    fraction: float
    message: str


class StepFinished(Frozen):
    """A call ended, well or not: see `call.status`."""

    kind: Literal["step_finished"] = "step_finished"
    call: CallRecord


class TextDelta(Frozen):
    """A piece of the model's draft, before its sentences were checked."""

    kind: Literal["text_delta"] = "text_delta"
    text: str


class Notice(Frozen):
    """Something the person should know: an endpoint that is down, a budget that was reached."""

    kind: Literal["notice"] = "notice"
    level: Literal["info", "warning", "error"]
    text: str


class TurnDone(Frozen):
    """The turn as stored. Always the last event."""

    kind: Literal["turn_done"] = "turn_done"
    turn: Turn


Event = Queued | StepStarted | StepProgress | StepFinished | TextDelta | Notice | TurnDone
