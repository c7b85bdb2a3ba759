"""A health record in memory: entries as they stand in the source, with their times, codes and status.

An `Entry` keeps more than a `core.types.RecordEvent` (end times, all codes, components, qualifiers); the sentence
that states it is built only when asked for, by `tools.ehr.statements`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

Category = Literal[
    "condition",
    "medication",
    "allergy",
    "observation",
    "procedure",
    "encounter",
    "immunization",
    "report",
    "imaging",
    "plan",
    "order",
    "family history",
    "device",
    "document",
]
State = Literal["current", "past", "recorded", "refuted", "unconfirmed", "not done", "planned", "error", "unknown"]


@dataclass(frozen=True, slots=True)
class When:
    """A moment as precisely as the source gives it.

    `time` is aware and is the beginning of what is known (a date: midnight UTC; a year: 1 January). `text` shows
    only the precision given: "2024", "2024-03", "2024-03-02" or "2024-03-02 14:30 UTC+02:00".
    """

    time: datetime | None = None
    text: str = ""

    @property
    def day(self) -> str:
        """The date without the time of day, as precise as given."""
        return self.text[:10]

    def __bool__(self) -> bool:
        return self.time is not None


UNDATED = When()


@dataclass(frozen=True, slots=True)
class Code:
    """A code with its system, as written in the source."""

    system: str
    code: str
    display: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One component of an observation, for example the systolic pressure."""

    text: str
    codes: tuple[Code, ...]
    value: float | str | None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the record.

    `status` is the source's own word; `state` groups such words. `details` are qualifiers in the order in which
    they are said: ("dose", "70 mg weekly"), ("reason", "..."), ("range", "0.5 to 1.1 mg/dL").
    """

    category: Category
    source: str
    patient: str
    text: str
    codes: tuple[Code, ...] = ()
    start: When = UNDATED
    end: When = UNDATED
    status: str = ""
    value: float | str | None = None
    unit: str = ""
    parts: tuple[Part, ...] = ()
    details: tuple[tuple[str, str], ...] = ()

    def detail(self, label: str) -> str:
        """The qualifier of that label, or an empty string."""
        return next((text for name, text in self.details if name == label), "")

    @property
    def state(self) -> State:
        """What the status means for a reader: current, past, refuted, error, ..."""
        return _STATES.get((self.category, self.status)) or _ANY_STATE.get(self.status) or _default(self)

    @property
    def is_fact(self) -> bool:
        """False for what was entered in error: it is never shown as part of the history."""
        return self.state != "error"


_ANY_STATE: dict[str, State] = {
    "entered-in-error": "error",
    "refuted": "refuted",
    "unconfirmed": "unconfirmed",
    "provisional": "unconfirmed",
    "differential": "unconfirmed",
    "not-done": "not done",
    "not-taken": "not done",
    "cancelled": "not done",
    "draft": "planned",
    "proposed": "planned",
    "planned": "planned",
    "intended": "planned",
    "preparation": "planned",
    "active": "current",
    "in-progress": "current",
    "on-hold": "current",
    "recurrence": "current",
    "relapse": "current",
    "inactive": "past",
    "remission": "past",
    "resolved": "past",
    "stopped": "past",
    "completed": "past",
    "ended": "past",
    "revoked": "past",
    "finished": "past",
    "unknown": "unknown",
}
_STATES: dict[tuple[Category, str], State] = {
    ("immunization", "completed"): "recorded",
    ("procedure", "completed"): "recorded",
    ("encounter", "finished"): "recorded",
    ("family history", "completed"): "recorded",
    ("order", "completed"): "recorded",
}


def _default(entry: Entry) -> State:
    return "unknown" if entry.category in ("condition", "medication") else "recorded"


@dataclass(frozen=True, slots=True)
class Patient:
    """Who the record is about, without a name.

    `handle` is p1, p2, ... in the order of the source. `sex` and `born` are empty when not recorded.
    """

    handle: str
    id: str
    sex: str = ""
    born: When = UNDATED
    deceased: bool = False
    died: When = UNDATED

    @property
    def described(self) -> str:
        """For example "p1 (female, born 1950)"; never a name."""
        facts = [self.sex] if self.sex else []
        if self.born:
            facts.append(f"born {self.born.text[:4]}")
        return f"{self.handle} ({', '.join(facts)})" if facts else self.handle


@dataclass(frozen=True)
class Record:
    """A whole record: patients, entries sorted by time (undated last), and what was not read.

    `unread` counts resources by type that carry nothing we show; `warnings` says what was odd in the source.
    """

    patients: tuple[Patient, ...]
    entries: tuple[Entry, ...]
    unread: dict[str, int] = field(default_factory=dict)
    read: dict[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


_LAST = datetime.max.replace(tzinfo=UTC)


def by_time(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Entries from old to new; what has no date comes last. Ties keep a fixed order, by source."""
    return tuple(sorted(entries, key=lambda entry: (entry.start.time or _LAST, entry.source)))
