"""A sentence against its sources: what is missing, what is turned around. Pure rules, one per kind of fault."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations

from core.quotes import find_quote
from core.types import Verdict
from grounding import naming
from grounding.facts import Bound, Facts, facts_of, normalise, sentences
from grounding.polarity import meaning
from grounding.quantities import Quantity, agrees
from grounding.weighing import Fault, all_words, weight

Closeness = Callable[[str, Sequence[str]], float]
"""Semantic closeness of a sentence to the nearest of some sentences, 0 to 1."""

_PARTLY_BELOW, _UNSUPPORTED_BELOW = 0.5, 0.3
_WITH_NUMBERS = 0.25
"""Share of words that is enough where a measured number of the sentence stands in the source."""

_CLOSE, _FAR = 0.7, 0.35


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
    for rule in (naming.names, naming.strangers, naming.fractured, naming.groups, meaning, _certainty):
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
                words = other.words if weight(other.words) else facts.words
                (matching if same else rivals).append((words, facts, other.quantity))
        if not matching:
            continue
        mine = _own_words(bound, said)
        best = max(weight(mine & words) for words, _, _ in matching)
        for words, _, quantity in rivals:
            only = words - frozenset(w for match, _, _ in matching for w in match)
            named = any(word in only and word in mine for word, _ in said.entities)
            timed = "time" in (quantity.dimension, bound.quantity.dimension)
            if quantity.dimension != bound.quantity.dimension and (timed or not named):
                continue
            lost = weight(mine & (frozenset(w for m, _, _ in matching for w in m) - words))
            if weight(mine & only) >= 1 and lost < 1 and weight(mine & words) > best:
                return "contradicted", f"{bound.quantity.text} stands with something else in the source"
    return None


def _own_words(bound: Bound, said: Facts) -> frozenset[str]:
    if weight(bound.words) >= 1:
        return bound.words
    return said.words


def _keys(said: Facts, source: Sequence[Facts]) -> Fault | None:
    """A number must stand with the date and the level that the claim gives it, where its sentence names one."""
    for name in ("date", "level"):
        mine = said.dates if name == "date" else said.levels
        if not mine:
            continue
        for bound in said.quantities:
            if bound.quantity.derived:
                continue
            holders = [
                facts.dates if name == "date" else facts.levels for facts in source
                if any(agrees(bound.quantity, other.quantity, said.text + facts.text) for other in facts.quantities)
            ]  # fmt: skip
            if holders and all(keys and not _meets(mine, keys) for keys in holders):
                return "contradicted", f"{bound.quantity.text} stands with another {name} in the source"
    return None


def _meets(mine: frozenset[str], keys: frozenset[str]) -> bool:
    return any(one.startswith(other) or other.startswith(one) for one in mine for other in keys)


def _trend(said: Facts, source: Sequence[Facts]) -> Fault | None:
    """Whether "it rose" stands against dated values that fell, or the other way round."""
    clause = next((clause for clause in said.clauses if clause.parity and not clause.negated), None)
    if clause is None or clause.right_of_than or len(said.dates) < 1:
        return None
    dated = sorted(
        (min(facts.dates), facts.quantities[0].quantity)
        for facts in source
        if len(facts.dates) == 1 and len(facts.quantities) == 1 and weight(facts.words & said.words) >= 1
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
    words = all_words(source)
    if said.words & _CAUSES and not words & _CAUSES and words & _ASSOCIATED:
        return "not_supported", "the source speaks of an association, not of a cause"
    return None


def _coverage(said: Facts, source: Sequence[Facts], claim: str, parts: Sequence[str], closeness: Closeness | None) -> Fault:
    words = all_words(source) | frozenset(w for f in source for c in f.clauses for w in c.without)
    share = weight(said.words & words) / max(weight(said.words), 0.25)
    measured = any(
        bound.quantity.dimension
        and any(agrees(bound.quantity, other.quantity, claim) for f in source for other in f.quantities)
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
    "references": _references, "levels, ids, dates": _levels_ids_dates, "numbers": _numbers, "keys": _keys,
    "trend": _trend, "bindings": _bindings,
    "names": naming.names, "strangers": naming.strangers, "groups": naming.groups, "meaning": meaning,
    "certainty": _certainty,
}  # fmt: skip
"""Every rule by name, each to be asked on its own."""
