"""A short question that changes one thing of the last one: another level, another image, another view, or "why?"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import JsonValue

from agent import slots
from agent.film_plans import again
from agent.plans import Plan, PlannedCall, Situation
from agent.routing import cued
from core.types import Artifact

MAX_VOLUMES = 3
"""Volumes that one question grades at most."""
_FOLLOW_UP = re.compile(
    r"^\W*(and|what about|how about|now|also|same|no\b|not|instead|i meant|actually|sorry|rather|ok(ay)?,? (and|now)|then)\b|"
    r"\b(instead|that one|this one|the same|it again|there)\W*$|^\W*why\b.{0,40}$",
    re.IGNORECASE,
)
WHY_GRADE = re.compile(
    r"^\W*(and |but |so )?(why|how come)\b|\bexplain\b.*\bgrad|\bwhich neighbou?rs\b|\bwhat\b.{0,30}\bgrade\b.{0,20}\b(rest|based?)\b",
    re.IGNORECASE,
)


def follow_up(situation: Situation) -> Plan | None:
    """A short question that changes one thing of the last one; None when it stands by itself."""
    question = situation.question
    if not situation.earlier or len(question.split()) > 9:
        return None
    levels, plane = slots.levels(question), slots.plane(question)
    window, number = slots.window(question), slots.slice_number(question)
    named = slots.named(question, situation.artifacts)
    view = bool(plane or window or number is not None)
    last = situation.earlier[-1]
    if _asks_why(question, last):
        return _regrade(situation, {**last.arguments, "explain": True}, levels or situation.last_levels(), named)
    if filmed := again(question, last, situation):
        return filmed
    if not _changes_last(question, last.tool, names=bool(levels or named), view=view):
        return None
    tool = "show_image" if view else last.tool
    if tool not in ("grade_fractures", "show_image"):
        return None
    before = next((call for call in reversed(situation.earlier) if call.tool == tool), last)
    arguments: dict[str, JsonValue] = {"image": situation.last_image()}
    if before.tool == tool:
        arguments = dict(before.arguments)
    if tool == "grade_fractures":
        return _regrade(situation, arguments, levels, named)
    return _view_again(arguments, (("plane", plane), ("window", window), ("slice", number)), levels, named)


def _view_again(
    arguments: dict[str, JsonValue], views: Sequence[tuple[str, str | int | None]], levels: list[str], named: list[Artifact]
) -> Plan | None:
    """The last picture again, with what the question changes."""
    changed = {name: value for name, value in views if value is not None}
    arguments.update(changed)
    if levels:
        arguments["level"] = levels[0]
        arguments.pop("slice", None)
    if "slice" in changed:
        arguments["slice"] = changed["slice"]
        arguments.pop("level", None)
    if named:
        arguments["image"] = named[0].handle
        arguments.pop("overlay", None)
    return Plan(calls=(PlannedCall("show_image", arguments),)) if arguments.get("image") is not None else None


def _asks_why(question: str, last: PlannedCall) -> bool:
    """Whether a short question wants the reasons of the last grading."""
    return last.tool == "grade_fractures" and bool(WHY_GRADE.search(question)) and not cued("search_literature", question)


def _changes_last(question: str, last_tool: str, *, names: bool, view: bool) -> bool:
    """Whether a short question only changes a level, an image or a view of the last one."""
    if not _FOLLOW_UP.search(question) or not (names or view):
        return False
    of_its_own = any(cued(tool, question) for tool in ("search_literature", "read_record", "show_image"))
    return not of_its_own or (last_tool == "show_image" and view)


def _regrade(situation: Situation, arguments: dict[str, JsonValue], levels: list[str], named: list[Artifact]) -> Plan:
    """The last grading again, on another level or another image."""
    images = list(
        dict.fromkeys(
            str(call.arguments["image"])
            for call in situation.earlier[-MAX_VOLUMES:]
            if call.tool == "grade_fractures" and call.arguments.get("image")
        )
    )
    if named:
        images = [artifact.handle for artifact in named if artifact.kind == "volume"] or images
    base = {name: value for name, value in arguments.items() if name not in ("image", "levels", "explain")}
    wanted: dict[str, JsonValue] = {"levels": list(levels)} if levels else {}
    if arguments.get("explain") and WHY_GRADE.search(situation.question):
        wanted["explain"] = True
    if not images:
        return Plan(calls=(PlannedCall("grade_fractures", {**base, **wanted}),))
    return Plan(calls=tuple(PlannedCall("grade_fractures", {"image": image, **wanted}) for image in images))
