"""Answers with planted faults and faithful ones, from hand-written families and a seed.

A family is a block of lines:

    slots: p=11..48 x=1.1..2.9/1 drug=a|b|c     integers, decimals with so many places, words
    E: a piece of evidence                       several make a list, cited [1], [2], ...
    F kind: a faithful sentence
    X kind: a sentence with a fault of that kind

`{p}` is a slot, `{p'}` another value of it (a number at least 15 % away), `{a/10:2}` and `{a*88.4:0}` arithmetic with
so many decimals, `{a:0}` rounding.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from pathlib import Path

from grounding.batch import Item

_FOLDER = Path(__file__).parent
_SLOT = re.compile(r"\{(\w+)(')?(?:([*/])([\d.]+))?(?::(\d))?\}")


@dataclass(frozen=True)
class Case:
    """A sentence, its evidence, and what is known of it; `kind` names the fault or the sort of paraphrase."""

    id: str
    family: str
    sentence: str
    evidence: tuple[Item, ...]
    faulty: bool
    kind: str


@dataclass
class _Family:
    name: str
    slots: dict[str, str] = field(default_factory=dict)
    evidence: list[str] = field(default_factory=list)
    sentences: list[tuple[bool, str, str]] = field(default_factory=list)


def generate(split: str, seed: int = 0, each: int = 300) -> list[Case]:
    """`each` faulty and `each` faithful cases of a split ("dev" or "held"), families and templates in turn."""
    rng = random.Random(f"{split}/{seed}")  # noqa: S311 - test cases, not secrets
    families = _read(_FOLDER / f"{split}.txt")
    cases = []
    for faulty in (True, False):
        pool = [(family, kind, text) for family in families for bad, kind, text in family.sentences if bad == faulty]
        for number in range(each):
            family, kind, text = pool[number % len(pool)]
            values = _choose(family.slots, rng)
            evidence = tuple(_fill(item, values) for item in family.evidence)
            name = f"{split}-{'fault' if faulty else 'faithful'}-{number:03d}"
            sentence = _fill(text, values)
            cases.append(Case(name, family.name, sentence[0].upper() + sentence[1:], evidence, faulty, kind))
    return cases


def _read(path: Path) -> list[_Family]:
    families: list[_Family] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        head, _, rest = line.partition(": ")
        if head == "family":
            families.append(_Family(rest))
        elif head == "slots":
            families[-1].slots = {name: values for name, _, values in (_slot(part) for part in _parts(rest))}
        elif head == "E":
            families[-1].evidence.append(rest)
        elif head[:2] in ("F ", "X "):
            families[-1].sentences.append((head[0] == "X", head[2:], rest))
    return families


def _parts(text: str) -> list[str]:
    return re.split(r"\s(?=\w+=)", text)


def _slot(part: str) -> tuple[str, str, str]:
    return part.partition("=")


def _choose(slots: dict[str, str], rng: random.Random) -> dict[str, tuple[str, str]]:
    """A value and another one for every slot."""
    return {name: _two(spec, rng) for name, spec in slots.items()}


def _two(spec: str, rng: random.Random) -> tuple[str, str]:
    numbers = re.fullmatch(r"([\d.]+)\.\.([\d.]+)(?:/(\d))?", spec)
    if numbers is None:
        first, second = rng.sample(spec.split("|"), 2)
        return first, second
    low, high, places = float(numbers[1]), float(numbers[2]), int(numbers[3] or 0)
    first_number = round(rng.uniform(low, high), places)
    other = round(first_number * rng.choice([0.72, 0.81, 1.19, 1.31, 1.6]), places)
    return f"{first_number:.{places}f}", f"{other:.{places}f}"


def _fill(text: str, values: dict[str, tuple[str, str]]) -> str:
    def one(match: re.Match[str]) -> str:
        name, other, operator, operand, places = match.groups()
        value = values[name][1 if other else 0]
        if operator is None and places is None:
            return value
        number = float(value)
        if operator == "*":
            number *= float(operand)
        elif operator == "/":
            number /= float(operand)
        return f"{number:.{int(places or 0)}f}"

    return _SLOT.sub(one, text)
