"""The overview of a record: active conditions, current medicines, allergies, and the newest of the usual values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tools.ehr import concepts
from tools.ehr.query import Reply, moment, not_documented, pick
from tools.ehr.record import Category, Code, Entry
from tools.ehr.statements import is_no_allergy, statement

KEY_VALUES = (
    "blood pressure",
    "BMI",
    "creatinine",
    "eGFR",
    "haemoglobin",
    "HbA1c",
    "bone density",
    "vitamin D",
    "smoking",
)
_SHOWN = 12


def overview(facts: Sequence[Entry]) -> Reply:
    """What stands in the record now. Where it is silent on conditions, medicines or allergies, that is said."""
    conditions = _now(facts, "condition")
    medicines = _now(facts, "medication")
    allergies = [entry for entry in facts if entry.category == "allergy" and entry.state not in ("past", "refuted")]
    values = list(_values(facts))
    said = [
        _list("Active conditions", conditions) or not_documented(facts, "active conditions").summary,
        _list("Current medicines", medicines) or not_documented(facts, "current medicines").summary,
        _allergies(allergies) or not_documented(facts, "allergies").summary,
    ]
    if values:
        said.extend(statement(entry) for entry in values)
    return Reply(" ".join(said), (*conditions, *medicines, *allergies, *values))


def _now(facts: Sequence[Entry], category: Category) -> list[Entry]:
    return [entry for entry in reversed(facts) if entry.category == category and entry.state == "current"]


def _list(heading: str, entries: Sequence[Entry]) -> str:
    names = list(dict.fromkeys(entry.text for entry in entries))
    if not names:
        return ""
    more = "; and others" if len(names) > _SHOWN else ""
    return f"{heading} in the record: {'; '.join(names[:_SHOWN])}{more}."


def _allergies(entries: Sequence[Entry]) -> str:
    if entries and all(is_no_allergy(entry) for entry in entries):
        return f"On allergies the record states: {'; '.join(dict.fromkeys(entry.text for entry in entries))}."
    return _list("Allergies", [entry for entry in entries if not is_no_allergy(entry)])


def _values(facts: Sequence[Entry]) -> Iterable[Entry]:
    """The newest of each key value; bone density at each site."""
    named: dict[tuple[str, tuple[Code, ...]], list[Entry]] = {}
    for entry in facts:
        if entry.category == "observation":
            named.setdefault((entry.text, concepts.all_codes(entry)), []).append(entry)
    for concept in (item for name in KEY_VALUES for item in concepts.understand(name).concepts):
        own = [group for group in named.values() if concepts.is_a(group[0], concept)]
        together = [sorted((entry for group in own for entry in group), key=moment)]
        for group in own if concept.each else together:
            yield from pick(group, "latest")
