"""The sentence that states an entry, to be quoted as it stands: its own words, dates and values, and its source.

Nothing is concluded here. What is refuted, in doubt, planned, not done, or about a relative is said as such.
"""

from __future__ import annotations

from collections.abc import Callable

from core.types import RecordEvent
from tools.ehr.fhir_fields import show
from tools.ehr.record import Entry, Patient, When
from tools.ehr.times import age_on

_REFUTED = "was considered and refuted: the record says that the patient does not have it"


def statement(entry: Entry) -> str:
    """One sentence; it ends with the source in brackets."""
    if entry.state == "error":
        said = f"{entry.text} was entered in error and is not a fact about the patient"
    else:
        said = _BY_CATEGORY[entry.category](entry)
    return f"{said} ({entry.source})."


def as_event(entry: Entry, record: str = "") -> RecordEvent:
    """The entry as evidence. `record` is the handle of the record."""
    code = next((code for code in entry.codes if code.system), entry.codes[0] if entry.codes else None)
    return RecordEvent(
        time=entry.start.time,
        code=code.code if code else "",
        system=code.system if code else "",
        text=entry.text,
        value=entry.value,
        unit=entry.unit,
        category=entry.category,
        status=entry.status,
        record=record,
        source=entry.source,
        statement=statement(entry),
    )


def patient_event(patient: Patient, last: When, record: str = "") -> RecordEvent:
    """Who the record is about. An age is given only at a known moment: death, or the last dated entry `last`."""
    said = [patient.sex] if patient.sex else []
    if patient.born:
        said.append(f"born in {patient.born.text[:4]}")
    moment = patient.died if patient.deceased else last
    age = age_on(patient.born, moment.time) if moment.time else ""
    if age and not patient.deceased:
        said.append(f"aged {age} at the last dated entry of the record ({moment.day})")
    if patient.deceased:
        said.append(f"died on {patient.died.day}" + (f" aged {age}" if age else "") if patient.died else "deceased")
    facts = ", ".join(said) if said else "described without sex or date of birth"
    return RecordEvent(
        time=patient.born.time,
        code="",
        text="Patient",
        category="patient",
        status="deceased" if patient.deceased else "",
        record=record,
        source=f"Patient/{patient.id}",
        statement=f"The patient is recorded as {facts} (Patient/{patient.id}).",
    )


def on(when: When, before: str = " on ") -> str:
    """The date with its preposition, empty when unknown: " on 2024-03-02", " in 2024"."""
    if not when:
        return ""
    if len(when.text) < 10:
        return f"{' in ' if before == ' on ' else before}{when.text}"
    return f"{before}{when.day}"


def at(when: When) -> str:
    """The beginning of a sentence with date and, where given, time of day: "On 2024-03-02 at 14:30 UTC "."""
    if not when:
        return "On an unknown date "
    if len(when.text) < 10:
        return f"In {when.text} "
    day, clock = when.text[:10], when.text[11:]
    return f"On {day} at {clock} " if clock else f"On {day} "


def _tail(entry: Entry, *labels: str) -> str:
    names = {"why": "status reason", "absent": "no value because", "made": "made on"}
    said = [(names.get(label, label), entry.detail(label)) for label in labels]
    return "".join(f"; {name}: {text.rstrip('.')}" for name, text in said if text)


def _condition(entry: Entry) -> str:
    start = on(entry.start, " since ") if entry.detail("dated") == "onset" else on(entry.start, ", recorded on ")
    tail = _tail(entry, "severity", "site", "onset", "ended", "note")
    if entry.state == "refuted":
        return f"{entry.text} {_REFUTED}{_recorded(entry)}{tail}"
    if entry.state == "unconfirmed":
        return f"{entry.text} is recorded as not confirmed ({entry.status}){_recorded(entry)}{tail}"
    if entry.state == "past":
        began = on(entry.start, ", from ") if entry.detail("dated") == "onset" else _recorded(entry)
        return f"{entry.text} is recorded as {entry.status}{began}{on(entry.end, ' until ')}{tail}"
    if entry.state == "current":
        end = f", although an end is given{on(entry.end)}" if entry.end else ""
        return f"{entry.text} is recorded as {entry.status}{start}{end}{tail}"
    return f"{entry.text} is recorded without a clinical status{start}{on(entry.end, ' until ')}{tail}"


def _recorded(entry: Entry) -> str:
    return on(entry.start, ", recorded on ") if entry.detail("dated") == "recorded" else on(entry.start, ", dated ")


def _medication(entry: Entry) -> str:
    if entry.detail("kind") == "administration":
        return _administration(entry)
    tail = _tail(entry, "dose", "reason", "why", "note")
    ordered = entry.detail("kind") == "order"
    began = on(entry.start, ", ordered on ") if ordered else on(entry.start, ", taken from ")
    until = on(entry.end, " until ")
    valid = f", valid until {entry.detail('valid until')}" if entry.detail("valid until") else ""
    if entry.detail("forbidden"):
        return f"{entry.text} is recorded as not to be given{on(entry.start)}{tail}"
    if entry.state == "not done":
        return f"{entry.text} is recorded as {_plain(entry.status)}{on(entry.start, ', dated ')}{tail}"
    if entry.state == "current":
        held = "on hold" if entry.status == "on-hold" else "a current medicine"
        return f"{entry.text} is recorded as {held}{began}{until}{valid}{tail}"
    if entry.state == "planned":
        return f"{entry.text} is recorded as {entry.status}, not as taken{on(entry.start, ', dated ')}{tail}"
    if entry.state == "past":
        return f"{entry.text} is recorded as a past medicine ({entry.status}){began}{until}{tail}"
    return f"{entry.text} is recorded as a medicine of unknown status{began}{until}{tail}"


def _administration(entry: Entry) -> str:
    tail = _tail(entry, "dose", "reason", "why")
    if entry.state == "not done":
        return f"{at(entry.start)}{entry.text} was not given{tail}"
    done = "was being given" if entry.state == "current" else "was given"
    partly = " and stopped" if entry.status == "stopped" else ""
    return f"{at(entry.start)}{entry.text} {done}{partly}{tail}"


def _allergy(entry: Entry) -> str:
    text = entry.text or "An unnamed substance"
    tail = _tail(entry, "criticality", "reaction", "note")
    if entry.state == "refuted":
        return f"Allergy to {text} {_REFUTED}{_recorded(entry)}{tail}"
    kind = entry.detail("kind") or "allergy"
    if is_no_allergy(entry):
        return f"The record states: {text}{_recorded(entry)}{tail}"
    doubt = f" ({entry.status})" if entry.status not in ("", "active", "confirmed") else ""
    named = text if "allerg" in text.lower() or "intoleran" in text.lower() else f"{kind.capitalize()} to {text}"
    date = on(entry.start, " with onset ") if entry.detail("dated") == "onset" else on(entry.start)
    return f"{named} is recorded{doubt}{date}{tail}"


def is_no_allergy(entry: Entry) -> bool:
    """Whether an allergy entry says that there is none (SNOMED CT 716186003, 409137002 and kin, or in words)."""
    known = {"716186003", "409137002", "428607008", "429625007", "428197003", "1003774007", "716184000", "716185004"}
    if any(code.code in known for code in entry.codes):
        return True
    text = entry.text.lower()
    return text.startswith(("no known", "nkda", "nka", "no allerg", "no drug allerg"))


def _observation(entry: Entry) -> str:
    flag = f", flagged {entry.detail('flag')}" if entry.detail("flag") else ""
    bounds = f", reference range {entry.detail('range')}" if entry.detail("range") else ""
    tail = _tail(entry, "site", "absent", "note")
    doubt = f" ({entry.status} result)" if entry.status in ("preliminary", "registered") else ""
    if entry.state == "not done":
        return f"{at(entry.start)}{entry.text} was {_plain(entry.status)}{tail}"
    return f"{at(entry.start)}{entry.text} {_values(entry)}{doubt}{flag}{bounds}{tail}"


def _values(entry: Entry) -> str:
    if entry.value is not None:
        return f"was {_value(entry.value, entry.unit)}"
    parts = [f"{part.text} {_value(part.value, part.unit)}" for part in entry.parts if part.value is not None]
    return f"was: {', '.join(parts)}" if parts else "was recorded without a value"


def _value(value: float | str | None, unit: str) -> str:
    shown = show(value) if isinstance(value, float) else str(value)
    return f"{shown}{'' if unit == '%' else ' '}{unit}".strip()


def value_text(entry: Entry) -> str:
    """Value and unit as in the statement, for tables; components joined; empty when there is none."""
    said = _values(entry)
    return "" if said.endswith("without a value") else said.partition("was")[2].lstrip(": ")


def _procedure(entry: Entry) -> str:
    tail = _tail(entry, "site", "reason", "outcome", "why", "note")
    if entry.state == "recorded":
        until = on(entry.end, " until ") if entry.end and entry.end.day != entry.start.day else ""
        return f"{entry.text} was done{on(entry.start) or ' on an unknown date'}{until}{tail}"
    status = _plain(entry.status) or "unknown"
    return f"{entry.text} is recorded as a procedure with status {status}{on(entry.start, ', dated ')}{tail}"


def _encounter(entry: Entry) -> str:
    tail = _tail(entry, "reason", "discharge")
    until = on(entry.end, " until ") if entry.end and entry.end.day != entry.start.day else ""
    if entry.state == "recorded":
        return f"{entry.text} took place{on(entry.start)}{until}{tail}"
    return f"{entry.text} is recorded with status {_plain(entry.status)}{on(entry.start, ', dated ')}{until}{tail}"


def _immunization(entry: Entry) -> str:
    tail = _tail(entry, "time", "why", "note")
    if entry.state == "not done":
        return f"Vaccination with {entry.text} was not given{on(entry.start)}{tail}"
    return f"Vaccination with {entry.text} was given{on(entry.start) or ' on an unknown date'}{tail}"


def _report(entry: Entry) -> str:
    if entry.value is None:
        listed = _tail(entry, "results", "coded")
        return f"{at(entry.start)}the {entry.category} {entry.text!r} was issued without text{listed}"
    doubt = f" ({entry.status})" if entry.status in ("preliminary", "partial", "registered") else ""
    quoted = str(entry.value).replace('"', "'")
    return f'{at(entry.start)}the {entry.category} {entry.text!r}{doubt} says: "{quoted}"{_tail(entry, "coded")}'


def _imaging(entry: Entry) -> str:
    tail = _tail(entry, "modality", "site", "reason", "note")
    if entry.state == "not done":
        return f"The imaging study {entry.text!r} was {_plain(entry.status)}{on(entry.start)}{tail}"
    return f"The imaging study {entry.text!r} was made{on(entry.start) or ' on an unknown date'}{tail}"


def _plan(entry: Entry) -> str:
    tail = _tail(entry, "activities", "reason")
    status = _plain(entry.status) or "unknown"
    return f"The care plan {entry.text!r} has status {status}{on(entry.start, ', from ')}{on(entry.end, ' until ')}{tail}"


def _order(entry: Entry) -> str:
    tail = _tail(entry, "site", "reason")
    if entry.detail("forbidden"):
        return f"{entry.text} is recorded as not to be done{on(entry.start)}{tail}"
    return f"{entry.text} was requested{on(entry.start)} (status {_plain(entry.status) or 'unknown'}){tail}"


def _family(entry: Entry) -> str:
    recorded = on(entry.start, ", recorded on ")
    return f"Family history: {entry.detail('relation')} with {entry.text}{recorded}{_tail(entry, 'onset')}"


def _device(entry: Entry) -> str:
    return f"Device of the patient: {entry.text}, status {_plain(entry.status) or 'unknown'}{_tail(entry, 'made', 'note')}"


def _plain(status: str) -> str:
    return status.replace("-", " ")


_BY_CATEGORY: dict[str, Callable[[Entry], str]] = {
    "condition": _condition,
    "medication": _medication,
    "allergy": _allergy,
    "observation": _observation,
    "procedure": _procedure,
    "encounter": _encounter,
    "immunization": _immunization,
    "report": _report,
    "document": _report,
    "imaging": _imaging,
    "plan": _plan,
    "order": _order,
    "family history": _family,
    "device": _device,
}
