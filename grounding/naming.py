"""Who and what a sentence names, against its source: names, rare words, and words that exclude each other."""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.types import Verdict
from grounding.facts import Facts
from grounding.lexicon import EXCLUSIVE, TERM, is_direction, is_rare, plain_words, stem
from grounding.weighing import Fault, all_words, shared

_OF_ONE_THING = ("verdict", "result", "plan", "state", "severity", "susceptibility")
"""Groups that only the nearest sentence can speak of: another sentence says it of something else."""
_TREATED = frozenset(("treat", "active", "drug", "intervent"))
"""Words that stand for the drug that an earlier sentence names."""
_STRICT = {name for name, strict, _ in EXCLUSIVE if strict}


def names(said: Facts, source: Sequence[Facts]) -> Fault | None:
    """Drugs, analytes, organs and the like must be in the source, and with the rest of what is said."""
    words = all_words(source)
    kinds = {kind for facts in source for _, kind in facts.entities}
    roots = {word[:6] for word in words}
    for word, kind in said.entities:
        if word == "lung" and "lobe" in words:
            continue
        if word not in words and not (kind in (TERM, "organ") and word[:6] in roots):
            verdict: Verdict = "contradicted" if kind in kinds and kind != "drug" else "not_supported"
            return verdict, f"{word} is not in the source"
    best = max(source, key=lambda facts: shared(said, facts))
    if shared(said, best) < 3:
        return None
    for kind in {kind for _, kind in said.entities} - {TERM}:
        mine = {word for word, k in said.entities if k == kind}
        theirs = {word for word, k in best.entities if k == kind}
        if theirs and not mine & theirs and not (theirs <= {"placebo"} and _TREATED & best.words):
            return "contradicted", f"the source says this of {', '.join(sorted(theirs))}"
    return None


_MEASURE = re.compile(
    r"(?<=\d)\s?[^\W\d]+(?:/[^\W\d]+)*|\b(?:jan|febr)uary\b|\b(?:march|april|may|june|july|august)\b|\b(?:septem|octo|novem|decem)ber\b|"
    r"\b(?:cervical|thoracic|lumbar|sacral|vertebra\w*)\b",
    re.I,
)
"""Units, months and regions of the spine are read elsewhere."""
_WORD = re.compile(r"[^\W\d_][\w'’-]*")


def strangers(said: Facts, source: Sequence[Facts]) -> Fault | None:
    """Names and rare words that the source does not have: whoever is named there is someone or something else."""
    text = " ".join(facts.text for facts in source).lower()
    words = all_words(source)
    plain = _MEASURE.sub(" ", plain_words(said.text))
    for place, token in enumerate(_WORD.findall(plain)):
        word = token.lower().removesuffix("'s").removesuffix("’s")
        if len(word) < 4 or word not in said.text.lower() or word in text or stem(word) in words or "-" in word:
            continue
        if any(word[:5] == other[:5] for other in words) or is_direction(word):
            continue
        named = place > 0 and token[0].isupper() and not token.isupper()
        if named or is_rare(word):
            return "not_supported", f"{token} is not in the source"
    return None


_BROKEN = re.compile(r"\bgrade [123]\b|\bdeformit|\bfractured?\b|\bcompress", re.I)


def fractured(said: Facts, source: Sequence[Facts]) -> Fault | None:
    """A level that the source grades as deformed is not "not fractured"."""
    if not said.levels or not re.search(r"fractur|deform", said.text, re.I) or not any(c.negated for c in said.clauses):
        return None
    for facts in source:
        if facts.levels & said.levels and _BROKEN.search(facts.text) and not any(clause.negated for clause in facts.clauses):
            return "contradicted", "the source says that this level is deformed"
    return None


def groups(said: Facts, source: Sequence[Facts]) -> Fault | None:
    """Sides, places, populations, severities and other words that exclude each other."""
    ranked = sorted(source, key=lambda facts: -shared(said, facts))
    everywhere: dict[str, set[str]] = {}
    for facts in source:
        for name, members in facts.groups:
            everywhere.setdefault(name, set()).update(members)
    near = dict(ranked[0].groups)
    for name, mine in said.groups:
        theirs = near.get(name) or (frozenset() if name in _OF_ONE_THING else frozenset(everywhere.get(name, ())))
        if name in ("age", "sex") and any(clause.negated for clause in said.clauses):
            continue  # "children were not included"
        if theirs and not mine & theirs and not (name == "side" and "both" in theirs):
            return (
                "contradicted",
                f"{name} {', '.join(sorted(mine))} is not in the source, which says {', '.join(sorted(theirs))}",
            )
        if not theirs and name in _STRICT:
            return "not_supported", f"{', '.join(sorted(mine))} is not in the source"
    return _hyper_hypo(said, source)


def _hyper_hypo(said: Facts, source: Sequence[Facts]) -> Fault | None:
    words = all_words(source)
    for one, other in (("hyper", "hypo"), ("hypo", "hyper"), ("tachy", "brady"), ("brady", "tachy")):
        for word in said.words - words:
            if word.startswith(one) and any(w.startswith(other) and w[len(other) :] == word[len(one) :] for w in words):
                return "contradicted", f"the source says {other}-, not {one}-"
    return None
