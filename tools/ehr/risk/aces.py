"""Task files of ACES: predicates on events, a trigger, windows with constraints, a label and an index time.

Xu et al., "ACES: Automatic Cohort Extraction System for Event-Stream Datasets", ICLR 2025; the format is that of es-aces 0.7
(https://eventstreamaces.readthedocs.io). Codes are compared as they stand in the set, before ours replace any.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from core.errors import FileError

ANY, FIRST, LAST = "_ANY_EVENT", "_RECORD_START", "_RECORD_END"
BUILT_IN = (ANY, FIRST, LAST)
_DURATION = re.compile(
    r"(\d+(?:\.\d+)?)\s*(weeks?|w|days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)\b", re.IGNORECASE
)
_SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}


class Predicate(BaseModel):
    """Plain: a code (text, {regex: ...} or {any: [...]}) and bounds of the value. Derived: `or(...)` or `and(...)`."""

    model_config = ConfigDict(extra="forbid")

    code: str | dict[str, str | list[str]] | None = None
    value_min: float | None = None
    value_max: float | None = None
    value_min_inclusive: bool | None = None
    value_max_inclusive: bool | None = None
    expr: str | None = None
    static: bool = False

    def parts(self) -> tuple[str, tuple[str, ...]]:
        """("or" or "and", names) of a derived predicate.

        Raises:
            ValueError: it is neither.
        """
        match = re.fullmatch(r"\s*(or|and)\((.+)\)\s*", self.expr or "", re.DOTALL)
        if match is None:
            raise ValueError(f"an expression is or(a, b, ...) or and(a, b, ...), got {self.expr!r}")
        return match.group(1), tuple(name.strip() for name in match.group(2).split(","))


class Window(BaseModel):
    """From `start` to `end`: null (the record's end), a moment (+ or - a time), or `start -> event`, `end <- event`."""

    model_config = ConfigDict(extra="forbid")

    start: str | None
    end: str | None
    start_inclusive: bool
    end_inclusive: bool
    has: dict[str, tuple[int | None, int | None]] = {}
    label: str | None = None
    index_timestamp: str | None = None

    @field_validator("has", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        """YAML has no tuples: "(1, None)" is text."""
        return {name: _pair(bounds) for name, bounds in value.items()} if isinstance(value, dict) else value


class AcesTask(BaseModel):
    """A whole task file; other keys (description, metadata) are kept as they are and not read."""

    model_config = ConfigDict(extra="allow")

    predicates: dict[str, Predicate]
    trigger: str
    windows: dict[str, Window]


def _pair(bounds: object) -> object:
    if not isinstance(bounds, str):
        return bounds
    inner = [part.strip() for part in bounds.strip().strip("()[]").split(",")]
    return [None if part.lower() in ("none", "null", "") else int(part) for part in inner]


def duration(text: str) -> int:
    """Seconds of "24h", "7 days", "1 day 2 hours".

    Raises:
        ValueError: it is none.
    """
    found = _DURATION.findall(text)
    if not found or _DURATION.sub("", text).strip(" ,"):
        raise ValueError(f"{text!r} is not a time such as 24h or 7 days")
    return round(sum(float(number) * _SECONDS[unit[0].lower()] for number, unit in found))


def is_aces(path: Path) -> bool:
    """Whether the YAML file is a task of ACES rather than one of ours."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return False
    return isinstance(found, dict) and {"trigger", "windows"} <= set(found)


def load_aces(path: Path, predicates: Path | None = None) -> AcesTask:
    """Read a task; what it leaves open (`name: ???`) must be in the predicates file of the set.

    Raises:
        FileError: it is not YAML, a field is wrong, or a name is used that nothing defines.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        own = yaml.safe_load(predicates.read_text(encoding="utf-8")) if predicates else {}
        if not isinstance(found, dict) or not isinstance(own, dict):
            raise FileError(f"{path.name} is not a task of ACES: it needs predicates, trigger and windows.")
        found["predicates"] = _merged(found, own)
        demographics = found.pop("patient_demographics", None) or {}
        found["predicates"] |= {name: {**rule, "static": True} for name, rule in demographics.items()}
        task = AcesTask.model_validate(found)
        check(task)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError, ValueError, TypeError, AttributeError) as error:
        raise FileError(f"{path.name} is not a task of ACES: {str(error)[:300]}") from error
    return task


def _merged(task: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """The task's predicates with the set's in their place, as es-aces does; none may stay open."""
    found = {**(task.get("predicates") or {}), **(own.get("predicates") or {})}
    missing = [name for name, rule in found.items() if rule == "???" or (isinstance(rule, dict) and "???" in rule.values())]
    if missing:
        raise ValueError(f"the predicates {', '.join(missing)} are left open (???), and no predicates file defines them")
    return found


def check(task: AcesTask) -> None:
    """Every name that is used is defined.

    Raises:
        ValueError: one is not, or there are two labels or two index times.
    """
    known = {*task.predicates, *BUILT_IN}
    used = {task.trigger}
    for rule in task.predicates.values():
        if rule.expr is not None:
            used |= set(rule.parts()[1])
        elif rule.code is None:
            raise ValueError("a predicate needs a code or an expr")
        elif isinstance(rule.code, dict) and set(rule.code) not in ({"regex"}, {"any"}):
            raise ValueError(f"a code is text, {{regex: ...}} or {{any: [...]}}, got {rule.code}")
    for window in task.windows.values():
        used |= set(window.has) | ({window.label} if window.label else set())
    if used - known:
        raise ValueError(f"undefined predicates: {', '.join(sorted(used - known))}; defined are {', '.join(sorted(known))}")
    for field in ("label", "index_timestamp"):
        if sum(getattr(window, field) is not None for window in task.windows.values()) > 1:
            raise ValueError(f"only one window may have {field}")
