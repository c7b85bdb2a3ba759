"""Sentence pairs from families of statements: evidence with faithful, turned-around and unsupported sentences.

The files beside this module hold families (`frames_*.txt`), paired wordings (`macros.txt`) and names (`pools.txt`):

    ## family                          a block
    drug=DRUG n=10..90 x=1.1..2.0/1    slots: a pool, integers, decimals with so many places, a|b|c
    > evidence                         sentences, joined
    F kind: sentence                   follows from the evidence
    X kind: sentence                   speaks against it
    N kind: sentence                   is not in it

`{drug}` is a value, `{drug'}` another one; `{w*7:0}` and `{d/10:1}` compute and round; `(a|b|c)` picks one, `(a)?` may be
left out; `@pst` picks a wording of the family's direction (drawn anew for each pair of texts) and `@pst'` one of the other.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

Label = Literal["supports", "refutes", "neutral"]
_FOLDER = Path(__file__).parent
_LABEL: dict[str, Label] = {"F": "supports", "X": "refutes", "N": "neutral"}
_SLOT = re.compile(r"\{(\w+)(')?(?:([-*/])([\d.]+)|(~)(\d))?(?::(\d))?\}")
_CHOICE = re.compile(r"\(([^()]*\|[^()]*)\)|\(([^()|]*)\)\?")
_MACRO = re.compile(r"@(\w+)(')?")


@dataclass(frozen=True)
class Pair:
    """A claim and the evidence it is held against."""

    family: str
    kind: str
    evidence: str
    claim: str
    label: Label


@dataclass
class Family:
    """One block of a file."""

    name: str
    slots: dict[str, str]
    evidence: str = ""
    sentences: list[tuple[Label, str, str]] = field(default_factory=list)


@cache
def families() -> tuple[Family, ...]:
    """All families of the files beside this module."""
    found: list[Family] = []
    for path in sorted(_FOLDER.glob("frames_*.txt")):
        for block in re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            name, slots, *lines = block.strip().splitlines()
            family = Family(name, dict(re.findall(r"(\w+)=((?:[^\s|]+\|)+[^\s]+|\S+)", slots)))
            for line in lines:
                head, _, rest = line.partition(": ")
                if line.startswith("> "):
                    family.evidence += " " + line[2:]
                elif head[:2] in ("F ", "X ", "N "):
                    family.sentences.append((_LABEL[head[0]], head[2:], rest))
            found.append(family)
    return tuple(found)


@cache
def _pools() -> dict[str, list[str]]:
    return {
        name: values.split("|")
        for name, _, values in (line.partition(": ") for line in _lines("pools.txt"))
    }  # fmt: skip


@cache
def _macros() -> dict[str, tuple[list[str], list[str]]]:
    table = {}
    for line in _lines("macros.txt"):
        name, _, rest = line.partition(": ")
        one, _, other = rest.partition(" // ")
        table[name] = (one.split("|"), (other or one).split("|"))
    return table


def _lines(name: str) -> list[str]:
    return [line for line in (_FOLDER / name).read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def pairs(seed: int, rounds: int, names: frozenset[str] | None = None) -> Iterator[Pair]:
    """Every sentence of every family `rounds` times, each with its own values, wording and direction."""
    rng = random.Random(seed)  # noqa: S311 - sentences, not secrets
    for _ in range(rounds):
        for family in families():
            if names is None or family.name in names:
                for label, kind, sentence in family.sentences:
                    yield _pair(family, label, kind, sentence, rng)


def _pair(family: Family, label: Label, kind: str, sentence: str, rng: random.Random) -> Pair:
    values = _values(family.slots, rng)
    up = rng.random() < 0.5
    evidence = _write(family.evidence, values, up, rng)
    claim = _write(sentence, values, up, rng)
    return Pair(family.name, kind, evidence, claim, label)


def _values(slots: dict[str, str], rng: random.Random) -> dict[str, tuple[str, str]]:
    taken: set[str] = set()
    values: dict[str, tuple[str, str]] = {}
    for name, spec in slots.items():
        number = re.fullmatch(r"([\d.]+)\.\.([\d.]+)(?:/(\d))?", spec)
        if number:
            low, high, places = float(number[1]), float(number[2]), int(number[3] or 0)
            first = round(rng.uniform(low, high), places)
            other = round(first * rng.choice([0.55, 0.72, 0.81, 1.19, 1.31, 1.6, 2.0, 10]), places)
            if 1900 < low < 2100:
                other = first + rng.choice([-3, -2, -1, 1, 2, 3])
            if other == first:
                other = first + 1
            values[name] = (f"{first:.{places}f}", f"{other:.{places}f}")
        else:
            pool = [value for value in _pools().get(spec, spec.split("|")) if value not in taken]
            drawn = rng.sample(pool, min(2, len(pool)))
            taken.update(drawn)
            values[name] = (drawn[0], drawn[-1])
    return values | _computed(values, rng)


def _computed(values: dict[str, tuple[str, str]], rng: random.Random) -> dict[str, tuple[str, str]]:
    """Values that a few families derive from others."""

    def number(name: str) -> float:
        return float(values[name][0]) if name in values and re.fullmatch(r"[\d.]+", values[name][0]) else 0.0

    share = 100 * number("k") / number("n") if number("n") and number("k") else 0.0
    return {
        "share": (f"{share}", ""), "share2": (f"{share * 1.5 + 4}", ""), "k2": (str(rng.randint(3, 30)), ""),
        "cut": (f"{100 * (1 - number('mid'))}", ""), "diff": (f"{number('b') - number('a'):.0f}", ""),
        "f": values.get("f") or (f"{number('t') * 1.8 + 32:.1f}", ""),
        "o": values.get("o") or (f"{100 / max(number('p'), 1):.0f}", ""), "miss": (f"{100 - number('se'):.0f}", ""),
        "y3": (str(rng.randint(100, 999)), ""),
    }  # fmt: skip


def _write(text: str, values: dict[str, tuple[str, str]], up: bool, rng: random.Random) -> str:
    def macro(match: re.Match[str]) -> str:
        one, other = _macros().get(match[1], ([{"actq": "affected", "up": "up"}.get(match[1], match[1])],) * 2)
        return rng.choice(one if up != bool(match[2]) else other)

    def choice(match: re.Match[str]) -> str:
        return rng.choice(match[1].split("|")) if match[1] is not None else rng.choice(["", match[2]])

    for _ in range(3):
        text = _CHOICE.sub(choice, _MACRO.sub(macro, text))
    text = _SLOT.sub(lambda match: _slot(match, values), text)
    text = re.sub(r"\s+([.,;])", r"\1", " ".join(text.split()))
    return re.sub(r"(^|[.!?] )([a-z])", lambda m: m[1] + m[2].upper(), text)


def _slot(match: re.Match[str], values: dict[str, tuple[str, str]]) -> str:
    name, other, operator, operand, rounded, keep, places = match.groups()
    value = values[name][1 if other else 0]
    if rounded:
        size = 10 ** max(len(value) - int(keep), 0)
        return str(round(int(value) / size) * size)
    if operator is None and places is None:
        return value
    number, by = float(value), float(operand or 1)
    number = {"*": number * by, "/": number / by, "-": number - by}.get(operator or "", number)
    return f"{number:.{int(places or 0)}f}"
