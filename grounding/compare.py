"""A sentence against its sources: what is missing, what is turned around. Pure rules, one per kind of fault."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from itertools import combinations

from core.quotes import find_quote
from core.types import Verdict
from grounding import naming
from grounding.arms import label, moved_from, sides
from grounding.certainty import overclaimed
from grounding.derived import announces_sum, follows, is_difference
from grounding.facts import Bound, Facts, facts_of, normalise, sentences
from grounding.polarity import meaning
from grounding.quantities import Quantity, agrees
from grounding.ranges import out_of_range
from grounding.weighing import Fault, all_words, excused, weight

Closeness = Callable[[str, Sequence[str]], float]
"""Semantic closeness of a sentence to the nearest of some sentences, 0 to 1."""

_ENOUGH_WORDS, _UNSUPPORTED_BELOW = 0.34, 0.2
_WITH_NUMBERS = 0.1
"""Share of words that is enough where a measured number of the sentence stands in the source."""

_DISTINCTIVE = 100
"""A bare number from here on says what a sentence is about."""
_CLOSE, _FAR = 0.7, 0.35


def compare(claim: str, sources: Sequence[str], closeness: Closeness | None = None) -> Fault:
    """The verdict on a claim by the texts it cites, and why."""
    said = facts_of(claim)
    for quote in said.quotes:
        if not any(find_quote(quote.rstrip("."), source) for source in sources):
            return "not_supported", f"the quoted words “{quote[:60]}” do not stand in the source"
    parts = [part for source in sources for part in sentences(source)]
    source = _resolved([facts_of(part) for part in parts])
    source = _of_whom(said, source, [sentences(text) for text in sources])
    if not source:
        return "not_supported", "the cited evidence has no text"
    whole = normalise(claim).rstrip(".")
    if any(normalise(text).rstrip(".") == whole for text in (*sources, *parts)):
        return "supported", "stands in the source word for word"
    for rule in (_references, _levels_ids_dates, _numbers, _keys, _trend, _bindings, out_of_range):
        fault = rule(said, source)
        if fault:
            return fault
    if said.quotes:
        return "supported", "quoted verbatim"
    for rule in (
        naming.names,
        naming.strangers,
        naming.fractured,
        naming.population,
        naming.groups,
        naming.turned,
        sides,
        meaning,
        overclaimed,
    ):
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


def _of_whom(said: Facts, source: list[Facts], texts: Sequence[Sequence[str]]) -> list[Facts]:
    """Where sources are of several patients, only those of the patient that the claim names speak to it."""
    kept: list[Facts] = []
    place = 0
    named = False
    for parts in texts:
        facts = source[place : place + len(parts)]
        place += len(parts)
        ids = {name for one in facts for name in one.ids}
        if ids and said.ids and not ids & said.ids:
            continue
        named |= bool(ids & said.ids)
        kept += facts
    return kept if named else source


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
    dates = {day for facts in source for day in facts.dates}
    for day in sorted(said.dates):
        if not any(other.startswith(day) or (day.startswith(other) and len(other) > 4) for other in dates):
            others = [other for other in said.dates if other != day and other in dates]
            if not others:
                return "contradicted" if dates else "not_supported", f"date {day} is not in the source"
    return None


def _numbers(said: Facts, source: Sequence[Facts]) -> Fault | None:
    known = [(bound.quantity, facts.text) for facts in source for bound in facts.quantities]
    for bound in said.quantities:
        mine = bound.quantity
        if mine.derived or any(agrees(mine, theirs, said.text + " " + text) for theirs, text in known):
            continue
        if follows(mine, said.text, source):
            continue
        if mine.bound and any(_inside(mine.bound, mine.value, q.value) for q, _ in known
                              if q.dimension == mine.dimension and not q.bound):  # fmt: skip
            continue
        if mine.dimension == "time" and _between_dates(mine, source):
            continue
        if (
            mine.dimension == "time"
            and mine.number == 1
            and _EACH.search(said.text)
            and any(_EACH.search(text) for _, text in known)
        ):
            continue  # "a month" tells how often
        if mine.dimension == "per day" and not any(q.dimension == "per day" for q, _ in known):
            return "not_supported", f"“{mine.text}” is not in the source"
        return "contradicted", f"{mine.text} is not in the source"
    return None


def _between_dates(mine: Quantity, source: Sequence[Facts]) -> bool:
    """Whether a time lies between two dates of the source."""
    days = sorted(date.fromisoformat(one) for facts in source for one in facts.dates if len(one) == 10)
    spans = (abs((two - one).days) * 86400 for one, two in combinations(days, 2))
    return any(span and abs(span - mine.value) <= 0.1 * span for span in spans)


_EACH = re.compile(r"\b(?:a|an|per|each|every) (?:day|week|month|year|hour)\b|\b(?:daily|weekly|monthly|yearly|annual\w*)\b|/ ?(?:day|week|month|year)\b", re.I)  # fmt: skip


def _inside(bound: str, limit: float, value: float) -> bool:
    """Whether a value bears out "more than" or "less than" a limit, and is near enough to be what was meant."""
    return limit < value <= 1.25 * limit if bound == "least" else 0.75 * limit <= value < limit


def _bindings(said: Facts, source: Sequence[Facts]) -> Fault | None:
    """A number belongs to the thing that it stands with; another thing's number beside it is a fault."""
    if "respectively" in said.text.lower() or announces_sum(said.text):
        return None
    for bound in said.quantities:
        if bound.free or bound.quantity.derived or moved_from(bound, said):
            continue
        if is_difference(bound.quantity, said.text, source):
            continue
        mine = _own_words(bound, said)
        holders = [facts for facts in source if any(_same(bound, other, said, facts) for other in facts.quantities)]
        if (
            not holders
            or bound.quantity.dimension == "time"
            or bound.quantity.about
            or bound.quantity.bound
            or bound.quantity.text[:1].isalpha()
        ):
            continue
        if all(_beside_another(bound, mine, said, facts) for facts in holders) or _of_another_sentence(
            bound, mine, said, source, holders
        ):
            return "contradicted", f"{bound.quantity.text} stands with something else in the source"
    return None


def _same(bound: Bound, other: Bound, said: Facts, facts: Facts) -> bool:
    if bound.quantity.dimension == "share" and not other.quantity.dimension:
        return False
    return agrees(bound.quantity, other.quantity, said.text + " " + facts.text)


def _beside_another(bound: Bound, mine: frozenset[str], said: Facts, facts: Facts) -> bool:
    """Whether a sentence gives what the claim names to another number of the same sort."""
    alike = [
        other for other in facts.quantities
        if other.quantity.dimension == bound.quantity.dimension and not other.quantity.derived and not other.free
    ]  # fmt: skip
    matching = [other for other in alike if _same(bound, other, said, facts)]
    rivals = [other for other in alike if other not in matching]
    if not matching or not rivals or "respectively" in facts.text.lower():
        return False
    held = frozenset(word for other in matching for word in other.words)
    here = max(weight(mine & (other.words - _others(other, alike))) for other in matching)
    if any(here < 1 and weight(mine & (other.words - held)) >= 1 for other in rivals):
        return True
    own = label(bound)[1]
    return any(
        label(one)[1] and weight(own & (label(other)[1] - label(one)[1])) >= 1 and weight(label(one)[1] - label(other)[1] - own) >= 1
        for one in matching for other in rivals
    )  # fmt: skip


def _others(bound: Bound, alike: Sequence[Bound]) -> frozenset[str]:
    return frozenset(word for other in alike if other is not bound for word in other.words)


def _of_another_sentence(
    bound: Bound, mine: frozenset[str], said: Facts, source: Sequence[Facts], holders: Sequence[Facts]
) -> bool:
    held = frozenset(word for facts in holders for word in facts.words)
    for facts in source:
        if facts in holders:
            continue
        for other in facts.quantities:
            only = facts.words - held
            named = any(word in only and word in mine and kind == "analyte" for word, kind in said.entities)
            alike = other.quantity.dimension == bound.quantity.dimension or (named and other.quantity.dimension != "time")
            if not alike or other.quantity.derived:
                continue
            if (
                weight(mine & only) >= 1
                and weight(mine & held - facts.words) < 1
                and weight(mine & facts.words) > weight(mine & held)
            ):
                return True
    return False


def _own_words(bound: Bound, said: Facts) -> frozenset[str]:
    if weight(bound.words) >= 1 or len(said.quantities) > 1:
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


def _coverage(said: Facts, source: Sequence[Facts], claim: str, parts: Sequence[str], closeness: Closeness | None) -> Fault:
    words = all_words(source) | frozenset(w for f in source for c in f.clauses for w in c.without)
    words |= excused(said, words, source)
    share = weight(said.words & words) / max(weight(said.words), 0.25)
    placed = bool(said.ids | said.dates | said.levels)
    measured = placed or any(
        (bound.quantity.dimension or bound.quantity.number >= _DISTINCTIVE)
        and (
            any(agrees(bound.quantity, other.quantity, claim) for f in source for other in f.quantities)
            or follows(bound.quantity, claim, source)
        )
        for bound in said.quantities
    )
    missing = weight(said.words - words)
    if share >= (_WITH_NUMBERS if measured else _ENOUGH_WORDS) or (
        missing <= (2 if placed and said.quantities else 1) and (share > 0 or measured)
    ):
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
    "certainty": overclaimed,
}  # fmt: skip
"""Every rule by name, each to be asked on its own."""
