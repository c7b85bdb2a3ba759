"""`consilium text check-answer`: a verdict on each sentence of a file, judged by the evidence on its line."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError

from agent.grounding import check_sentence
from core.errors import FileError
from core.types import Evidence, Passage

_EVIDENCE: TypeAdapter[Evidence] = TypeAdapter(Evidence)
_SHAPE = '{"id", "sentence", "evidence": [text or evidence object]}'
_WORDS = ("statement", "text")


class Line(BaseModel):
    """A line of the file; evidence is a text, or an object with at least its words."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: JsonValue = ""
    sentence: str
    evidence: tuple[str | dict[str, Any], ...] = ()


def run(arguments: argparse.Namespace) -> int:
    """One verdict per line, in order; 2 when a line could not be read, after all others were judged."""
    worst = 0
    for line in _lines(Path(arguments.batch)):
        told = _told(line)
        worst = max(worst, 2 if "error" in told else 0)
        if arguments.json:
            print(json.dumps(told, ensure_ascii=False), flush=True)
        else:
            print(f"{told['id']}  {told.get('verdict', 'error')}: {told.get('why') or told.get('error')}")
    return worst


def _lines(path: Path) -> Iterator[bytes]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileError(f"The batch file {path.name!r} cannot be read: {error}.") from error
    for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        if line.strip():
            yield line


def _told(raw: bytes) -> dict[str, JsonValue]:
    try:
        line = Line.model_validate_json(raw)
        if not line.sentence.strip():
            return {"id": line.id, "error": f"sentence: nothing is said. Each line is {_SHAPE}."}
        judged = check_sentence(line.sentence, [_evidence(item) for item in line.evidence])
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"]) or "the line"
        return {"id": _id_of(raw), "error": f"{where}: {fault['msg']}. Each line is {_SHAPE}."}
    return {"id": line.id, "verdict": judged.verdict, "why": judged.why}


def _evidence(item: str | dict[str, Any]) -> Evidence:
    """A whole evidence object as it is; a text, or an object that has little more than its words, as a passage."""
    if isinstance(item, str):
        return _passage(item, "")
    words = [item[name] for name in _WORDS if isinstance(item.get(name), str)]
    try:
        return _EVIDENCE.validate_python(item)
    except ValidationError:
        if not words:
            raise
    return _passage(words[0], str(item.get("title") or ""))


def _passage(text: str, title: str) -> Passage:
    return Passage(passage_id="", document_id="", text=text, span=(0, len(text)), title=title, corpus="given", score=0.0)


def _id_of(raw: bytes) -> JsonValue:
    """The id of a line that is not of the right shape; null when it is not even an object."""
    try:
        found: JsonValue = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return found.get("id") if isinstance(found, dict) else None
