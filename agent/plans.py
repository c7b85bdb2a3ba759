"""What a plan is: calls in order, calls that follow on a result, or a reply that needs none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from core.types import Artifact, ArtifactKind, ToolResult


@dataclass(frozen=True)
class PlannedCall:
    """A tool and its arguments."""

    tool: str
    arguments: dict[str, JsonValue]


@dataclass(frozen=True)
class FollowingCall:
    """A call that waits for the synthetic volume that `after` makes, and gets its handle as `parameter`.

    Where `after` makes none, the call is made without it.
    """

    call: PlannedCall
    after: PlannedCall
    parameter: str


@dataclass(frozen=True)
class Plan:
    """Calls to make in order, or a reply that needs none."""

    calls: tuple[PlannedCall, ...] = ()
    then: tuple[FollowingCall, ...] = ()
    reply: str = ""
    why: str = ""


@dataclass(frozen=True)
class Situation:
    """What a plan is made from: the question, what is attached, and the calls of earlier turns, newest last."""

    question: str
    artifacts: tuple[Artifact, ...] = ()
    earlier: tuple[PlannedCall, ...] = field(default=())

    def kinds(self) -> set[ArtifactKind]:
        """The kinds of what is attached."""
        return {artifact.kind for artifact in self.artifacts}

    def last_image(self) -> str | None:
        """The image of the newest call that had one."""
        for call in reversed(self.earlier):
            if call.arguments.get("image"):
                return str(call.arguments["image"])
        return None

    def last_levels(self) -> list[str]:
        """The levels of the newest call that had any."""
        for call in reversed(self.earlier):
            if levels := call.arguments.get("levels"):
                return [str(level) for level in levels] if isinstance(levels, Sequence) else []
            if level := call.arguments.get("level"):
                return [str(level)]
        return []


def following(plan: Plan, results: Sequence[ToolResult]) -> tuple[PlannedCall, ...]:
    """The calls that are due once the first ones have given these results; none when they were made already."""
    made = {result.provenance.tool for result in results}
    due = [item for item in plan.then if item.call.tool not in made]
    return tuple(
        PlannedCall(item.call.tool, {**item.call.arguments, **_found(item, results)})
        for item in due
        if item.after.tool in made
    )


def _found(item: FollowingCall, results: Sequence[ToolResult]) -> dict[str, JsonValue]:
    image = item.after.arguments.get("image")
    for result in results:
        if result.provenance.tool == item.after.tool and result.provenance.parameters.get("image") == image:
            handles = [artifact.handle for artifact in result.artifacts if artifact.kind == "volume"]
            if handles:
                return {item.parameter: handles[0]}
    return {}
