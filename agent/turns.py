"""A question as it is asked, and the handle on the turn that answers it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from agent.models.lines import Lines
from core.types import Frozen


class Said(Frozen):
    """Something that was said before, as a client tells it."""

    role: Literal["user", "assistant"]
    text: str


class Asked(Frozen):
    """A question. `history` is told to the model once, in a conversation that has no memory of its own yet.

    `instructions` are a client's own words on how to answer: they stand below ours, for this turn only.
    `position`: how many turns the conversation must have; with any other number the question is refused.
    """

    question: str
    history: tuple[Said, ...] = ()
    instructions: str = ""
    position: int | None = None

    def earlier_messages(self) -> list[BaseMessage]:
        """The history in the model's words."""
        return [HumanMessage(item.text) if item.role == "user" else AIMessage(item.text) for item in self.history]


class RunningTurn:
    """A turn that is being answered in a thread of its own."""

    def __init__(self, turn_id: str, cancelled: threading.Event) -> None:
        self.turn_id = turn_id
        self.cancelled = cancelled
        self.lines = Lines()
        self._worker: threading.Thread | None = None

    def begin(self, work: Callable[[], None]) -> None:
        """Start the thread."""
        self._worker = threading.Thread(target=work, daemon=True, name="turn")
        self._worker.start()

    def stop(self) -> None:
        """Stop: calls end at their next check, and the endpoint sees its client leave. Safe to call again."""
        self.cancelled.set()
        self.lines.cut()

    def join(self) -> None:
        """Wait for the end."""
        if self._worker is not None:
            self._worker.join()
