"""What the page needs of the assistant, as protocols: the page is built and tested against these alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from pydantic import JsonValue

from agent.conversations import Feedback, Hit
from agent.events import Event
from agent.library import Library
from core.ports import ArtifactStore
from core.settings import Settings
from core.types import Artifact, Passage, SearchScope, Turn
from tools.base import Tool


class ConversationRow(Protocol):
    """A conversation in the list."""

    @property
    def id(self) -> str: ...  # noqa: D102

    @property
    def title(self) -> str: ...  # noqa: D102

    @property
    def updated(self) -> datetime: ...  # noqa: D102


class ModelState(Protocol):
    """Which model answers, whether it can, and what was seen of it."""

    @property
    def model(self) -> str: ...  # noqa: D102

    @property
    def endpoint(self) -> str: ...  # noqa: D102

    @property
    def reachable(self) -> bool: ...  # noqa: D102

    @property
    def table(self) -> Sequence[Ability]: ...  # noqa: D102

    @property
    def detail(self) -> str: ...  # noqa: D102


class Ability(Protocol):
    """One thing that was tried with a served model."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def works(self) -> bool: ...  # noqa: D102

    @property
    def seen(self) -> str: ...  # noqa: D102


class Sample(Protocol):
    """The sample case once loaded."""

    @property
    def questions(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def note(self) -> str: ...  # noqa: D102


class AttachedFiles(Protocol):
    """What came of attaching files: one message per file that could not be used."""

    @property
    def artifacts(self) -> tuple[Artifact, ...]: ...  # noqa: D102

    @property
    def problems(self) -> tuple[str, ...]: ...  # noqa: D102


class PageAssistant(Protocol):
    """The one object the page talks to.

    Contract: every call checks that the conversation is the owner's; another owner's does not exist (InputError).
    """

    def new_conversation(self, owner: str) -> str:
        """Begin a conversation; its id."""
        ...

    def conversations(self, owner: str) -> Sequence[ConversationRow]:
        """The owner's conversations, newest first."""
        ...

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        ...

    def change_settings(self, changes: Mapping[str, JsonValue]) -> None:
        """Answer with other settings from the next question on, until the process ends."""
        ...

    def tools(self) -> Sequence[Tool]:
        """All tools."""
        ...

    @property
    def library(self) -> Library | None:
        """The collections; None where there are none to show."""
        ...

    def limit_search(self, owner: str, conversation: str, scope: SearchScope) -> None:
        """Where literature may be looked for in a conversation."""
        ...

    def search_scope(self, owner: str, conversation: str) -> SearchScope:
        """The same, as it stands."""
        ...

    def rename(self, owner: str, conversation: str, title: str) -> None:
        """Give a conversation another title."""
        ...

    def search_conversations(self, owner: str, words: str) -> Sequence[Hit]:
        """The owner's conversations in which all the words occur, newest first."""
        ...

    def branch(self, owner: str, conversation: str, keep: int) -> str:
        """A new conversation that goes on from the first `keep` turns; its id."""
        ...

    def give_feedback(self, owner: str, conversation: str, feedback: Feedback) -> None:
        """Note what a person thinks of an answer."""
        ...

    def feedback(self, owner: str, conversation: str) -> Sequence[Feedback]:
        """What was noted on the answers of a conversation."""
        ...

    def delete(self, owner: str, conversation: str) -> None:
        """Delete a conversation and its files."""
        ...

    def turns(self, owner: str, conversation: str) -> tuple[Turn, ...]:
        """The turns so far, oldest first; one that is being answered is there too, with neither answer nor error."""
        ...

    def store(self, owner: str, conversation: str) -> ArtifactStore:
        """The conversation's files."""
        ...

    def attach(self, owner: str, conversation: str, paths: Sequence[Path]) -> AttachedFiles:
        """Take in files; those that cannot be used are told and the others kept."""
        ...

    def load_sample(self, owner: str, conversation: str) -> Sample:
        """Attach the sample case."""
        ...

    def ask(self, owner: str, conversation: str, question: str, cancelled: threading.Event | None = None) -> Iterator[Event]:
        """Answer a question, as a stream of events."""
        ...

    def model_status(self) -> ModelState:
        """Whether the model can be reached."""
        ...

    def original(self, owner: str, conversation: str, passage: Passage) -> Path | None:
        """The file that a passage was read from; None where there is none to show."""
        ...

    def slice_count(self, owner: str, conversation: str, handle: str, plane: str) -> int:
        """How many slices an image has along a plane's normal; 1 for a flat picture."""
        ...

    def draw_slice(
        self,
        owner: str,
        conversation: str,
        handle: str,
        plane: str,
        index: int,
        window: str,
        overlay: str | None,
        opacity: float,
    ) -> bytes:
        """A slice as PNG."""
        ...
