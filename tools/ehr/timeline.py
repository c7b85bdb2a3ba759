"""The record of one patient as a line in time: its entries, its span, and what it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from core.errors import UnknownPatient
from core.types import RecordEvent
from tools.ehr.record import UNDATED, Entry, Patient, Record, When
from tools.ehr.statements import as_event


def choose_patient(record: Record, wanted: str | None) -> Patient:
    """The patient asked for, by handle (p1) or resource id; the only one when none is named.

    Raises:
        UnknownPatient: none is named and there are several, or there is no such one; the message lists the handles.
    """
    known = "; ".join(patient.described for patient in record.patients[:20])
    more = f"; and {len(record.patients) - 20} more" if len(record.patients) > 20 else ""
    if not wanted:
        if len(record.patients) == 1:
            return record.patients[0]
        raise UnknownPatient(
            f"The record holds {len(record.patients)} patients: say which one with patient. There are: {known}{more}."
        )
    name = wanted.strip().removeprefix("Patient/")
    for patient in record.patients:
        if name.lower() == patient.handle or name == patient.id:
            return patient
    raise UnknownPatient(f"There is no patient {wanted!r} in the record. There are: {known}{more}.")


def facts_of(record: Record, patient: Patient) -> tuple[Entry, ...]:
    """The patient's entries from old to new, without those entered in error."""
    return tuple(entry for entry in record.entries if entry.patient == patient.handle and entry.is_fact)


def events(record: Record, patient: Patient, handle: str = "") -> tuple[RecordEvent, ...]:
    """All of a patient's entries as events, from old to new. `handle` is that of the record's artifact."""
    return tuple(as_event(entry, handle) for entry in facts_of(record, patient))


def last_time(entries: Sequence[Entry]) -> When:
    """The latest moment at which something is recorded as having happened; plans and orders do not count."""
    happened = (
        entry.start
        for entry in reversed(entries)
        if entry.start and entry.state != "planned" and entry.category not in ("plan", "order")
    )
    return next(happened, UNDATED)


def searched(entries: Sequence[Entry]) -> str:
    """What was looked through: "128 events from 2011-05-27 to 2019-06-01"."""
    dated = [entry.start for entry in entries if entry.start]
    count = f"{len(entries)} event{'' if len(entries) == 1 else 's'}"
    if not dated:
        return f"{count}, none of them dated" if entries else "0 events: the record holds none for this patient"
    if dated[0].day == dated[-1].day:
        return f"{count} of {dated[0].day}"
    return f"{count} from {dated[0].day} to {dated[-1].day}"


def counts(entries: Sequence[Entry]) -> tuple[tuple[str, int], ...]:
    """How many entries there are of each category, most first."""
    return tuple(Counter(entry.category for entry in entries).most_common())
