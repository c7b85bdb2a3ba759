"""The tool contract: a typed object with a specification and `run(params, context) -> ToolResult`.

A tool's dependencies (a retriever, weights) are constructor arguments. What belongs to one call comes in its
`ToolContext`. A tool raises `core.errors`; the runtime turns them into results.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from core.errors import ToolCancelled
from core.ports import ArtifactStore
from core.types import ArtifactKind, SearchScope, ToolResult

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Accepts:
    """What the artifact named by a parameter must be. Empty means: anything.

    `min_shape` is the least number of voxels or pixels along each axis.
    """

    parameter: str
    kinds: tuple[ArtifactKind, ...]
    modalities: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()
    min_shape: tuple[int, ...] = ()
    allow_synthetic: bool = False
    described_as: str = "an artifact"


@dataclass(frozen=True)
class Requirement:
    """An extra or weights that a tool needs, and the exact command that provides it."""

    what: str
    command: str
    present: Callable[[], bool]


@dataclass(frozen=True)
class Card:
    """Model card: shown with every output."""

    method: str
    trained_on: str
    performance: str
    intended_use: str
    known_failures: tuple[str, ...]


@dataclass(frozen=True)
class ToolSpec:
    """Everything the agent, the gate and a person need to know of a tool.

    `examples` are a dozen ways people ask for it: the manual of the language model and the routing set of the
    embedded one. `effect` is "read" when the call changes nothing outside the session.
    """

    name: str
    version: str
    description: str
    params: type[BaseModel]
    examples: tuple[str, ...]
    card: Card
    accepts: tuple[Accepts, ...] = ()
    effect: Literal["read", "write", "send"] = "read"
    timeout_s: float = 60.0
    requires: tuple[Requirement, ...] = ()


def _no_progress(fraction: float, message: str) -> None:
    return None


@dataclass(frozen=True)
class ToolContext:
    """What belongs to one call: its id, the session's files, progress, cancellation."""

    store: ArtifactStore
    call_id: str = ""
    progress: Progress = _no_progress
    cancelled: threading.Event = field(default_factory=threading.Event)
    scope: SearchScope = field(default_factory=SearchScope)

    def check(self) -> None:
        """Raise `ToolCancelled` once the call was stopped or timed out; long loops call this."""
        if self.cancelled.is_set():
            raise ToolCancelled("Stopped.")


class Tool(Protocol):
    """A thing the agent can do.

    Contract:
      * `spec` never changes.
      * `run` takes an instance of `spec.params`, touches no file outside `context.store`, opens no network
        connection, and returns evidence with empty ids.
      * every number in `summary` and in an evidence statement is in the evidence itself.
    """

    @property
    def spec(self) -> ToolSpec:
        """The tool's specification."""
        ...

    # The registry holds tools of different parameter types; the runtime validates before it calls.
    def run(self, params: Any, context: ToolContext) -> ToolResult:
        """Do the work."""
        ...
