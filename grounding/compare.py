"""A sentence against its sources: what is missing, what is turned around. Pure rules, one per kind of fault."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations

from core.quotes import find_quote
from core.types import Verdict
from grounding.facts import Bound, Clause, Facts, facts_of, normalise, sentences
from grounding.lexicon import EXCLUSIVE, GENERIC, TERM, is_direction, is_rare, plain_words, stem
from grounding.quantities import Quantity, agrees

Closeness = Callable[[str, Sequence[str]], float]
"""Semantic closeness of a sentence to the nearest of some sentences, 0 to 1."""

_OF_ONE_THING = ("verdict", "result", "plan", "state", "severity", "susceptibility")
"""Groups that only the nearest sentence can speak of: another sentence says it of something else."""
_CHANGED = frozenset(("differ", "chang", "affec", "alter", "influenc"))
_TREATED = frozenset(("treat", "active", "drug", "intervent"))
"""Words that stand for the drug that an earlier sentence names."""
_STRICT = {name for name, strict, _ in EXCLUSIVE if strict}
_GENERIC = frozenset(word[:6] for word in GENERIC)
_PARTLY_BELOW, _UNSUPPORTED_BELOW = 0.5, 0.3
_WITH_NUMBERS = 0.25
"""Share of words that is enough where a measured number of the sentence stands in the source."""
_ABOUT_THE_SAME = 0.5
"""Share of a clause's words that the nearest clause must have before their polarity is compared."""
_CLOSE, _FAR = 0.7, 0.35
Fault = tuple[Verdict, str]


def compare(claim: str, sources: Sequence[str], closeness: Closeness | None = None) -> Fault:
    """The verdict on a claim by the texts it cites, and why."""
    said = facts_of(claim)
    for quote in said.quotes:
        if not any(find_quote(quote.rstrip("."), source) for source in sources):
            return "not_supported", f"the quoted words “{quote[:60]}” do not stand in the source"
    parts = [part for source in sources for part in sentences(source)]
    source = _resolved([facts_of(part) for part in parts])
    if not source:
        return "not_supported", "the cited evidence has no text"
    whole = normalise(claim).rstrip(".")
    if any(normalise(text).rstrip(".") == whole for text in (*sources, *parts)):
        return "supported", "stands in the source word for word"
    for rule in (_references, _levels_ids_dates, _numbers, _keys, _trend, _bindings):
        fault = rule(said, source)
        if fault:
            return fault
    if said.quotes:
        return "supported", "quoted verbatim"
    for rule in (_entities, _strangers, _fractured, _groups, _meaning, _certainty):
        fault = rule(said, source)
        if fault:
            return fault
    return _coverage(said, source, claim, parts, closeness)


_PRONOUN = re.compile(r"\s*(?:it|they|this|these|he|she|its|their|both|the (?:drug|effect|lesion|latter))\b", re.I)


def _resolved(source: list[Facts]) -> list[Facts]:
    """Sentences that begin with a pronoun take over the words of the sentence before."""
    found: list[Facts] = []
    for facts in source:
        if found and facts.clauses and _PRONOUN.match(facts.text):
            first = facts.clauses[0]
            first = replace(first, inherited=first.inherited | (found[-1].words - first.words))
            facts = replace(facts, clauses=(first, *facts.clauses[1:]))
        found.append(facts)
    return found


def _weight(words: frozenset[str]) -> float:
    return sum(0.25 if word[:6] in _GENERIC else 1.0 for word in words)


def _all_words(source: Sequence[Facts]) -> frozenset[str]:
    return frozenset(word for facts in source for word in facts.words)


def _references(said: Facts, source: Sequence[Facts]) -> Fault | None:
    text = "".join(normalise(facts.text) for facts in source)
    plain = "".join(ch for ch in text if ch not in " ().,:;")
    for reference in sorted(said.references):
        if reference not in plain:
            return "not_supported", f"the reference {reference} is not among the evidence"
    return None


def _levels_ids_dates(said: Facts, source: Sequence[Facts]) -> Fault | None:
    levels = {level for facts in source for level in facts.levels}
    known = levels | {end for level in levels for end in level.split("-")}
    extra = {level for level in said.levels if level not in known and not set(level.split("-")) <= known}
    if extra:
        return "contradicted", f"level {', '.join(sorted(extra))} is not in the source"
    ids = {name for facts in source for name in facts.ids}
    text = normalise(" ".join(facts.text for facts in source))
    for name in sorted(said.ids - ids):
        if name not in text and name.removeprefix("mrn") not in text:
            verdict: Verdict = "contradicted" if ids else "not_supported"
            return verdict, f"{name} is not whom or what the source is about"
    dates = {date for facts in source for date in facts.dates}
    for date in sorted(said.dates):
        if not any(other.startswith(date) or (date.startswith(other) and len(other) > 4) for other in dates):
            others = [other for other in said.dates if other != date and other in dates]
            if not others:
                return "contradicted" if dates else "not_supported", f"date {date} is not in the source"
    return None


def _numbers(said: Facts, source: Sequence[Facts]) -> Fault | None:
    known = [(bound.quantity, facts.text) for facts in source for bound in facts.quantities]
    known += [(quantity, facts.text) for facts in source for quantity in _computed(said.text, facts)]
    for bound in said.quantities:
        mine = bound.quantity
        if mine.derived or any(agrees(mine, theirs, said.text + " " + text) for theirs, text in known):
            continue
        if mine.dimension == "share" and any(
            not q.dimension and 0 < q.number < 2 and abs(abs(1 - q.number) * 100 - mine.number) < 0.51 for q, _ in known
        ):
            continue  # a ratio of 0.53 is a reduction of 47 %
        if mine.bound and any(_inside(mine.bound, mine.value, q.value) for q, _ in known
                              if q.dimension == mine.dimension and not q.bound):  # fmt: skip
            continue
        if mine.dimension == "per day" and not any(q.dimension == "per day" for q, _ in known):
            return "not_supported", f"“{mine.text}” is not in the source"
        return "contradicted", f"{mine.text} is not in the source"
    return None


_MISSED = re.compile(r"\b(?:miss(?:ed|es)?|without|remaining|rest|other)\b", re.I)


def _computed(claim: str, facts: Facts) -> list[Quantity]:
    """What follows from the numbers of a sentence: a daily total, a difference, the rest of a whole."""
    plain = [bound.quantity for bound in facts.quantities if not bound.quantity.derived]
    times = [quantity.number for quantity in plain if quantity.dimension == "per day" and quantity.number > 1]
    found = [replace(q, number=q.number * times[0]) for q in plain if times and q.dimension in ("mass", "units", "volume")]
    if re.search(r"\bby\b|\bdifference\b|\bmore\b|\bless\b", claim):
        found += [
            replace(two, number=round(abs(two.number - one.number), 6))
            for one, two in combinations(plain, 2)
            if one.dimension == two.dimension and one.factor == two.factor and one.number != two.number and one.dimension
        ]
    if _MISSED.search(claim):
        found += [replace(q, number=100 - q.number) for q in plain if q.dimension == "share" and 0 < q.number < 100]
    return found


def _inside(bound: str, limit: float, value: float) -> bool:
    """Whether a value bears out "more than" or "less than" a limit, and is near enough to be what was meant."""
    return limit < value <= 1.25 * limit if bound == "least" else 0.75 * limit <= value < limit


def _bindings(said: Facts, source: Sequence[Facts]) -> Fault | None:
    """A number belongs to the thing that it stands with; another thing's number beside it is a fault."""
    if "respectively" in said.text.lower() or any("respectively" in facts.text.lower() for facts in source):
        return None
    for bound in said.quantities:
        if bound.free:
            continue
        matching: list[tuple[frozenset[str], Facts, Quantity]] = []
        rivals: list[tuple[frozenset[str], Facts, Quantity]] = []
        for facts in source:
            for other in facts.quantities:
                same = agrees(bound.quantity, other.quantity, said.text + " " + facts.text)
                words = other.words if _weight(other.words) else facts.words
                (matching if same else rivals).append((words, facts, other.quantity))
        if not matching:
            continue
        mine = _own_words(bound, said)
        best = max(_weight(mine & words) for words, _, _ in matching)
        for words, _, quantity in rivals:
            only = words - frozenset(w for match, _, _ in matching for w in match)
            named = any(word in only and word in mine for word, _ in said.entities)
            timed = "time" in (quantity.dimension, bound.quantity.dimension)
            if quantity.dimension != bound.quantity.dimension and (timed or not named):
                continue
            lost = _weight(mine & (frozenset(w for m, _, _ in matching for w in m) - words))
            if _weight(mine & only) >= 1 and lost < 1 and _weight(mine & words) > best:
                return "contradicted", f"{bound.quantity.text} stands with something else in the source"
    return None


def _own_words(bound: Bound, said: Facts) -> frozenset[str]:
    if _weight(bound.words) >= 1:
        return bound.words
    return said.words


def _entities(said: Facts, source: Sequence[Facts]) -> Fault | None:
    """Drugs, analytes, organs and the like must be in the source, and with the rest of what is said."""
    words = _all_words(source)
    kinds = {kind for facts in source for _, kind in facts.entities}
    roots = {word[:6] for word in words}
    for word, kind in said.entities:
        if word == "lung" and "lobe" in words:
            continue
        if word not in words and not (kind in (TERM, "organ") and word[:6] in roots):
            verdict: Verdict = "contradicted" if kind in kinds and kind != "drug" else "not_supported"
            return verdict, f"{word} is not in the source"
    best = max(source, key=lambda facts: _shared(said, facts))
    if _shared(said, best) < 3:
        return None
    for kind in {kind for _, kind in said.entities} - {TERM}:
        mine = {word for word, k in said.entities if k == kind}
        theirs = {word for word, k in best.entities if k == kind}
        if theirs and not mine & theirs and not (theirs <= {"placebo"} and _TREATED & best.words):
            return "contradicted", f"the source says this of {', '.join(sorted(theirs))}"
    return None


_MEASURE = re.compile(
    r"(?<=\d)\s?[^\W\d]+(?:/[^\W\d]+)*|\b(?:jan|febr)uary\b|\b(?:march|april|may|june|july|august)\b|\b(?:septem|octo|novem|decem)ber\b|"
    r"\b(?:cervical|thoracic|lumbar|sacral|vertebra\w*)\b", re.I
)
"""Units, months and regions of the spine are read elsewhere."""
_WORD = re.compile(r"[^\W\d_][\w'’-]*")


def _strangers(said: Facts, source: Sequence[Facts]) -> Fault | None:
    """Names and rare words that the source does not have: whoever is named there is someone or something else."""
    text = " ".join(facts.text for facts in source).lower()
    words = _all_words(source)
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


def _fractured(said: Facts, source: Sequence[Facts]) -> Fault | None:
    """A level that the source grades as deformed is not "not fractured"."""
    if not said.levels or not re.search(r"fractur|deform", said.text, re.I) or not any(c.negated for c in said.clauses):
        return None
    for facts in source:
        if facts.levels & said.levels and _BROKEN.search(facts.text) and not any(clause.negated for clause in facts.clauses):
            return "contradicted", "the source says that this level is deformed"
    return None


def _shared(said: Facts, facts: Facts) -> float:
    same = sum(any(agrees(a.quantity, b.quantity, said.text) for b in facts.quantities) for a in said.quantities)
    named = frozenset(word for word, _ in said.entities)
    return _weight(said.words & facts.words) + 0.5 * len(named & facts.words) + 2 * same


def _groups(said: Facts, source: Sequence[Facts]) -> Fault | None:
    """Sides, places, populations, severities and other words that exclude each other."""
    ranked = sorted(source, key=lambda facts: -_shared(said, facts))
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
    words = _all_words(source)
    for one, other in (("hyper", "hypo"), ("hypo", "hyper"), ("tachy", "brady"), ("brady", "tachy")):
        for word in said.words - words:
            if word.startswith(one) and any(w.startswith(other) and w[len(other) :] == word[len(one) :] for w in words):
                return "contradicted", f"the source says {other}-, not {one}-"
    return None


def _meaning(said: Facts, source: Sequence[Facts]) -> Fault | None:
    """Negation, comparison and direction of each clause against the clause of the source that is nearest."""
    clauses = [clause for facts in source for clause in facts.clauses]
    outside = frozenset(w for clause in clauses for w in clause.words)
    excluded = frozenset(w for clause in clauses for w in clause.without) - outside
    for clause in said.clauses:
        if not clause.negated and clause.words & excluded:
            return "contradicted", f"the source says without {', '.join(sorted(clause.words & excluded))}"
        mine = _Polarised(clause)
        ranked = [(mine.nearness(other, negated), other, negated) for other in clauses for negated in (False, True)
                  if (negated and (other.negated or other.without)) or (not negated and not other.negated)]  # fmt: skip
        if not ranked:
            continue
        top = max(score for score, _, _ in ranked)
        if top < 0.9 or top < _ABOUT_THE_SAME * _weight(clause.words):
            continue
        nearest = [(other, negated) for score, other, negated in ranked if score > top - 0.01]
        if all(negated != clause.negated for _, negated in nearest) and not _says_no_change(clause, nearest[0][0]):
            return "contradicted", "negation differs from the source"
        faults = [_turned(clause, other) for other, negated in nearest if negated == clause.negated]
        if faults and all(faults):
            return "contradicted", faults[0]
        fault = _numbers_order(clause, source)
        if fault:
            return "contradicted", fault
    return None


class _Polarised:
    """A clause of the claim, to be laid beside clauses of the source."""

    def __init__(self, clause: Clause) -> None:
        self.clause = clause

    def nearness(self, other: Clause, negated: bool) -> float:
        """Shared weight with the asserted or the excluded words of a source's clause."""
        words = self.clause.words | (self.clause.without if self.clause.negated else frozenset())
        if negated and not other.negated:
            return _weight(words & other.without) + (0.01 if words & other.without else -9)
        own = _weight(words & other.words) + 0.6 * _weight(words & other.inherited)
        moved = (self.clause.up or self.clause.down) and (other.up or other.down)
        return own + (0.3 if moved else 0)


def _says_no_change(mine: Clause, theirs: Clause) -> bool:
    """Words such as "did not increase" where the source says it fell (or the other way round) is no contradiction."""
    return (
        mine.negated and ((mine.up and theirs.down and not theirs.up) or (mine.down and theirs.up and not theirs.down))
    ) or (theirs.negated and not (mine.up or mine.down) and (theirs.up or theirs.down))


def _agreement(mine: Clause, theirs: Clause) -> int:
    """+1 when both clauses move what they share the same way, -1 when the other way, 0 when that is not to be told."""
    if mine.right_of_than or theirs.right_of_than or not mine.moves or not theirs.moves:
        return mine.parity * theirs.parity
    signs = []
    for sign, words in mine.moves:
        near = max(theirs.moves, key=lambda move: _weight(words & move[1]))
        if _weight(words & near[1]) > 0 or len(theirs.moves) == 1:
            signs.append(sign * near[0])
    return min(signs, default=0)


def _turned(mine: Clause, theirs: Clause) -> str:
    agreement = _agreement(mine, theirs)
    opposite, same = agreement < 0, agreement > 0
    if mine.no_difference and theirs.parity and not theirs.no_difference and not theirs.negated:
        return "the source says that there is a difference"
    if theirs.no_difference and not mine.no_difference and not mine.negated and (mine.parity or mine.words & _CHANGED):
        return "the source says that there is no difference"
    a, b, c, d = mine.left_of_than, mine.right_of_than, theirs.left_of_than, theirs.right_of_than
    if b and d:
        forward = len(b & d) + len(a & c - b - d)
        swapped = len(b & c - d) + len(a & d - b)
        if swapped and swapped >= forward - len(a & c - b - d):
            return "the two sides of the comparison are exchanged" if same else ""
        if forward and not swapped:
            return "the comparison is reversed" if opposite else ""
    if opposite and not (b and not d):
        return "direction is reversed"
    if (mine.better and theirs.worse and not theirs.better) or (mine.worse and theirs.better and not theirs.worse):
        return "better and worse are exchanged"
    return ""


def _numbers_order(clause: Clause, source: Sequence[Facts]) -> str:
    """The claim "A is lower than B" against "12 % with A, 18 % with B"."""
    a, b = clause.left_of_than, clause.right_of_than
    if not b or not clause.comparative or clause.negated:
        return ""
    for facts in source:
        pairs = [
            (x, y)
            for x in facts.quantities
            for y in facts.quantities
            if x.chunk < y.chunk and x.quantity.dimension == y.quantity.dimension and not x.quantity.derived
        ]
        for x, y in pairs:
            theirs, mine = (x, y) if x.words & b and not y.words & b else (y, x) if y.words & b and not x.words & b else (None, None)
            if theirs is None or mine is None or not mine.words & (a - theirs.words):
                continue
            arm = mine.words & (a - theirs.words) if theirs.chunk < mine.chunk else frozenset()
            if _weight((clause.words - b - arm) & facts.words) < 1:
                continue  # the numbers are of another outcome
            higher = mine.quantity.value > theirs.quantity.value
            told = facts.text.partition(min(mine, theirs, key=lambda bound: bound.chunk).quantity.text)[0]
            falling = any(_is_falling(word) for word in told.lower().split())
            if higher != (clause.comparative > 0) and not falling:
                return "the numbers of the source say the opposite"
    return ""


def _is_falling(word: str) -> bool:
    """A number of a fall or a loss: a larger one is not "higher"."""
    return word.strip(".,;()").startswith(("fall", "fell", "loss", "lost", "reduc", "decreas", "declin", "drop", "lower", "shorten"))


def _keys(said: Facts, source: Sequence[Facts]) -> Fault | None:
    """A number must stand with the date and the level that the claim gives it, where its sentence names one."""
    for name, mine, of in (
        ("date", said.dates, lambda facts: facts.dates),
        ("level", said.levels, lambda facts: facts.levels),
    ):
        if not mine:
            continue
        for bound in said.quantities:
            if bound.quantity.derived:
                continue
            holders = [
                of(facts) for facts in source
                if any(agrees(bound.quantity, other.quantity, said.text + facts.text) for other in facts.quantities)
            ]  # fmt: skip
            if holders and all(keys and not _meets(mine, keys) for keys in holders):
                return "contradicted", f"{bound.quantity.text} stands with another {name} in the source"
    return None


def _meets(mine: frozenset[str], keys: frozenset[str]) -> bool:
    return any(one.startswith(other) or other.startswith(one) for one in mine for other in keys)


def _trend(said: Facts, source: Sequence[Facts]) -> Fault | None:
    """ "It rose" against dated values that fell, and the other way round."""
    clause = next((clause for clause in said.clauses if clause.parity and not clause.negated), None)
    if clause is None or clause.right_of_than or len(said.dates) < 1:
        return None
    dated = sorted(
        (min(facts.dates), facts.quantities[0].quantity)
        for facts in source
        if len(facts.dates) == 1 and len(facts.quantities) == 1 and _weight(facts.words & said.words) >= 1
    )
    if len(dated) < 2 or len({quantity.dimension for _, quantity in dated}) != 1:
        return None
    change = dated[-1][1].value - dated[0][1].value
    if change and (change > 0) != (clause.parity > 0):
        return "contradicted", "the dated values of the source go the other way"
    return None


_CAUSES = frozenset(("cause", "caus", "causal"))
_ASSOCIATED = frozenset(("associat", "risk"))


def _certainty(said: Facts, source: Sequence[Facts]) -> Fault | None:
    words = _all_words(source)
    if said.words & _CAUSES and not words & _CAUSES and words & _ASSOCIATED:
        return "not_supported", "the source speaks of an association, not of a cause"
    return None


def _coverage(said: Facts, source: Sequence[Facts], claim: str, parts: Sequence[str], closeness: Closeness | None) -> Fault:
    words = _all_words(source) | frozenset(w for f in source for c in f.clauses for w in c.without)
    share = _weight(said.words & words) / max(_weight(said.words), 0.25)
    measured = any(
        bound.quantity.dimension and any(agrees(bound.quantity, other.quantity, claim) for f in source for other in f.quantities)
        for bound in said.quantities
    )
    if share >= (_WITH_NUMBERS if measured else _PARTLY_BELOW):
        return "supported", "numbers, names, direction and words agree with the source"
    near = closeness(claim, parts) if closeness else 0.0
    if near >= _CLOSE:
        return "supported", "close in meaning to a sentence of the source, and nothing speaks against it"
    if share < _UNSUPPORTED_BELOW and near < _FAR:
        return "not_supported", "the source is about something else"
    return "partly", "only part of the sentence is in the source"


RULES: dict[str, Callable[[Facts, Sequence[Facts]], Fault | None]] = {
    "references": _references, "levels, ids, dates": _levels_ids_dates, "numbers": _numbers, "keys": _keys, "trend": _trend, "bindings": _bindings,
    "names": _entities, "strangers": _strangers, "groups": _groups, "meaning": _meaning, "certainty": _certainty,
}  # fmt: skip
"""Every rule by name, each to be asked on its own."""
