"""What the assistant tells of itself and of files it was given."""

from __future__ import annotations

from agent.models.preflight import Check
from core.types import Artifact, Frozen


class ModelStatus(Frozen):
    """What drives the agent now."""

    model: str
    endpoint: str
    reachable: bool
    detail: str
    table: tuple[Check, ...] = ()


class SampleCase(Frozen):
    """The sample as attached, and what to ask of it."""

    artifacts: tuple[Artifact, ...]
    questions: tuple[str, ...]
    note: str


class Attached(Frozen):
    """Files taken in, and one message for each that could not be."""

    artifacts: tuple[Artifact, ...]
    problems: tuple[str, ...]
