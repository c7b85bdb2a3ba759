"""Whether a number of a sentence follows from the numbers of its source: sums, differences, shares, multiples, rests.

Each sort of arithmetic needs a word that announces it, so that a wrong number does not pass by accident.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from grounding.facts import Facts
from grounding.quantities import Quantity, near, prepare, quantities_of

_SUM = re.compile(r"\btotal\w*|\baltogether\b|\bin all\b|\btogether\b|\bcombined\b|\boverall\b|\bin sum\b", re.I)
_DIFFERENCE = re.compile(
    r"\bby\b|\bdiffer\w*|\bmore\b|\bless\b|\bfewer\b|\b\w+er\b(?=.*\b(?:than|with|in|after|group|arm)\b)|\bgap\b|\badvantage\b|"
    r"\bbenefit\b|\bsaved?\b|\bgain\w*|\bmargin\b|\bextra\b|\badditional\b",
    re.I,
)
_REST = re.compile(
    r"\bmiss\w*|\bwithout\b|\bremain\w*|\brest\b|\bother\b|\bnot\b|\bfree\b|\bnegative\b|\bdied\b|\bdeaths?\b|\bdead\b|\bmortality\b|"
    r"\balive\b|\bsurviv\w*|\bnever\b|\bno\b|\bfail\w*|\bspared\b",
    re.I,
)
_CHANGE = re.compile(r"\bby\b|\breduc\w*|\blower\w*|\bcut\b|\bfewer\b|\bless\b|\brelative\b|\bdecreas\w*|\bincreas\w*|\bfell\b|\brose\b|\blost\b|\bloss\b", re.I)  # fmt: skip
_BY = re.compile(
    r"\b(?:by|of|a|an?) (?:about |around |roughly |nearly |almost |some |approximately |at least )?[≈~]?\d", re.I
)
_ENOUGH = 30
"""A sum of two counts of one sentence that is at least so large is no accident, even unannounced."""
_EXACT = 3
"""Digits from which on a sum or difference that comes out exactly is no accident."""
_TOTAL_PARTS = 3


def announces_sum(claim: str) -> bool:
    """Whether a claim adds things up."""
    return bool(_SUM.search(claim))


def follows(mine: Quantity, claim: str, source: Sequence[Facts]) -> bool:
    """Whether a quantity of a claim can be computed from the quantities of the source."""
    if mine.dimension == "fold":
        return any(_fold(mine, one, two) for one, two in _pairs(source)) or (
            mine.number < 1 and any(_fold_told(mine, quantity) for facts in source for quantity in _plain(facts))
        )
    return (
        _is_sum(mine, claim, source)
        or is_difference(mine, claim, source)
        or is_rest(mine, claim, source)
        or _is_share(mine, claim, source)
        or _is_product(mine, claim, source)
        or _is_span(mine, claim, source)
    )


def _plain(facts: Facts) -> list[Quantity]:
    return [bound.quantity for bound in facts.quantities if not bound.quantity.derived]


def _pairs(source: Sequence[Facts]) -> Iterator[tuple[Quantity, Quantity]]:
    """Two quantities of one sentence, or of two sentences where both have the same unit."""
    for facts in source:
        for one, two in combinations(_plain(facts), 2):
            if one.dimension == two.dimension and one.number != two.number:
                yield one, two
    for first, second in combinations(source, 2):
        for one in _plain(first):
            for two in _plain(second):
                if one.dimension and one.dimension == two.dimension and one.number != two.number:
                    yield one, two


def _like(mine: Quantity, unit: Quantity, value: float) -> bool:
    """Whether a value in the unit of `unit` is what is claimed, as far as both are written."""
    if mine.dimension != unit.dimension:
        if mine.dimension and unit.dimension:
            return False
        return near(mine, value)
    return near(mine, value * unit.factor / mine.factor)


def _is_sum(mine: Quantity, claim: str, source: Sequence[Facts]) -> bool:
    told = bool(_SUM.search(claim))
    if not told and (mine.about or (mine.number < _ENOUGH if not mine.dimension else _digits(mine) < _EXACT)):
        return False
    for facts in source:
        plain = _plain(facts)
        sizes = range(2, _TOTAL_PARTS + 1) if told else (2,)
        for size in sizes:
            for parts in combinations(plain, size):
                if len({part.dimension for part in parts}) == 1 and _like(
                    mine, parts[0], sum(part.value for part in parts) / parts[0].factor
                ):
                    return True
        if told and not mine.dimension and any(q.number == mine.number - 1 and not q.dimension for q in plain):
            return True  # "a lesion ... two more"
    return told and any(
        _like(mine, one, (one.value + two.value) / one.factor) for one, two in _pairs(source) if one.dimension
    )


def _digits(mine: Quantity) -> int:
    return len(f"{abs(mine.number):.{mine.decimals}f}".replace(".", "").lstrip("0"))


def is_difference(mine: Quantity, claim: str, source: Sequence[Facts]) -> bool:
    """Whether a number is how far two numbers of the source lie apart, and the claim speaks of that."""
    if not _DIFFERENCE.search(claim) and (mine.about or _digits(mine) < _EXACT):
        return False
    return any(
        _like(mine, one, round(abs(one.value - two.value) / one.factor, 6))
        for one, two in _pairs(source)
        if one.factor == two.factor
    )


def is_rest(mine: Quantity, claim: str, source: Sequence[Facts]) -> bool:
    """Whether a number is what a share or a count of the source leaves over, and the claim speaks of a rest."""
    if not _REST.search(claim):
        return False
    if mine.dimension == "share":
        return any(near(mine, 100 - q.number) for facts in source for q in _plain(facts) if q.dimension == "share")
    return not mine.dimension and any(
        not one.dimension and not two.dimension and abs(one.number - two.number) == mine.number
        for one, two in _pairs(source)
    )


def _is_share(mine: Quantity, claim: str, source: Sequence[Facts]) -> bool:
    """A share of a count, or a relative change."""
    if mine.dimension != "share":
        return False
    for one, two in _pairs(source):
        low, high = sorted((abs(one.value), abs(two.value)))
        if high == 0:
            continue
        counts = not one.dimension and low == int(low) and high == int(high)
        told = _CHANGE.search(claim) and _BY.search(claim)
        if (counts or told) and (near(mine, 100 * low / high) or (told and near(mine, 100 * (1 - low / high)))):
            return True
    return any(
        not q.dimension and 0 < q.number < 2 and q.decimals and near(mine, abs(1 - q.number) * 100)
        for facts in source for q in _plain(facts)
    ) or any(
        not q.dimension and 0 < q.number < 1 and q.decimals and near(mine, q.number * 100)
        for facts in source for q in _plain(facts)
    )  # fmt: skip


def days_told(claim: str) -> bool:
    """Whether a total is spoken of: a day's, or that of some time, and not how often."""
    return bool(
        re.search(r"\b(?:a|per|each|every|one|total) day\b|\bdaily\b|\bover\b|\bin all\b|\btotal\b|/ ?day\b", claim, re.I)
    ) and not re.search(r"\b(?:once|twice|times|b\.?i\.?d|t\.?i\.?d)\b", claim, re.I)


def _is_product(mine: Quantity, claim: str, source: Sequence[Facts]) -> bool:
    """A daily total, or what a regular dose comes to over a time that the sentence names."""
    if mine.dimension not in ("mass", "units", "volume"):
        return False
    if not days_told(claim):
        return False
    days = [q.value / 86400 for q in quantities_of(prepare(claim)) if q.dimension == "time" and q.value]
    for facts in source:
        for bound in facts.quantities:
            dose = bound.quantity
            if dose.dimension != mine.dimension:
                continue
            rates = [
                b.quantity.number for b in facts.quantities if b.quantity.dimension == "per day" and b.chunk == bound.chunk
            ]
            totals = [rate * time for rate in rates for time in (1.0, *days)]
            if any(_like(mine, dose, dose.number * total) for total in totals if abs(total - 1) > 1e-9):
                return True
    return False


def _is_span(mine: Quantity, claim: str, source: Sequence[Facts]) -> bool:
    """The time over which a total was reckoned."""
    return mine.dimension == "time" and any(
        _is_product(quantity, claim, source) for quantity in quantities_of(prepare(claim)) if quantity.dimension != "time"
    )


def _fold_told(mine: Quantity, theirs: Quantity) -> bool:
    """Halved, where the source gives a fall in per cent or a ratio."""
    if theirs.dimension == "share":
        ratio = 1 - theirs.number / 100
    elif not theirs.dimension and theirs.decimals and 0 < theirs.number < 1:
        ratio = theirs.number
    else:
        return False
    if mine.bound == "most":
        return 0.6 * mine.number <= ratio < mine.number
    return abs(ratio - mine.number) <= 0.13 * mine.number


def _fold(mine: Quantity, one: Quantity, two: Quantity) -> bool:
    low, high = sorted((abs(one.value), abs(two.value)))
    if low == 0:
        return False
    ratio = high / low if mine.number >= 1 else low / high
    if mine.bound == "least":
        return mine.number < ratio <= 1.6 * mine.number
    if mine.bound == "most":
        return 0.6 * mine.number <= ratio < mine.number
    return abs(ratio - mine.number) <= 0.13 * mine.number or near(replace(mine, about=True), ratio)
