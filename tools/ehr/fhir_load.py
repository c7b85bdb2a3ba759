"""From a file to FHIR resources: JSON or ndjson, bundles of any type, arrays, single resources.

Nothing here knows what a resource means. Limits: `MAX_BYTES` per file (JSON needs about ten times that in memory).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from core.errors import FileError, TooLarge
from tools.ehr.fhir_fields import Json, obj, objects, word

MAX_BYTES = 300 * 1024 * 1024
UNTYPED = "(no resourceType)"
_MAX_BUNDLE_DEPTH = 8
Found = tuple[str, Json]
"""fullUrl of the bundle entry (may be empty) and the resource."""


def load_resources(path: Path, max_bytes: int = MAX_BYTES) -> list[Found]:
    """All resources of a file in their order, bundles opened, deletions of a history bundle applied.

    Raises:
        TooLarge: the file is larger than `max_bytes`.
        FileError: not JSON (with line and column), not FHIR, or nothing in it.
    """
    found: list[Found] = []
    for value in _values(path, max_bytes):
        found.extend(_open(value, "", 0))
    if not found:
        raise FileError("This FHIR file holds no resources: the bundle or list is empty. At least a Patient is needed.")
    return found


def _values(path: Path, max_bytes: int) -> list[object]:
    size = path.stat().st_size
    if size > max_bytes:
        raise TooLarge(f"A FHIR file may have at most {max_bytes // 1024**2} MB; this one has {size / 1024**2:.0f}.")
    raw = path.read_bytes()
    if not raw.strip():
        raise FileError("The file is empty; FHIR as JSON or ndjson is needed.")
    try:
        text = raw.decode(json.detect_encoding(raw)).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise FileError(f"The file is not text in UTF-8, at byte {error.start}; FHIR is JSON in UTF-8.") from error
    if text.lstrip().startswith("<"):
        raise FileError("This is XML; FHIR is read as JSON or ndjson. Export the record as application/fhir+json.")
    lines = _as_lines(text)
    return [_parse(text, 0)] if lines is None else lines


def _as_lines(text: str) -> list[object] | None:
    """The values of an ndjson file, or None when it is one JSON text."""
    first, _, rest = text.lstrip().partition("\n")
    if not rest.strip() or not first.rstrip().endswith("}"):
        return None
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return None
    return [_parse(line, number) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]


def _parse(text: str, line: int) -> object:
    """One JSON text. `line` is its line in an ndjson file, 0 for a whole file."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        where = f"line {line or error.lineno} column {error.colno}"
        end = error.pos >= len(text.rstrip()) - 1
        cut = " The file ends there, as if it was cut off." if end else ""
        raise FileError(f"Not valid JSON at {where}: {error.msg}.{cut}") from error
    except RecursionError as error:
        raise FileError("The JSON is nested too deeply; FHIR nests a few dozen levels at most.") from error
    except ValueError as error:  # a number of thousands of digits, or NaN and Infinity
        raise FileError(f"Not valid JSON for FHIR: {str(error).split(';')[0]}.") from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number that JSON allows")


def _open(value: object, url: str, depth: int) -> Iterator[Found]:
    if depth > _MAX_BUNDLE_DEPTH:
        raise FileError(f"Bundles are nested more than {_MAX_BUNDLE_DEPTH} deep; a record has one or two levels.")
    if isinstance(value, list):
        for item in value:
            yield from _open(item, "", depth + 1)
        return
    if not isinstance(value, dict) or not isinstance(value.get("resourceType"), str):
        got = "an object" if isinstance(value, dict) else f"a {type(value).__name__}"
        raise FileError(f'JSON, but not FHIR: every resource has a "resourceType"; got {got} without one.')
    if value["resourceType"] == "Bundle":
        yield from _bundle(value, depth)
    else:
        yield url, value


def _bundle(bundle: Json, depth: int) -> Iterator[Found]:
    gone = {_deleted(entry) for entry in objects(bundle.get("entry"))} - {""}
    for entry in objects(bundle.get("entry")):
        resource = entry.get("resource")
        if not isinstance(resource, dict) or obj(entry.get("search")).get("mode") == "outcome":
            continue
        if not isinstance(resource.get("resourceType"), str):
            yield "", {"resourceType": UNTYPED}
            continue
        if f"{resource.get('resourceType')}/{resource.get('id')}" in gone:
            continue
        yield from _open(resource, word(entry.get("fullUrl"), 512), depth + 1)


def _deleted(entry: Json) -> str:
    """Give "Type/id" of what this entry of a history or transaction deletes."""
    request = obj(entry.get("request"))
    if request.get("method") != "DELETE":
        return ""
    return "/".join(word(request.get("url"), 512).split("/_history")[0].split("/")[-2:])
