"""FHIR resources to entries: observations with components, diagnostic reports, documents, imaging studies."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from tools.ehr.fhir_fields import (
    Json,
    clean,
    code_of,
    codes,
    label,
    labels,
    number,
    obj,
    objects,
    quantity,
    quantity_text,
    range_text,
    show,
    timed,
    when,
    word,
)
from tools.ehr.fhir_reader import At, Details, details, join, notes
from tools.ehr.record import Entry, Part

_BLOOD_PRESSURE = ("8480-6", "8462-4")
_CHUNK = 300
_MAX_CHUNKS = 200
_MAX_ATTACHMENT = 4 * 1024 * 1024


def observation(resource: Json, at: At) -> Iterator[Entry]:
    """Observation: one entry, its components as parts."""
    start, end = timed(resource, "effective")
    value, unit = _value(resource)
    parts = tuple(_part(item) for item in objects(resource.get("component")))
    if value is None and parts:
        value, unit = _pressure(parts)
    yield Entry(
        category="observation",
        source=at.source,
        patient=at.patient,
        text=label(resource.get("code")) or "Unnamed observation",
        codes=codes(resource.get("code")),
        start=start or when(resource.get("issued")),
        end=end,
        status=code_of(resource.get("status")),
        value=value,
        unit=unit,
        parts=parts,
        details=_qualifiers(resource),
    )


def _qualifiers(resource: Json) -> Details:
    ranges = next((text for item in objects(resource.get("referenceRange")) if (text := range_text(item))), "")
    return details(
        ("flag", labels(resource.get("interpretation"))),
        ("range", ranges),
        ("site", labels(resource.get("bodySite"))),
        ("absent", label(resource.get("dataAbsentReason"))),
        ("note", notes(resource) or word(resource.get("comment"))),
    )


def _part(component: Json) -> Part:
    value, unit = _value(component)
    return Part(label(component.get("code")) or "component", codes(component.get("code")), value, unit)


def _pressure(parts: tuple[Part, ...]) -> tuple[str | None, str]:
    """Systolic over diastolic, as blood pressure is written; anything else has no value of its own."""
    found = {code.code: part for part in parts for code in part.codes if code.code in _BLOOD_PRESSURE}
    pair = [found[code] for code in _BLOOD_PRESSURE if code in found]
    if len(pair) != 2 or pair[0].unit != pair[1].unit:
        return None, ""
    upper, lower = pair[0].value, pair[1].value
    if not isinstance(upper, float) or not isinstance(lower, float):
        return None, ""
    return f"{show(upper)}/{show(lower)}", pair[0].unit


def _value(resource: Json) -> tuple[float | str | None, str]:
    if "valueQuantity" in resource:
        return quantity(resource["valueQuantity"])
    if "valueCodeableConcept" in resource:
        return label(resource["valueCodeableConcept"]) or None, ""
    if "valueString" in resource:
        return word(resource["valueString"]) or None, ""
    for key in ("valueInteger", "valueDecimal"):
        if key in resource:
            return number(resource[key]), ""
    return _rare_value(resource), ""


def _rare_value(resource: Json) -> str | None:
    if isinstance(resource.get("valueBoolean"), bool):
        return "yes" if resource["valueBoolean"] else "no"
    if "valueRange" in resource:
        return range_text(resource["valueRange"]) or None
    if "valueRatio" in resource:
        ratio = obj(resource["valueRatio"])
        both = quantity_text(ratio.get("numerator")), quantity_text(ratio.get("denominator"))
        return " : ".join(both) if all(both) else None
    if "valueSampledData" in resource:
        return "a sampled signal, not shown"
    if "valueTime" in resource:
        return word(resource["valueTime"]) or None
    start, end = timed(resource, "value")
    return f"{start.text} to {end.text}" if start and end else start.text or None


def diagnostic_report(resource: Json, at: At) -> Iterator[Entry]:
    """DiagnosticReport: its conclusion, and the text attached to it in pieces short enough to quote."""
    start, end = timed(resource, "effective")
    title = label(resource.get("code")) or "Report"
    common = Entry(
        category="report",
        source=at.source,
        patient=at.patient,
        text=title,
        codes=codes(resource.get("code")),
        start=start or when(resource.get("issued")),
        end=end,
        status=code_of(resource.get("status")),
        details=details(
            ("results", join(label(item) for item in objects(resource.get("result")))),
            ("coded", labels(resource.get("conclusionCode"))),
        ),
    )
    conclusion = resource.get("conclusion")
    body = conclusion if isinstance(conclusion, str) else ""
    yield from _pieces(common, [body, *_attached(resource.get("presentedForm"))])


def document(resource: Json, at: At) -> Iterator[Entry]:
    """DocumentReference: the plain text in it."""
    attachments = [obj(item.get("attachment")) for item in objects(resource.get("content"))]
    status = code_of(resource.get("docStatus")) or code_of(resource.get("status"))
    common = Entry(
        category="document",
        source=at.source,
        patient=at.patient,
        text=label(resource.get("type")) or word(resource.get("description")) or "Document",
        codes=codes(resource.get("type")),
        start=when(resource.get("date")) or when(resource.get("indexed")),
        status="entered-in-error" if code_of(resource.get("status")) == "entered-in-error" else status,
    )
    yield from _pieces(common, _attached(attachments))


def _pieces(common: Entry, bodies: list[str]) -> Iterator[Entry]:
    """The entry without text when there is none, else one per piece; later pieces are numbered in the source."""
    pieces = list(dict.fromkeys(piece for body in bodies for piece in split_text(body)))
    if not pieces:
        yield common
        return
    for position, piece in enumerate(pieces[:_MAX_CHUNKS], start=1):
        yield Entry(
            category=common.category,
            source=common.source if len(pieces) == 1 else f"{common.source}#{position}",
            patient=common.patient,
            text=common.text,
            codes=common.codes,
            start=common.start,
            end=common.end,
            status=common.status,
            value=piece,
            details=common.details if position == 1 else (),
        )
    if len(pieces) > _MAX_CHUNKS:
        yield Entry(
            category=common.category,
            source=f"{common.source}#rest",
            patient=common.patient,
            text=common.text,
            start=common.start,
            status=common.status,
            value=f"The text goes on; only its first {_MAX_CHUNKS} pieces are read.",
        )


def split_text(text: str) -> list[str]:
    """Sentences of a text, short neighbours joined up to about 300 characters, long ones cut."""
    pieces: list[str] = []
    for line in text.splitlines():
        for sentence in re.split(r"(?<=[.!?;])\s+", line):
            said = clean(sentence)
            if said:
                pieces.append(said)
    joined: list[str] = []
    for piece in pieces:
        if joined and len(joined[-1]) + len(piece) < _CHUNK:
            joined[-1] = f"{joined[-1]} {piece}"
        else:
            joined.append(piece)
    return joined


def _attached(attachments: object) -> list[str]:
    return [text for item in objects(attachments) if (text := _attachment(item))]


def _attachment(item: Json) -> str:
    """The text of an attachment; other content is named, not read."""
    data, kind = item.get("data"), word(item.get("contentType"), 60).lower()
    if not isinstance(data, str):
        return ""
    if not kind.startswith("text/") or len(data) > _MAX_ATTACHMENT:
        return f"An attachment of type {kind or 'unknown'} is not read."
    try:
        text = base64.b64decode(data, validate=False).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return "An attachment is damaged and was not read."
    return re.sub(r"<[^>]{0,1000}>", " ", text) if "html" in kind else text


def imaging_study(resource: Json, at: At) -> Iterator[Entry]:
    """ImagingStudy: that images were made, of what and how; not what they show."""
    series = list(objects(resource.get("series")))
    modalities = [obj(item.get("modality")) for item in series] or list(objects(resource.get("modality")))
    sites = join(label(item.get("bodySite")) for item in series)
    yield Entry(
        category="imaging",
        source=at.source,
        patient=at.patient,
        text=word(resource.get("description")) or labels(resource.get("procedureCode")) or labels(modalities) or "Imaging",
        codes=codes(resource.get("procedureCode")),
        start=when(resource.get("started")),
        status=code_of(resource.get("status")),
        details=details(
            ("modality", join(code_of(item).upper() for item in modalities)),
            ("site", sites),
            ("reason", labels(resource.get("reasonCode"))),
            ("note", notes(resource)),
        ),
    )
