"""How many faulty sentences the check of answers catches, and how many faithful ones it wrongly marks.

Families of hand-written sources and sentences (`trust_dev.txt`, `trust_heldout.txt`) have slots for names and numbers; the
seed fills them. Rules are tuned on the dev families only. A sentence counts as marked unless its verdict is `supported`.

    python -m evals.trust [--seed 1] [--show dev]
"""

from __future__ import annotations

import argparse
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.grounding import check_sentence
from core.types import Evidence, Passage, Sentence

_HERE = Path(__file__).resolve().parent
_SETS = {"dev": "trust_dev.txt", "held-out": "trust_heldout.txt"}
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


@dataclass(frozen=True)
class Case:
    """A filled sentence and the evidence that it is judged by."""

    family: str
    category: str
    faulty: bool
    sentence: str
    sources: tuple[str, ...]


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table per set, and on request what was missed or wrongly marked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", choices=sorted(_SETS), help="print the misjudged sentences of this set")
    arguments = parser.parse_args(argv)
    for name, file in _SETS.items():
        families = list(read_families((_HERE / file).read_text(encoding="utf-8")))
        cases = make_cases(families, random.Random(f"{arguments.seed} {name}"))  # noqa: S311 - not for secrets
        judged = [(case, judge(case)) for case in cases]
        _print_table(name, judged)
        if arguments.show == name:
            _print_misjudged(judged)
    return 0


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
    return Case(family.name, category, faulty, filled[0].upper() + filled[1:], sources)


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


def judge(case: Case) -> Sentence:
    """The verdict on a case; its sources are given as plain passages."""
    given: list[Evidence] = [
        Passage(passage_id="", document_id="", text=source, span=(0, len(source)), title="", corpus="trust", score=0.0)
        for source in case.sources
    ]
    return check_sentence(case.sentence, given)


def _marked(verdict: Sentence) -> bool:
    return verdict.verdict != "supported"


def _print_table(name: str, judged: Sequence[tuple[Case, Sentence]]) -> None:
    wordings = len({(case.family, case.category, re.sub(r"[\d.]+", "#", case.sentence)) for case, _ in judged})
    families = len({case.family for case, _ in judged})
    print(f"{name}: {families} families, {len(judged)} sentences, {wordings} of them distinct in more than their numbers")
    for faulty, verb in ((True, "caught"), (False, "wrongly marked")):
        kind = "faulty" if faulty else "faithful"
        chosen = [(case, verdict) for case, verdict in judged if case.faulty is faulty]
        total = Counter(case.category for case, _ in chosen)
        marked = Counter(case.category for case, verdict in chosen if _marked(verdict))
        for category in sorted(total):
            print(f"  {kind:8}  {category:18} {marked[category]:4} of {total[category]:4} {verb}")
        share = 100 * marked.total() / len(chosen)
        print(f"  {kind:8}  {'all':18} {marked.total():4} of {len(chosen):4} {verb} ({share:.1f} %)")


def _print_misjudged(judged: Sequence[tuple[Case, Sentence]]) -> None:
    for case, verdict in judged:
        if _marked(verdict) is not case.faulty:
            print(f"- {case.family} / {case.category} / {verdict.verdict}: {case.sentence}  <{verdict.why}>")


if __name__ == "__main__":
    raise SystemExit(main())
