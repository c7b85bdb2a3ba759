"""FHIR R4 JSON without identifiers: by what an element means, and every other free text by the finder.

Names, addresses, contacts and identifiers become placeholders, ids and references keyed hashes that still join, dates move with
the patient, narratives and notes are read as text. Codes, systems, units and quantities stay.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import JsonValue

from tools.text.deidentify.find import find_identifiers
from tools.text.deidentify.mapping import Mapping
from tools.text.deidentify.spans import Category

_KEPT = frozenset(
    "resourceType system code status unit use type url version profile intent priority language gender active mode class comparator "
    "contentType title category interpretation valueCode valueBoolean valueInteger valueDecimal valueQuantity value low high "
    "severity criticality verificationStatus clinicalStatus kind relationship rank deceasedBoolean multipleBirthBoolean "
    "multipleBirthInteger country state request method".split()
)
_PLACES = frozenset(("line", "city", "district", "postalCode"))
_IDENTIFIER: dict[str, Category] = {
    "MR": "MRN", "SS": "SSN", "SB": "SSN", "DL": "LICENSE", "PPN": "LICENSE", "MB": "HEALTH_PLAN", "MA": "HEALTH_PLAN", "MC": "HEALTH_PLAN",
    "NIIP": "HEALTH_PLAN", "NPI": "LICENSE", "MD": "LICENSE", "AN": "ACCOUNT", "SNO": "DEVICE", "UDI": "DEVICE", "ACSN": "ID", "PRN": "LICENSE",
}  # fmt: skip
_PEOPLE = frozenset(
    "subject patient individual performer requester author practitioner provider recorder asserter actor generalPractitioner participant "
    "sender recipient serviceProvider managingOrganization organization location custodian attester source informationSource enterer "
    "beneficiary subscriber policyHolder payor insurer careManager collector receiver responsible witness agent who onBehalfOf origin "
    "destination dispenser verifier owner facility member careTeam".split()
)
"""Elements whose references are to people or places: their display is a name."""
_PLACED = frozenset(
    ("serviceProvider", "managingOrganization", "organization", "location", "custodian", "facility", "origin", "destination")
)
_DEVICE = frozenset(("serialNumber", "lotNumber", "deviceIdentifier", "carrierHRF", "carrierAIDC", "distinctIdentifier"))
_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d(?:T.*)?)?)?")
_TAG = re.compile(r"(<[^>]+>)")
_LINK = re.compile(r"^(?:(?P<kind>[A-Z][A-Za-z]+)/|urn:uuid:|urn:oid:|#)?(?P<id>[^/?|]+)$")


@dataclass
class FhirDeidentifier:
    """Goes through one document. `key` makes the hashes of ids; `mapping` what stands for what."""

    mapping: Mapping
    key: bytes
    known: dict[str, Category] = field(default_factory=dict)
    changed: int = 0

    def document(self, content: JsonValue) -> JsonValue:
        """A resource or a bundle without identifiers."""
        self.known |= known_identifiers(content)
        return self._any(content, "", ())

    def rows(self, contents: list[JsonValue]) -> list[JsonValue]:
        """Resources of one file, each a line; what one states is found in the others."""
        for content in contents:
            self.known |= known_identifiers(content)
        return [self._any(content, "", ()) for content in contents]

    def _any(self, node: JsonValue, key: str, above: tuple[str, ...]) -> JsonValue:
        if isinstance(node, list):
            return [self._any(item, key, above) for item in node]
        if isinstance(node, dict):
            return self._object(node, key, above)
        return self._string(node, key, above) if isinstance(node, str) else node

    def _object(self, node: dict[str, JsonValue], key: str, above: tuple[str, ...]) -> JsonValue:
        if key == "identifier" and "value" in node:
            return self._identifier(node)
        if key == "telecom" and isinstance(node.get("value"), str):
            return {**node, "value": self._put(_contact(node), str(node["value"]))}
        if key in ("attachment", "content", "photo") or "contentType" in node:
            node = self._attachment(node)
        if key == "photo":
            self.changed += 1
            return {"title": self.mapping.placeholder("PHOTO", "photo")}
        if str(node.get("url", "")).rsplit("/", 1)[-1] in ("latitude", "longitude", "geolocation"):
            self.changed += 1
            return {"url": node["url"]}
        coded = "coding" in node or key.endswith(("oding", "oncept"))
        return {
            name: self._known(value)
            if coded and name in ("text", "display") and isinstance(value, str)
            else self._any(value, name, (*above, key))
            for name, value in node.items()
        }

    def _identifier(self, node: dict[str, JsonValue]) -> JsonValue:
        coded = node.get("type")
        codings = coded.get("coding") if isinstance(coded, dict) else None
        code = next((str(c.get("code")) for c in codings if isinstance(c, dict)), "") if isinstance(codings, list) else ""
        system = str(node.get("system", ""))
        category = _IDENTIFIER.get(code) or (
            "SSN" if "us-ssn" in system else "LICENSE" if "npi" in system else "MRN" if "mrn" in system.lower() else "ID"
        )
        kept = {name: value for name, value in node.items() if name in ("use", "type")}
        return {**kept, "value": self._put(category, str(node["value"]))}

    def _attachment(self, node: dict[str, JsonValue]) -> dict[str, JsonValue]:
        data, kind = node.get("data"), str(node.get("contentType", ""))
        if not isinstance(data, str):
            return {name: value for name, value in node.items() if name != "url"} if "contentType" in node else node
        self.changed += 1
        if not kind.startswith("text/"):
            return {name: value for name, value in node.items() if name not in ("data", "url", "hash")}
        try:
            text = base64.b64decode(data, validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            return {name: value for name, value in node.items() if name != "data"}
        return {
            **{n: v for n, v in node.items() if n not in ("url", "hash", "size")},
            "data": base64.b64encode(self._text(text).encode()).decode(),
        }

    def _string(self, value: str, key: str, above: tuple[str, ...]) -> JsonValue:
        if key in ("id", "fullUrl", "reference", "versionId"):
            return self._link(value)
        if (
            key in ("family", "given", "prefix", "suffix")
            or (key == "text" and above[-1:] == ("name",))
            or key == "valueHumanName"
        ):
            return value if key in ("prefix", "suffix") else self._put("NAME", value)
        if key in _PLACES or (key == "text" and above[-1:] == ("address",)):
            return self._put("LOCATION", value)
        if key in _DEVICE:
            return self._put("DEVICE", value)
        if _DATE.fullmatch(value) and key not in ("code", "version", "valueString", "value"):
            return self._date(value)
        if key == "display" and not _PEOPLE.intersection(above[-2:]):
            return self._known(value)
        if key in ("display", "authorString") or (
            key == "name" and above[-1:] in ((), ("",), ("resource",), ("contact",), ("contained",))
        ):
            return self._put("LOCATION" if _place_like(value) or _PLACED.intersection(above[-1:]) else "NAME", value)
        if key == "div":
            return "".join(part if part.startswith("<") else self._text(part) for part in _TAG.split(value))
        if key in _KEPT or key.endswith("Code"):
            return value
        return self._text(value)

    def _put(self, category: Category, value: str) -> str:
        self.changed += 1
        return self.mapping.placeholder(category, value)

    def _text(self, text: str) -> str:
        spans = find_identifiers(text, self.known)
        self.changed += len(spans)
        return self.mapping.replace(text, spans)

    def _known(self, text: str) -> str:
        spans = [span for span in find_identifiers(text, self.known) if span.text in self.known]
        self.changed += len(spans)
        return self.mapping.replace(text, spans)

    def _date(self, value: str) -> str:
        self.changed += 1
        if len(value) == 4:
            return value
        return self.mapping.shift_date(value)

    def _link(self, value: str) -> str:
        match = _LINK.match(value)
        if match is None:
            return self._text(value)
        self.changed += 1
        digest = hmac.new(self.key, match.group("id").encode(), hashlib.sha256).hexdigest()[:24]
        return value[: match.start("id")] + digest


def known_identifiers(content: JsonValue) -> dict[str, Category]:
    """Names, numbers, addresses and contacts that a document states, to be found in its free text."""
    found: dict[str, Category] = {}
    for key, node in _objects(content, ""):
        if key in ("name", "maidenName") or "family" in node:
            parts = [node.get("family"), node.get("text"), *_list(node.get("given"))]
            found |= {str(part): "NAME" for part in parts if isinstance(part, str) and len(part) > 1}
        if key == "identifier" and isinstance(node.get("value"), str):
            found[str(node["value"])] = "ID"
        if key == "telecom" and isinstance(node.get("value"), str):
            found[str(node["value"])] = _contact(node)
        if key == "address":
            places = [*_list(node.get("line")), node.get("city"), node.get("postalCode")]
            found |= {str(place): "LOCATION" for place in places if isinstance(place, str) and len(place) > 3}
    return found


def _objects(node: JsonValue, key: str) -> Iterator[tuple[str, dict[str, JsonValue]]]:
    if isinstance(node, list):
        for item in node:
            yield from _objects(item, key)
    elif isinstance(node, dict):
        yield key, node
        for name, value in node.items():
            yield from _objects(value, name)


def _list(value: JsonValue | None) -> list[JsonValue]:
    return value if isinstance(value, list) else [value]


def _contact(node: dict[str, JsonValue]) -> Category:
    return {"email": "EMAIL", "fax": "FAX", "url": "URL"}.get(str(node.get("system")), "PHONE")  # type: ignore[return-value]


def _place_like(value: str) -> bool:
    return bool(
        re.search(
            r"hospital|clinic|center|centre|health|medical|ward|unit|department|pharmacy|practice|llc|inc",
            value,
            re.IGNORECASE,
        )
    )
