"""The few fields of FHIR resources that become events, decoded without building the rest (claims are most of a bundle).

What this cannot take (nested bundles, deletions, other encodings, broken JSON) is left to the careful reader, which reads it
or says what is wrong: both give the same resources, which a test holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import FileError
from tools.ehr.fhir_fields import Json
from tools.ehr.fhir_load import MAX_BYTES

if TYPE_CHECKING:
    import msgspec

FIELDS = (
    "resourceType", "id", "subject", "patient", "status", "verificationStatus", "code", "type", "class", "period",
    "component", "birthDate", "gender", "deceasedDateTime", "valueQuantity", "valueInteger", "effectiveDateTime",
    "effectivePeriod", "effectiveInstant", "issued", "onsetDateTime", "onsetPeriod", "recordedDate", "authoredOn",
    "performedDateTime", "performedPeriod", "occurrenceDateTime", "medicationCodeableConcept", "vaccineCode",
)  # fmt: skip
"""All that `fhir_set` reads of a resource."""
_NAMES = tuple(f"f_{name}" for name in FIELDS)  # "class" is no name in Python
_VALUES = attrgetter(*_NAMES)


@lru_cache(maxsize=1)
def _decoders() -> tuple[msgspec.json.Decoder[Any], msgspec.json.Decoder[Any]]:
    """Of a bundle, and of one resource. A field may be of any type: its reader judges it."""
    import msgspec

    resource = msgspec.defstruct(
        "Resource", [(name, Any, None) for name in _NAMES], rename=dict(zip(_NAMES, FIELDS, strict=True)), gc=False
    )
    entry = msgspec.defstruct("Entry", [("resource", resource), ("request", Any, None), ("search", Any, None)], gc=False)
    bundle = msgspec.defstruct("Bundle", [("resourceType", str), ("entry", list[entry])])  # type: ignore[valid-type]
    return msgspec.json.Decoder(bundle), msgspec.json.Decoder(resource)


def _as_json(resource: object) -> Json:
    return {name: value for name, value in zip(FIELDS, _VALUES(resource), strict=True) if value is not None}


def quick_resources(path: Path, kinds: Collection[str]) -> Iterator[Json] | None:
    """The resources of these types in a plain bundle, or None when the careful reader has to look at the file."""
    import msgspec

    if path.stat().st_size > MAX_BYTES:
        return None
    try:
        bundle = _decoders()[0].decode(path.read_bytes())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if bundle.resourceType != "Bundle" or not bundle.entry or any(_special(entry) for entry in bundle.entry):
        return None
    return (_as_json(entry.resource) for entry in bundle.entry if entry.resource.f_resourceType in kinds)


def _special(entry: Any) -> bool:
    kind = entry.resource.f_resourceType
    deleting = isinstance(entry.request, dict) and entry.request.get("method") == "DELETE"
    return not isinstance(kind, str) or kind == "Bundle" or deleting or entry.search is not None


def line_resource(line: bytes, where: str) -> Json:
    """One line of a bulk export.

    Raises:
        FileError: it is not JSON, or not an object; `where` says which line.
    """
    import msgspec

    try:
        return _as_json(_decoders()[1].decode(line))
    except msgspec.ValidationError as error:
        raise FileError(f"{where}: a FHIR resource is an object.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FileError(f"{where}: not valid JSON.") from error
