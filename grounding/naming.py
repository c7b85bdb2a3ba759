"""Who and what a sentence names, against its source: names, rare words, and words that exclude each other."""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.types import Verdict
from grounding.facts import Facts, words_of
from grounding.lexicon import EXCLUSIVE, TERM, is_direction, is_rare, plain_words, stem
from grounding.related import opposites
from grounding.weighing import Fault, all_words, excused, shared, weight

_OF_ONE_THING = ("verdict", "result", "plan", "state", "severity", "size", "susceptibility", "quantifier", "origin")
"""Groups that only the nearest sentence can speak of: another sentence says it of something else."""
_TREATED = frozenset(("treat", "active", "drug", "intervent"))
"""Words that stand for the drug that an earlier sentence names."""
_STRICT = {name for name, strict, _ in EXCLUSIVE if strict}


def names(said: Facts, source: Sequence[Facts]) -> Fault | None:
    """Drugs, analytes, organs and the like must be in the source, and with the rest of what is said."""
    words = all_words(source)
    kinds = {kind for facts in source for _, kind in facts.entities}
    roots = {word[:6] for word in words}
    meant = excused(said, words, source)
    for word, kind in said.entities:
        if word == "lung" and "lobe" in words:
            continue
        if word not in words and not (
            kind in (TERM, "organ") and (word[:6] in roots or word in meant or _inside(word, words))
        ):
            verdict: Verdict = "contradicted" if kind in kinds and kind != "drug" else "not_supported"
            return verdict, f"{word} is not in the source"
    best = max(source, key=lambda facts: shared(said, facts))
    if shared(said, best) < 3:
        return None
    for kind in {kind for _, kind in said.entities} - {TERM}:
        mine = {word for word, k in said.entities if k == kind}
        theirs = {word for word, k in best.entities if k == kind}
        if (
            theirs
            and not mine & theirs
            and not mine <= {"placebo"}
            and not (theirs <= {"placebo"} and _TREATED & best.words)
        ):
            return "contradicted", f"the source says this of {', '.join(sorted(theirs))}"
    return None


def _inside(word: str, words: frozenset[str]) -> bool:
    """Whether a source's word is of the same root (labrum, labral) or made with it (thyroid, hypothyroidism)."""
    root = word[: max(4, len(word) - 2)]
    return any(other.startswith(root) or (len(word) > 4 and word in other) for other in words)


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
    meant = excused(said, words, source)
    tokens = [
        part for token in _WORD.findall(plain)
        for part in (token.split("-") if "-" in token and any(half[:1].isupper() for half in token.split("-")[1:]) else [token])
    ]  # fmt: skip
    for place, token in enumerate(tokens):
        word = token.lower().removesuffix("'s").removesuffix("’s")
        if len(word) < 4 or word not in said.text.lower() or word in text or stem(word) in words or "-" in word:
            continue
        if (
            stem(word) in meant
            or word in _READ_ELSEWHERE
            or any(word[: min(5, len(word) - 2)] == other[: min(5, len(word) - 2)] for other in words)
            or is_direction(word)
        ):
            continue
        named = place > 0 and token[0].isupper() and not token.isupper()
        if named or is_rare(word):
            return "not_supported", f"{token} is not in the source"
    return None


_READ_ELSEWHERE = frozenset(("halved", "halving", "fortnight", "doubled", "tripled"))
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
        if name in _OF_ONE_THING and len(near.get(name, ())) > 1:
            near[name] = _beside(said, ranked[0], name)
        theirs = near.get(name) or (frozenset() if name in _OF_ONE_THING else frozenset(everywhere.get(name, ())))
        if name in ("age", "sex") and any(clause.negated for clause in said.clauses):
            continue  # "children were not included"
        if name == "age":
            theirs |= _ages(source)
        if theirs and not mine & theirs and not (name == "side" and "both" in theirs):
            return (
                "contradicted",
                f"{name} {', '.join(sorted(mine))} is not in the source, which says {', '.join(sorted(theirs))}",
            )
        if not theirs and name in _STRICT:
            return "not_supported", f"{', '.join(sorted(mine))} is not in the source"
    return _hyper_hypo(said, source)


def _ages(source: Sequence[Facts]) -> frozenset[str]:
    """Age groups that the years of a source tell."""
    found = set()
    for facts in source:
        for bound in facts.quantities:
            years = bound.quantity.value / 31557600 if bound.quantity.dimension == "time" else -1.0
            if not re.search(r"\byears\b|\bmonths\b|\bage", bound.text) or not re.search(r"\b(?:age|years|old)", facts.text):
                continue
            found |= {"elderly"} if 60 <= years < 110 else set()
            found |= {"children"} if 1 <= years < 18 else set()
            found |= {"adults"} if 18 <= years < 110 else set()
    return frozenset(found)


def _beside(said: Facts, facts: Facts, name: str) -> frozenset[str]:
    """The members of a group in the clause that says most of a sentence."""
    table = next(table for other, _, table in EXCLUSIVE if other == name)
    clause = max(facts.clauses, key=lambda part: weight(said.words & part.words - frozenset(map(stem, table))))
    return frozenset(table[word.lower()] for word in _WORD.findall(clause.text) if word.lower() in table)


_OF_WHOM = re.compile(
    r"\b(?:patients?|people|persons?|adults|women|men|children|infants|eyes|those|individuals|participants|subjects|survivors) "
    r"(?:with(?! no\b)|who have|having|suffering from|affected by|undergoing|treated for) ((?:[\w-]+[ ]?){1,4})",
    re.I,
)


def population(said: Facts, source: Sequence[Facts]) -> Fault | None:
    """What the people of a sentence have must be in the source."""
    words = all_words(source) | frozenset(word for facts in source for clause in facts.clauses for word in clause.without)
    for match in _OF_WHOM.finditer(said.prepared):
        named = words_of(
            re.split(r"\b(?:and|or|were|was|is|are|had|have|on|in|at|after|than|who|to|by|a|an)\b|\d", match[1])[0]
        )
        meant = excused(said, words, source)
        if weight(named) >= 1 and weight(named & (words | meant)) < 0.6 * weight(named):
            return "not_supported", f"the source is not about {match.group().strip()}"
    return None


def turned(said: Facts, source: Sequence[Facts]) -> Fault | None:
    """A word of the claim whose opposite stands in the sentence that says the rest of it."""
    best = max(source, key=lambda facts: shared(said, facts))
    for clause in said.clauses:
        if clause.negated or clause.no_difference:
            continue
        for token in _WORD.findall(clause.text):
            word = token.lower()
            if len(word) < 4 or is_direction(word) or stem(word) in best.words or word in _NOT_TURNED:
                continue
            against = opposites(word)
            other = {
                one for one in best.words if one in against or {one.removesuffix("er"), one.removesuffix("ier")} & against
            }
            rest = clause.words - {stem(word)}
            if (
                other
                and weight(rest & best.words) >= 1
                and weight(rest & best.words) >= 0.5 * weight(rest)
                and not any(part.negated for part in best.clauses if part.words & other)
            ):
                return "contradicted", f"the source says {sorted(other)[0]}, not {word}"
    return None


_NOT_TURNED = frozenset("patient patients old young male female long same other first last give given take taken".split())  # noqa: SIM905


def _hyper_hypo(said: Facts, source: Sequence[Facts]) -> Fault | None:
    words = all_words(source)
    for one, other in (("hyper", "hypo"), ("hypo", "hyper"), ("tachy", "brady"), ("brady", "tachy")):
        for word in said.words - words:
            if word.startswith(one) and any(w.startswith(other) and w[len(other) :] == word[len(one) :] for w in words):
                return "contradicted", f"the source says {other}-, not {one}-"
    return None
