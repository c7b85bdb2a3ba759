"""What is measured of a sentence and its sources, as numbers, for the decision whether it is borne out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from grounding.compare import RULES
from grounding.facts import Clause, Facts, facts_of, sentences
from grounding.lexicon import GENERIC, stem
from grounding.quantities import agrees

_GENERIC = frozenset(word[:6] for word in GENERIC)
_ORDERED = re.compile(r"[^\W\d_][\w'’-]*")
NAMES = (
    *(f"rule {name}" for name in RULES),
    "share of words", "share in one sentence", "share in two sentences", "words missing", "names missing", "words elsewhere",
    "substituted", "substituted in the nearest", "words", "numbers", "numbers missing", "numbers in the nearest", "negated", "negation differs", "negation differs in the nearest",
    "pole", "pole opposite", "pole same", "pole opposite in the nearest", "compared", "compared there", "sides exchanged", "quality opposite",
    "certainty added",
)  # fmt: skip
_HEDGE = re.compile(
    r"\b(?:may|might|could|possibly|suggest\w*|unclear|unknown|uncertain|potential\w*|perhaps|not known|whether)\b", re.I
)
_SURE = re.compile(
    r"\b(?:proven|proves?|established|confirmed|certain(?:ly)?|causes?|cures?|always|definitely|beyond doubt)\b", re.I
)


def features(claim: str, sources: Sequence[str]) -> dict[str, float]:
    """Numbers by name (`NAMES`); at least one source must have words."""
    said = facts_of(claim)
    parts = [part for source in sources for part in sentences(source)]
    source = [facts_of(part) for part in parts]
    ranked = sorted(source, key=lambda facts: -_shared(said, facts))
    found = {f"rule {name}": _outcome(rule(said, source)) for name, rule in RULES.items()}
    found |= _words(said, source, ranked, claim, parts)
    found |= _poles(said, source, ranked[0])
    everything = " ".join(parts)
    found["certainty added"] = float(
        bool(_SURE.search(claim)) and bool(_HEDGE.search(everything)) and not _HEDGE.search(claim)
    )
    return found


def nearest(claim: str, text: str) -> str:
    """The sentence of a text that shares most with a claim."""
    said = facts_of(claim)
    return max(sentences(text) or [text], key=lambda part: _shared(said, facts_of(part)))


def row(found: Mapping[str, float]) -> list[float]:
    """The numbers in the order of `NAMES`."""
    return [found[name] for name in NAMES]


def _outcome(fault: tuple[str, str] | None) -> float:
    return 0.0 if fault is None else 2.0 if fault[0] == "contradicted" else 1.0


def _specific(words: frozenset[str]) -> frozenset[str]:
    return frozenset(word for word in words if word[:6] not in _GENERIC)


def _shared(said: Facts, facts: Facts) -> float:
    same = sum(any(agrees(a.quantity, b.quantity, said.text) for b in facts.quantities) for a in said.quantities)
    return len(_specific(said.words & facts.words)) + 0.25 * len(said.words & facts.words) + 1.5 * same


def _words(
    said: Facts, source: Sequence[Facts], ranked: Sequence[Facts], claim: str, parts: Sequence[str]
) -> dict[str, float]:
    all_words = frozenset(word for facts in source for word in facts.words)
    all_words |= frozenset(word for facts in source for clause in facts.clauses for word in clause.without)
    mine = said.words
    size = max(len(mine), 1)
    near = ranked[0].words
    two = near | (ranked[1].words if len(ranked) > 1 else frozenset())
    lost = _specific(mine - all_words)
    names = {word for word, _ in said.entities}
    wrong = [
        bound for bound in said.quantities
        if not bound.quantity.derived
        and not any(agrees(bound.quantity, other.quantity, said.text + facts.text) for facts in source for other in facts.quantities)
    ]  # fmt: skip
    return {
        "share of words": len(mine & all_words) / size,
        "share in one sentence": len(mine & near) / size,
        "share in two sentences": len(mine & two) / size,
        "words missing": float(len(lost)),
        "names missing": float(len(names - all_words)),
        "words elsewhere": float(len(_specific((mine & all_words) - two))),
        "substituted": float(_substituted(claim, parts, lost, mine)),
        "substituted in the nearest": float(_substituted(claim, [ranked[0].text], _specific(mine - near), mine)),
        "words": float(len(mine)),
        "numbers": float(len(said.quantities)),
        "numbers missing": float(len(wrong)),
        "numbers in the nearest": float(sum(
            any(agrees(bound.quantity, other.quantity, said.text) for other in ranked[0].quantities) for bound in said.quantities
        )),
    }  # fmt: skip


def _substituted(claim: str, parts: Sequence[str], lost: frozenset[str], mine: frozenset[str]) -> int:
    """How many missing words stand where the source has another word that the claim leaves out, between the same neighbours."""
    if not lost:
        return 0
    stems = [stem(word) for word in _ORDERED.findall(claim)]
    around: dict[tuple[str, str], str] = {}
    for part in parts:
        other = [stem(word) for word in _ORDERED.findall(part)]
        for place, word in enumerate(other):
            before = other[place - 1] if place else "^"
            after = other[place + 1] if place + 1 < len(other) else "$"
            if word not in mine:
                around.setdefault((before, after), word)
                around.setdefault((before, ""), word)
                around.setdefault(("", after), word)
    count = 0
    for place, word in enumerate(stems):
        if word in lost:
            before = stems[place - 1] if place else "^"
            after = stems[place + 1] if place + 1 < len(stems) else "$"
            count += 2 * ((before, after) in around) or ((before, "") in around) + (("", after) in around)
    return count


def _pole(clause: Clause) -> int:
    return 0 if clause.up == clause.down else (1 if clause.up else -1)


def _poles(said: Facts, source: Sequence[Facts], near: Facts) -> dict[str, float]:
    """Negation, direction, quality and comparison of each clause against the nearest clause of the source."""
    counts = dict.fromkeys(
        ("negation differs", "negation differs in the nearest", "pole opposite", "pole same", "pole opposite in the nearest",
         "compared there", "sides exchanged", "quality opposite"), 0.0
    )  # fmt: skip
    clauses = [clause for facts in source for clause in facts.clauses]
    for mine in said.clauses:
        for others, suffix in ((clauses, ""), (near.clauses, " in the nearest")):
            if not others:
                continue
            other = max(others, key=lambda clause: len(mine.words & clause.words) + 0.5 * len(mine.words & clause.inherited))
            counts[f"negation differs{suffix}"] += mine.negated != (other.negated or bool(mine.words & other.without))
            product = _pole(mine) * _pole(other)
            counts[f"pole opposite{suffix}"] += product < 0
            if not suffix:
                counts["pole same"] += product > 0
                counts["compared there"] += bool(other.right_of_than)
                crossed = len(mine.left_of_than & other.right_of_than) + len(mine.right_of_than & other.left_of_than)
                straight = len(mine.left_of_than & other.left_of_than) + len(mine.right_of_than & other.right_of_than)
                counts["sides exchanged"] += (crossed > straight) - (straight > crossed)
                counts["quality opposite"] += (mine.better and other.worse) or (mine.worse and other.better)
    return counts | {
        "negated": float(any(clause.negated for clause in said.clauses)),
        "pole": float(any(_pole(clause) for clause in said.clauses)),
        "compared": float(any(clause.right_of_than for clause in said.clauses)),
    }
