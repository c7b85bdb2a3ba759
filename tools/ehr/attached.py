"""The patient of an attached record, for the tools that read the first 48 h of a stay in intensive care."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.base import ToolContext

if TYPE_CHECKING:
    from tools.ehr.record import Entry, Patient
    from tools.ehr.risk.patient import PatientRecord


@dataclass(frozen=True)
class Attached:
    """Whose record it is, what it states, and in words what was searched."""

    handle: str
    person: Patient
    facts: Sequence[Entry]
    searched: str

    def stay(self) -> PatientRecord:
        """The last stay in intensive care, as events.

        Raises:
            InputError: the record documents no such stay of at least 48 h.
        """
        from tools.ehr.risk.patient import from_record

        return from_record(self.person, self.facts, self.handle)


def attached_patient(context: ToolContext, handle: str, patient: str | None) -> Attached:
    """Read the artifact and choose the patient.

    Raises:
        UnknownHandle: there is no such artifact.
        UnknownPatient: the record holds several patients and none of them, or an unknown one, is named.
        FileError: the stored file cannot be read as FHIR.
    """
    from tools.ehr.fhir import read_fhir
    from tools.ehr.timeline import choose_patient, facts_of, searched

    artifact = context.store.get(handle)
    record = read_fhir(context.store.path(handle))
    context.check()
    person = choose_patient(record, patient)
    facts = facts_of(record, person)
    return Attached(artifact.handle, person, facts, f"the record {artifact.handle}: {searched(facts)}")
