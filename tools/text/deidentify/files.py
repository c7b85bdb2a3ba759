"""Files without identifiers: text, FHIR JSON or DICOM, told apart by their content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from core.errors import FileError, TooLarge
from core.types import Frozen
from tools.text.deidentify.mapping import Mapping
from tools.text.deidentify.spans import Span
from tools.text.deidentify.text import deidentify_text

_LARGEST = 64 * 1024 * 1024
_BLANKS = b" \t\r\n\xef\xbb\xbf"


class FileDeidentified(Frozen):
    """What came of a file. `text` is empty for DICOM, `spans` for anything but text; `changed` counts what was replaced."""

    kind: Literal["text", "fhir", "dicom"]
    text: str = ""
    spans: tuple[Span, ...] = ()
    changed: int = 0
    regions: tuple[tuple[int, int, int, int, int], ...] = ()


def kind_of_file(path: Path) -> Literal["text", "fhir", "dicom"]:
    """By content.

    Raises:
        FileError: it cannot be opened, or is binary and no DICOM.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise FileError(f"{path.name!r} cannot be read: {error.strerror}.") from error
    if head[128:132] == b"DICM" or head[:4] in (b"\x08\x00\x05\x00", b"\x08\x00\x00\x00", b"\x02\x00\x00\x00"):
        return "dicom"
    if b"\0" in head:
        raise FileError(f"{path.name!r} is binary and no DICOM file. Allowed: text, FHIR JSON or DICOM.")
    start = head.lstrip(_BLANKS)
    return "fhir" if start[:1] in (b"{", b"[") and b"resourceType" in head else "text"


def deidentify_file(path: Path, mapping: Mapping, key: bytes, out: Path | None = None) -> FileDeidentified:
    """Read a file and write it without identifiers to `out`; DICOM always needs `out`.

    Raises:
        FileError: it cannot be read as what it is.
        TooLarge: it is over 64 MB of text.
    """
    kind = kind_of_file(path)
    if kind == "dicom":
        from tools.text.deidentify.dicom import deidentify_dicom

        if out is None:
            raise FileError("A DICOM file needs --out FILE to be written to.")
        done = deidentify_dicom(path, out, mapping, key)
        return FileDeidentified(kind=kind, changed=done.changed, regions=done.regions)
    if path.stat().st_size > _LARGEST:
        raise TooLarge(
            f"{path.name!r} has {path.stat().st_size // 1024**2} MB; at most {_LARGEST // 1024**2} MB of text are read."
        )
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    made = _fhir(text, mapping, key) if kind == "fhir" else None
    if made is None:
        found = deidentify_text(text, mapping)
        made = FileDeidentified(kind="text", text=found.text, spans=found.spans, changed=len(found.spans))
    if out is not None:
        out.write_text(made.text, encoding="utf-8")
    return made


def _fhir(text: str, mapping: Mapping, key: bytes) -> FileDeidentified | None:
    """A document, or one resource a line; None when it is neither, and is then read as text."""
    from tools.text.deidentify.fhir import FhirDeidentifier

    worker = FhirDeidentifier(mapping, key)
    try:
        document: JsonValue = json.loads(text)
        told = json.dumps(worker.document(document), ensure_ascii=False, indent=1)
    except RecursionError as error:
        raise FileError("The JSON is nested too deeply.") from error
    except ValueError:
        try:
            rows: list[JsonValue] = [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError:
            return None
        told = "\n".join(json.dumps(row, ensure_ascii=False) for row in worker.rows(rows)) + "\n"
    return FileDeidentified(kind="fhir", text=told, changed=worker.changed)
