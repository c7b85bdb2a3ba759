"""A third set of faithful and faulty sentences: 40 sources of other fields, findings and records as objects among them.

Every sentence is written out (no slots), each wording once. The families were cut in two in turn, before the check had
seen any of them: rules may be mended by `third_dev.txt`; of `third_held.txt` only counts by kind are looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from evals.grounding.cases import Case
from grounding.batch import Item

_HERE = Path(__file__).resolve().parent


def generate(split: str) -> list[Case]:
    """All cases of "dev" or "held", faulty ones first."""
    cases = list(_read((_HERE / f"third_{split}.txt").read_text(encoding="utf-8")))
    return sorted(cases, key=lambda case: not case.faulty)


def _read(text: str) -> Iterator[Case]:
    """Cases of a file: `##` family, `>` sources (a text or a JSON object), `= kind: sentence`, `! kind: sentence`."""
    for block in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        family, *lines = block.strip().splitlines()
        sources = tuple(_source(line[2:]) for line in lines if line[0] == ">")
        for place, line in enumerate(line for line in lines if line[0] != ">"):
            kind, sentence = line[2:].split(": ", 1)
            yield Case(f"{family}-{place}", family, sentence, sources, line[0] == "!", kind)


def _source(line: str) -> Item:
    if not line.startswith("{"):
        return line
    found: dict[str, object] = json.loads(line)
    return found
