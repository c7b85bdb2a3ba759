"""A second author's families of faithful and faulty sentences, written without sight of the first and of the check.

Families of hand-written sources and sentences (`second_dev.txt`, `second_held.txt`) have slots for names and numbers; the
seed fills them. Rules are tuned on the dev families only.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from evals.grounding.cases import Case

_HERE = Path(__file__).resolve().parent
_PER_SET = 150
_SLOT = re.compile(r"\{(\w+)(?:([-+*/])(\d+(?:\.\d+)?))?(?:~(-?\d))?\}")


@dataclass(frozen=True)
class Family:
    """One source with its slots (`a=3..9`, `d=x|y`) and the sentences written for it, each with its category."""

    name: str
    slots: dict[str, str]
    sources: tuple[str, ...]
    faithful: tuple[tuple[str, str], ...]
    faulty: tuple[tuple[str, str], ...]


def generate(split: str, seed: int = 1) -> list[Case]:
    """150 faithful and 150 faulty cases of "dev" or "held", the same ones for the same seed."""
    families = list(read_families((_HERE / f"second_{split}.txt").read_text(encoding="utf-8")))
    return make_cases(families, random.Random(f"{seed} {split}"))  # noqa: S311 - not for secrets


def read_families(text: str) -> Iterator[Family]:
    """Families of a file: `##` name, then slots, `>` sources, `= category: sentence`, `! category: sentence`."""
    for block in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        name, slots, *lines = block.strip().splitlines()
        kinds: dict[str, list[str]] = {">": [], "=": [], "!": []}
        for line in lines:
            kinds[line[0]].append(line[2:])
        yield Family(
            name,
            dict(re.findall(r"(\w)=(\S+)", slots)),
            tuple(kinds[">"]),
            tuple(_tagged(line) for line in kinds["="]),
            tuple(_tagged(line) for line in kinds["!"]),
        )


def _tagged(line: str) -> tuple[str, str]:
    category, sentence = line.split(": ", 1)
    return category, sentence


def make_cases(families: Sequence[Family], rng: random.Random) -> list[Case]:
    """As many faulty as faithful cases; every wording once before any comes again with other slots."""
    cases = []
    for faulty in (True, False):
        pool = [(family, *pair) for family in families for pair in (family.faulty if faulty else family.faithful)]
        if faulty:  # a true sentence beside another family's source
            pool += [(family, "swapped citation", family.faithful[0][1]) for family in families]
        order = [item for _ in range(1 + _PER_SET // len(pool)) for item in rng.sample(pool, len(pool))]
        cases += [_case(item, faulty, families, rng) for item in order[:_PER_SET]]
    return cases


def _case(item: tuple[Family, str, str], faulty: bool, families: Sequence[Family], rng: random.Random) -> Case:
    family, category, sentence = item
    values = {name: _draw(spec, rng) for name, spec in family.slots.items()}
    sources = tuple(_fill(source, values) for source in family.sources)
    if category == "swapped citation":
        other = rng.choice([one for one in families if one is not family])
        drawn = {name: _draw(spec, rng) for name, spec in other.slots.items()}
        sources = tuple(_fill(source, drawn) for source in other.sources)
    filled = _fill(sentence, values)
    return Case("", family.name, filled[0].upper() + filled[1:], sources, faulty, category)


def _draw(spec: str, rng: random.Random) -> str:
    if "|" in spec:
        return rng.choice(spec.split("|"))
    low, high = spec.split("..")
    if "." in low:
        return f"{rng.randint(round(float(low) * 100), round(float(high) * 100)) / 100:.{len(low.split('.')[1])}f}"
    return str(rng.randint(int(low), int(high)))


def _fill(text: str, values: dict[str, str]) -> str:
    def put(match: re.Match[str]) -> str:
        name, operator, operand, digits = match.groups()
        value = values[name]
        if operator is None and digits is None:
            return value
        number, by = float(value), float(operand or 0)
        number = {"+": number + by, "-": number - by, "*": number * by, "/": number / (by or 1)}.get(operator, number)
        if digits is not None:
            return f"{round(number, int(digits)):.{max(int(digits), 0)}f}"
        return f"{number:.6g}"

    return _SLOT.sub(put, text)
