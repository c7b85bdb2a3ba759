"""`consilium text check-claim`: whether texts, or an index, support a claim, refute it or do neither."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from core.errors import FileError, InputError
from core.settings import load_settings
from grounding.batch import text_of
from grounding.claims import ClaimVerdict, check_claim

_SHAPE = '{"id", "claim", "evidence": text or [text or evidence object]}'
_FROM_INDEX = 5


class Line(BaseModel):
    """A line of a batch file."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: JsonValue = ""
    claim: str
    evidence: str | tuple[str | dict[str, Any], ...] = ()


def run(arguments: argparse.Namespace) -> int:
    """One claim, or one verdict per line of a file; 2 when something could not be read."""
    if arguments.batch:
        if arguments.claim or arguments.evidence or arguments.index:
            raise InputError("--batch brings its own claims and evidence; give it alone.")
        return _batch(Path(arguments.batch), as_json=arguments.json)
    if not arguments.claim or bool(arguments.evidence) == bool(arguments.index):
        raise InputError("Give a CLAIM with either --evidence FILE or --index NAME, or --batch FILE.jsonl.")
    texts = _texts(Path(arguments.evidence)) if arguments.evidence else _found(arguments.index, arguments.claim)
    verdict = check_claim(arguments.claim, texts)
    told: dict[str, object] = {"claim": arguments.claim, **_told(verdict)}
    told["deciding"] = [
        {"evidence": item.evidence, "sentence": item.sentence, "stance": item.stance, "probability": item.probability}
        for item in verdict.deciding
    ]
    print(json.dumps(told, ensure_ascii=False) if arguments.json else f"{verdict.verdict}: {verdict.because}.")
    return 0


def _told(verdict: ClaimVerdict) -> dict[str, str]:
    return {"verdict": verdict.verdict, "because": verdict.because}


def _batch(path: Path, *, as_json: bool) -> int:
    worst = 0
    for raw in _read(path).split("\n"):
        if not raw.strip():
            continue
        told: dict[str, JsonValue]
        try:
            line = Line.model_validate_json(raw)
            items = (line.evidence,) if isinstance(line.evidence, str) else line.evidence
            if not line.claim.strip():
                raise InputError("claim: nothing is claimed")
            told = {"id": line.id, **_told(check_claim(line.claim, [text_of(item) for item in items]))}
        except (ValidationError, InputError) as error:
            first = error.errors(include_url=False)[0]["msg"] if isinstance(error, ValidationError) else str(error)
            told = {"id": _id_of(raw), "error": f"{first}. Each line is {_SHAPE}."}
            worst = 2
        if as_json:
            print(json.dumps(told, ensure_ascii=False), flush=True)
        else:
            print(f"{told['id']}  {told.get('verdict', 'error')}: {told.get('because') or told.get('error')}")
    return worst


def _id_of(raw: str) -> JsonValue:
    try:
        found: JsonValue = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return found.get("id") if isinstance(found, dict) else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"The file {path.name!r} cannot be read as UTF-8 text: {error}.") from error


def _texts(path: Path) -> list[str]:
    """The texts of a file: a .jsonl has one text or object per line, anything else is one text."""
    content = _read(path)
    if not content.strip():
        raise FileError(f"The file {path.name!r} is empty: there is no evidence in it.")
    if path.suffix.lower() != ".jsonl":
        return [content]
    texts = []
    for number, raw in enumerate(content.splitlines(), start=1):
        if not raw.strip():
            continue
        try:
            item = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise FileError(f"Line {number} of {path.name!r} is not JSON: {error}.") from error
        words = text_of(item) if isinstance(item, str | dict) else ""
        if not words:
            raise FileError(f"Line {number} of {path.name!r} has no words; each line is a text or an object with one.")
        texts.append(words)
    return texts


def _found(name: str, claim: str) -> Sequence[str]:
    from retrieval.encoders import MiniLM
    from retrieval.several import open_indexes

    outcome = open_indexes(load_settings().home, [name], MiniLM()).search(claim, _FROM_INDEX)
    return [passage.text for passage in outcome.passages]
