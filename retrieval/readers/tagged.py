"""Reference manager files: PubMed's `.nbib`, RIS and BibTeX."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from core.errors import FileError
from retrieval.corpus import Document
from retrieval.readers.plain import decoded
from retrieval.readers.skipped import Skipped

_Record = dict[str, list[str]]
_NBIB = re.compile(r"^([A-Z]{2,4}) *- (.*)$")
_RIS = re.compile(r"^([A-Z][A-Z0-9])  -(?: (.*))?$")
_NBIB_NOTICES = {"RIN": "retracted", "ECI": "concern", "EIN": "corrected", "CRI": "corrected"}


def read_nbib(path: Path, skipped: list[Skipped]) -> Iterator[Document]:
    """MEDLINE-tagged records, divided by blank lines."""
    yield from _checked(path, skipped, _records(decoded(path), _NBIB, begins="PMID", ends=""), _from_nbib)


def read_ris(path: Path, skipped: list[Skipped]) -> Iterator[Document]:
    """RIS records, from TY to ER."""
    yield from _checked(path, skipped, _records(decoded(path), _RIS, begins="TY", ends="ER"), _from_ris)


def read_bibtex(path: Path, skipped: list[Skipped]) -> Iterator[Document]:
    """BibTeX entries; braces and the commonest accents are taken out."""
    yield from _checked(path, skipped, _bibtex_entries(decoded(path)), _from_bibtex)


def _checked(path: Path, skipped: list[Skipped], records: Iterator[tuple[int, _Record]], make: object) -> Iterator[Document]:
    seen = 0
    for line, record in records:
        seen += 1
        try:
            yield make(record)  # type: ignore[operator]
        except ValueError as error:
            reason = str(error).splitlines()[0] if "validation error" not in str(error) else "it has no title and no text"
            skipped.append(Skipped(file=path.name, line=line, reason=f"record not read: {reason}"))
    if not seen:
        raise FileError(f"{path.name!r} holds no record.")


def _records(text: str, pattern: re.Pattern[str], begins: str, ends: str) -> Iterator[tuple[int, _Record]]:
    record: _Record = defaultdict(list)
    first, tag = 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        found = pattern.match(line)
        if found and found[1] == begins and record:
            yield first, record
            record = defaultdict(list)
        if found and found[1] == ends:
            continue
        if found:
            tag = found[1]
            first = first if record else number
            record[tag].append((found[2] or "").strip())
        elif line.strip() and tag and record:
            record[tag][-1] += " " + line.strip()
    if record:
        yield first, record


def _from_nbib(record: _Record) -> Document:
    pmid = _first(record, "PMID")
    if not pmid:
        raise ValueError("it has no PMID")
    types = tuple(record.get("PT", ()))
    flags = [flag for tag, flag in _NBIB_NOTICES.items() if record.get(tag)]
    ids = [*record.get("AID", ()), *record.get("LID", ())]
    doi = next((value.removesuffix(" [doi]") for value in ids if value.endswith("[doi]")), None)
    return Document.model_validate(
        {
            "id": pmid,
            "title": _first(record, "TI"),
            "text": _first(record, "AB"),
            "authors": tuple(record.get("AU", ())),
            "year": _year(_first(record, "DP")),
            "venue": _first(record, "JT") or _first(record, "TA"),
            "pmid": pmid,
            "doi": doi,
            "pmcid": _first(record, "PMC"),
            "types": types,
            "flags": tuple(flags),
            "mesh": tuple(record.get("MH", ())),
            "keywords": tuple(record.get("OT", ())),
            "language": _first(record, "LA"),
        }
    )


def _from_ris(record: _Record) -> Document:
    title = _first(record, "TI") or _first(record, "T1")
    doi = _first(record, "DO")
    identity = _first(record, "AN") or doi or _first(record, "ID") or title
    if not identity:
        raise ValueError("it has no title, DOI or accession number")
    return Document.model_validate(
        {
            "id": identity,
            "title": title,
            "text": _first(record, "AB") or _first(record, "N2"),
            "authors": tuple(record.get("AU", ()) or record.get("A1", ())),
            "year": _year(_first(record, "PY") or _first(record, "Y1") or _first(record, "DA")),
            "venue": _first(record, "JO") or _first(record, "T2") or _first(record, "JF"),
            "doi": doi or None,
            "keywords": tuple(record.get("KW", ())),
            "language": _first(record, "LA"),
            "types": tuple(record.get("TY", ())),
        }
    )


def _bibtex_entries(text: str) -> Iterator[tuple[int, _Record]]:
    for found in re.finditer(r"@(\w+)\s*\{\s*([^,\s]+)\s*,", text):
        if found[1].lower() in ("comment", "string", "preamble"):
            continue
        record: _Record = {"key": [found[2]], "type": [found[1]]}
        record |= {name: [value] for name, value in _bibtex_fields(text, found.end())}
        yield text.count("\n", 0, found.start()) + 1, record


def _bibtex_fields(text: str, place: int) -> Iterator[tuple[str, str]]:
    field = re.compile(r"\s*([\w-]+)\s*=\s*")
    while found := field.match(text, place):
        start = found.end()
        end = _value_end(text, start)
        yield found[1].lower(), _plain_tex(text[start:end])
        place = end + 1 if text[end : end + 1] == "," else end
        if text[end : end + 1] != ",":
            return


def _value_end(text: str, start: int) -> int:
    """Where the value that begins at `start` ends: at a comma or brace outside braces and quotes."""
    depth, quoted = 0, False
    for place in range(start, len(text)):
        character = text[place]
        if character == '"' and depth == 0 and text[place - 1] != "\\":
            quoted = not quoted
        elif character == "{":
            depth += 1
        elif character == "}" and depth == 0:
            return place
        elif character == "}":
            depth -= 1
        elif character == "," and depth == 0 and not quoted:
            return place
    return len(text)


_COMBINING = {"'": "\u0301", "`": "\u0300", "^": "\u0302", '"': "\u0308", "~": "\u0303", "c": "\u0327"}


def _plain_tex(value: str) -> str:
    import unicodedata

    value = re.sub(r"\\(['`^\"~])\s*\{?(\w)\}?", lambda m: m[2] + _COMBINING[m[1]], value)
    value = re.sub(r"\\c\s*\{(\w)\}", lambda m: m[1] + _COMBINING["c"], value)
    value = value.replace(r"\&", "&").replace(r"\%", "%").replace("--", "–")
    return unicodedata.normalize("NFC", " ".join(re.sub(r'[{}]|^"|"$', "", value.strip()).split()))


def _from_bibtex(record: _Record) -> Document:
    return Document.model_validate(
        {
            "id": _first(record, "pmid") or _first(record, "doi") or record["key"][0],
            "title": _first(record, "title"),
            "text": _first(record, "abstract"),
            "authors": tuple(name.strip() for name in re.split(r"\s+and\s+", _first(record, "author")) if name.strip()),
            "year": _year(_first(record, "year") or _first(record, "date")),
            "venue": _first(record, "journal") or _first(record, "booktitle"),
            "doi": _first(record, "doi"),
            "pmid": _first(record, "pmid"),
            "keywords": tuple(word.strip() for word in _first(record, "keywords").split(",") if word.strip()),
            "types": tuple(record["type"]),
        }
    )


def _first(record: _Record, tag: str) -> str:
    return next(iter(record.get(tag, ())), "").strip()


def _year(text: str) -> int | None:
    found = re.search(r"\b(1[89]|20)\d\d\b", text)
    return int(found.group()) if found else None
