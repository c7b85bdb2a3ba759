"""`consilium text check-answer`: a verdict on each sentence of a file, judged by the evidence on its line."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from core.errors import FileError
from grounding.batch import has_words, judge

_SHAPE = '{"id", "sentence", "evidence": [text or evidence object]}'


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
        wordless = next((number for number, item in enumerate(line.evidence, start=1) if not has_words(item)), None)
        if wordless is not None:
            return {"id": line.id, "error": f"evidence {wordless} of this sentence has no words. Each line is {_SHAPE}."}
        verdict, why = judge(line.sentence, line.evidence)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"]) or "the line"
        return {"id": _id_of(raw), "error": f"{where}: {fault['msg']}. Each line is {_SHAPE}."}
    return {"id": line.id, "verdict": verdict, "why": why}


def _id_of(raw: bytes) -> JsonValue:
    """The id of a line that is not of the right shape; null when it is not even an object."""
    try:
        found: JsonValue = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return found.get("id") if isinstance(found, dict) else None
