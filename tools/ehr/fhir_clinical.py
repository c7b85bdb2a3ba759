"""FHIR resources to entries: conditions, medicines, allergies, procedures, encounters, immunizations, plans, family.

Field names follow FHIR R4 (https://hl7.org/fhir/R4/resourcelist.html); names that differ in STU3 and R5 are read too.
"""

from __future__ import annotations

from collections.abc import Iterator

from tools.ehr.fhir_fields import (
    Json,
    code_of,
    codes,
    label,
    labels,
    obj,
    objects,
    period,
    quantity_text,
    range_text,
    timed,
    when,
    word,
)
from tools.ehr.fhir_reader import At, details, join, name_of, names_of, notes
from tools.ehr.record import UNDATED, Code, Entry, When

_DOUBT = ("entered-in-error", "refuted", "unconfirmed", "provisional", "differential")


def condition(resource: Json, at: At) -> Iterator[Entry]:
    """Condition: onset, abatement, and whether it is confirmed, refuted or in doubt."""
    onset, onset_end = timed(resource, "onset")
    abated, abated_end = timed(resource, "abatement")
    end = abated_end or abated or onset_end
    recorded = when(resource.get("recordedDate")) or when(resource.get("assertedDate"))
    ended = any(key.startswith("abatement") and resource[key] not in (False, None) for key in resource)
    verification = code_of(resource.get("verificationStatus"))
    clinical = code_of(resource.get("clinicalStatus")) or ("resolved" if ended else "")
    yield Entry(
        category="condition",
        source=at.source,
        patient=at.patient,
        text=label(resource.get("code")) or "Unnamed condition",
        codes=codes(resource.get("code")),
        start=onset or recorded,
        end=end,
        status=verification if verification in _DOUBT else clinical,
        details=details(
            ("dated", "onset" if onset else "recorded"),
            ("severity", label(resource.get("severity"))),
            ("site", labels(resource.get("bodySite"))),
            ("onset", _inexact(resource, "onset")),
            ("ended", _inexact(resource, "abatement")),
            ("note", notes(resource)),
        ),
    )


def _inexact(resource: Json, stem: str) -> str:
    age = quantity_text(resource.get(stem + "Age"))
    return f"age {age}" if age else word(resource.get(stem + "String")) or range_text(resource.get(stem + "Range"))


def _medicine(resource: Json, at: At) -> tuple[str, tuple[Code, ...]]:
    concept = resource.get("medicationCodeableConcept")
    reference = resource.get("medicationReference")
    if "medication" in resource:  # R5: a CodeableReference
        concept, reference = obj(resource["medication"]).get("concept"), obj(resource["medication"]).get("reference")
    if label(concept):
        return label(concept), codes(concept)
    target = at.resolve(reference)
    return label(target.get("code")) or name_of(reference, at) or "Unnamed medicine", codes(target.get("code"))


def _dose(instructions: object) -> str:
    said = []
    for item in objects(instructions):
        text = word(item.get("text")) or word(item.get("patientInstruction"))
        said.append(text or _structured_dose(item))
    return join(said)


def _structured_dose(item: Json) -> str:
    given = obj(item.get("doseAndRate")) or item
    dose = quantity_text(given.get("doseQuantity")) or range_text(given.get("doseRange"))
    timing = obj(item.get("timing"))
    repeat = obj(timing.get("repeat"))
    often = label(timing.get("code"))
    frequency, every = repeat.get("frequency"), repeat.get("period")
    if not often and isinstance(frequency, int) and isinstance(every, (int, float)):
        often = f"{frequency} time(s) per {every:g} {word(repeat.get('periodUnit'), 8)}"
    needed = "as needed" if item.get("asNeededBoolean") is True else ""
    return " ".join(filter(None, (dose, label(item.get("route")), often, needed)))


def medication_request(resource: Json, at: At) -> Iterator[Entry]:
    """MedicationRequest: an order. A proposal or plan is not an order, and `doNotPerform` forbids the medicine."""
    text, found = _medicine(resource, at)
    status = code_of(resource.get("status"))
    intent = code_of(resource.get("intent"))
    forbidden = resource.get("doNotPerform") is True
    if status == "active" and intent in ("proposal", "plan"):
        status = "proposed"
    valid = period(obj(resource.get("dispenseRequest")).get("validityPeriod"))[1]
    yield Entry(
        category="medication",
        source=at.source,
        patient=at.patient,
        text=text,
        codes=found,
        start=when(resource.get("authoredOn")) or when(resource.get("dateWritten")),
        status="not-done" if forbidden and status != "entered-in-error" else status,
        details=details(
            ("kind", "order"),
            ("forbidden", "yes" if forbidden else ""),
            ("dose", _dose(resource.get("dosageInstruction"))),
            ("reason", _reason(resource, at)),
            ("why", label(resource.get("statusReason"))),
            ("valid until", valid.day),
            ("note", notes(resource)),
        ),
    )


def medication_statement(resource: Json, at: At) -> Iterator[Entry]:
    """MedicationStatement: what the patient takes or took, as told."""
    text, found = _medicine(resource, at)
    start, end = timed(resource, "effective")
    status = code_of(resource.get("status"))
    if code_of(resource.get("taken")) == "n":  # STU3
        status = "not-taken"
    yield Entry(
        category="medication",
        source=at.source,
        patient=at.patient,
        text=text,
        codes=found,
        start=start or when(resource.get("dateAsserted")),
        end=end,
        status=status,
        details=details(
            ("kind", "statement"),
            ("dose", _dose(resource.get("dosage"))),
            ("reason", _reason(resource, at)),
            ("why", labels(resource.get("statusReason"))),
            ("note", notes(resource)),
        ),
    )


def medication_administration(resource: Json, at: At) -> Iterator[Entry]:
    """MedicationAdministration: a dose that was given, or expressly not given."""
    text, found = _medicine(resource, at)
    start, end = timed(resource, "effective")
    dosage = obj(resource.get("dosage"))
    yield Entry(
        category="medication",
        source=at.source,
        patient=at.patient,
        text=text,
        codes=found,
        start=start,
        end=end,
        status=code_of(resource.get("status")),
        details=details(
            ("kind", "administration"),
            ("dose", word(dosage.get("text")) or quantity_text(dosage.get("dose"))),
            ("reason", _reason(resource, at)),
            ("why", labels(resource.get("statusReason"))),
        ),
    )


def _reason(resource: Json, at: At) -> str:
    return join((labels(resource.get("reasonCode")), names_of(resource.get("reasonReference"), at)))


def allergy(resource: Json, at: At) -> Iterator[Entry]:
    """AllergyIntolerance, with reactions. "No known allergy" is an entry too."""
    verification = code_of(resource.get("verificationStatus"))
    clinical = code_of(resource.get("clinicalStatus")) or code_of(resource.get("status"))
    reactions = join(labels(item.get("manifestation")) for item in objects(resource.get("reaction")))
    onset = timed(resource, "onset")[0]
    yield Entry(
        category="allergy",
        source=at.source,
        patient=at.patient,
        text=label(resource.get("code")) or labels([obj(r.get("substance")) for r in objects(resource.get("reaction"))]),
        codes=codes(resource.get("code")),
        start=onset or when(resource.get("recordedDate")) or when(resource.get("assertedDate")),
        status=verification if verification in _DOUBT else clinical,
        details=details(
            ("dated", "onset" if onset else "recorded"),
            ("kind", word(resource.get("type"), 20) if isinstance(resource.get("type"), str) else ""),
            ("criticality", word(resource.get("criticality"), 20)),
            ("reaction", reactions),
            ("note", notes(resource)),
        ),
    )


def procedure(resource: Json, at: At) -> Iterator[Entry]:
    """Procedure: what was done, when and why."""
    start, end = timed(resource, "performed") if "occurrenceDateTime" not in resource else timed(resource, "occurrence")
    yield Entry(
        category="procedure",
        source=at.source,
        patient=at.patient,
        text=label(resource.get("code")) or "Unnamed procedure",
        codes=codes(resource.get("code")),
        start=start,
        end=end,
        status=code_of(resource.get("status")),
        details=details(
            ("site", labels(resource.get("bodySite"))),
            ("reason", _reason(resource, at)),
            ("outcome", label(resource.get("outcome"))),
            ("why", label(resource.get("statusReason"))),
            ("note", notes(resource)),
        ),
    )


def encounter(resource: Json, at: At) -> Iterator[Entry]:
    """Encounter: a visit or stay."""
    start, end = period(resource.get("period") or resource.get("actualPeriod"))
    kind = label(resource.get("class"))
    yield Entry(
        category="encounter",
        source=at.source,
        patient=at.patient,
        text=labels(resource.get("type")) or label(resource.get("serviceType")) or f"Encounter {kind}".strip(),
        codes=codes(resource.get("type")),
        start=start,
        end=end,
        status=code_of(resource.get("status")),
        details=details(
            ("class", kind),
            ("reason", _reason(resource, at)),
            ("discharge", label(obj(resource.get("hospitalization")).get("dischargeDisposition"))),
        ),
    )


def immunization(resource: Json, at: At) -> Iterator[Entry]:
    """Immunization: given, or expressly not given."""
    yield Entry(
        category="immunization",
        source=at.source,
        patient=at.patient,
        text=label(resource.get("vaccineCode")) or "Unnamed vaccine",
        codes=codes(resource.get("vaccineCode")),
        start=when(resource.get("occurrenceDateTime")) or when(resource.get("date")),
        status="not-done" if resource.get("notGiven") is True else code_of(resource.get("status")),
        details=details(
            ("time", word(resource.get("occurrenceString"))),
            ("why", label(resource.get("statusReason"))),
            ("note", notes(resource)),
        ),
    )


def care_plan(resource: Json, at: At) -> Iterator[Entry]:
    """CarePlan: its title or category and its activities."""
    start, end = period(resource.get("period"))
    activities = join(label(obj(item.get("detail")).get("code")) for item in objects(resource.get("activity")))
    categories = [item for item in objects(resource.get("category")) if code_of(item) != "assess-plan"]
    yield Entry(
        category="plan",
        source=at.source,
        patient=at.patient,
        text=word(resource.get("title")) or labels(categories) or word(resource.get("description")) or "Care plan",
        codes=codes(resource.get("category")),
        start=start or when(resource.get("created")),
        end=end,
        status=code_of(resource.get("status")),
        details=details(("activities", activities), ("reason", names_of(resource.get("addresses"), at))),
    )


def service_request(resource: Json, at: At) -> Iterator[Entry]:
    """ServiceRequest (and the older ProcedureRequest): what was asked for, not what was done."""
    status = code_of(resource.get("status"))
    forbidden = resource.get("doNotPerform") is True and status != "entered-in-error"
    yield Entry(
        category="order",
        source=at.source,
        patient=at.patient,
        text=label(resource.get("code")) or "Unnamed service",
        codes=codes(resource.get("code")),
        start=when(resource.get("authoredOn")) or timed(resource, "occurrence")[0],
        status="not-done" if forbidden else status,
        details=details(
            ("forbidden", "yes" if forbidden else ""),
            ("intent", code_of(resource.get("intent"))),
            ("site", labels(resource.get("bodySite"))),
            ("reason", _reason(resource, at)),
        ),
    )


def family_history(resource: Json, at: At) -> Iterator[Entry]:
    """FamilyMemberHistory: one entry per condition of the relative; never a condition of the patient."""
    relation = label(resource.get("relationship")) or word(resource.get("name"), 40) or "relative"
    for item in objects(resource.get("condition")):
        yield Entry(
            category="family history",
            source=at.source,
            patient=at.patient,
            text=label(item.get("code")) or "Unnamed condition",
            codes=codes(item.get("code")),
            start=when(resource.get("date")),
            end=UNDATED,
            status=code_of(resource.get("status")),
            details=details(("relation", relation), ("onset", _inexact(item, "onset"))),
        )


def device(resource: Json, at: At) -> Iterator[Entry]:
    """Device: an implant or aid of the patient."""
    named = next((word(item.get("name")) for item in objects(resource.get("deviceName"))), "")
    start: When = when(resource.get("manufactureDate"))
    yield Entry(
        category="device",
        source=at.source,
        patient=at.patient,
        text=label(resource.get("type")) or named or "Unnamed device",
        codes=codes(resource.get("type")),
        start=UNDATED,
        status=code_of(resource.get("status")),
        details=details(("made", start.day), ("note", notes(resource))),
    )
