"""The two sides that a source contrasts (treatments, groups), and what is said of each: more or less, and which number.

A source such as "21.6 months with A and 12.8 months with B" or "more common with A than with B" gives two sides; a claim that
puts "more" or a number on the wrong one is contradicted, whether or not it uses the source's words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from grounding.derived import is_difference
from grounding.facts import Bound, Facts, words_of
from grounding.quantities import agrees
from grounding.weighing import Fault, weight

_GROUP = re.compile(r"\b(?:the |a )?([a-z][\w-]+(?:[ -](?!group|arm)[a-z][\w-]+)?)[ -](?:group|arm)s?\b", re.I)
_STRATEGY = re.compile(r"\b([a-z][\w-]+)[ -](?:strategy|threshold|regimen|course|dose|approach|care|therapy)\b", re.I)
_NOT_A_LABEL = frozenset(
    "each both either every all this that these one other another same two treatment study age patient of in on their which".split()  # noqa: SIM905
)
_PHRASE = r"((?:[a-z][\w-]*\s){0,2}[a-z][\w-]*)"
_AGAINST = re.compile(
    rf"{_PHRASE}\s(?:versus|vs\.?|(?:was |were |is )?compared (?:with|to)|rather than|instead of)\s(?:with |in |on |after |those |given |the |a )*{_PHRASE}",
    re.I,
)
_THAN = re.compile(
    rf"\b(?:with|on|in|after|for|under|among|by|of)\s(?:the |those |patients |given |on )*{_PHRASE}\s(?:\([^()]*\)\s)?than\s(?:with |in |on |after |for |under |among |by |of |the |those |given )*{_PHRASE}",
    re.I,
)
_LABELLED = re.compile(
    r"\b(?:with|on|after|under|among|given|receiving|taking|assigned|for|when|if|where|in)\s+(?:the |those |patients |a |an |to |of |on )*",
    re.I,
)
_MORE = re.compile(
    r"\b(?:more|greater|higher|longer|larger|increas\w*|rais(?:ed|es|ing|e)|rose|rises?|prolong\w*|stronger|climbed|commoner|grew|gained)\b",
    re.I,
)
_LESS = re.compile(
    r"\b(?:less|fewer|lower|lowers|lowered|lowering|shorter|smaller|reduc\w*|decreas\w*|fell|falls?|fallen|cut|cuts|shorten\w*|halv\w*|weaker|rarer|declined|dropped|spared)\b",
    re.I,
)
_LATER = re.compile(r"\blater\b", re.I)
_EARLIER = re.compile(r"\b(?:earlier|sooner)\b", re.I)
_SPLIT_THAN = re.compile(r"\bthan(?! \d)\b|\bcompared (?:with|to)\b|\brelative to\b|\brather than\b|\bversus\b", re.I)
_ORDERED_PAIR = re.compile(r"\brespectively\b|\bversus\b|\bvs\b|\bagainst\b|\brather than\b|\binstead of\b", re.I)


_MAIN = words_of("primary main composite outcome outcomes endpoint end point event events frequent")
"""Words for what a trial measured, which its abstract seldom repeats."""
_ALLOTTED = re.compile(r"\b(?:assign|allocat|randomi|enrol|recruit)\w*", re.I)
"""Numbers of those who were put in each group are no outcome."""
_VERB = re.compile(r"\b(?:was|were|is|are|had|has|led|gave|caused|brought|showed|worked|did|made|\w{3,}ed|\w{3,}es)\b", re.I)
_VERB_FIRST = re.compile(r"\s*(?:\w+ed|was|were|is|are|had|has|led|took|gave|lay)\b", re.I)
"""A clause that goes on with the subject of the sentence."""


@dataclass(frozen=True)
class Arms:
    """Words (stems) that name the one side and the other."""

    first: frozenset[str]
    second: frozenset[str]

    def names(self, words: frozenset[str]) -> bool:
        """Whether either side is named."""
        return bool(words & (self.first | self.second))

    def side(self, words: frozenset[str]) -> int:
        """0 or 1 for words of one side only, -1 when both or neither are named."""
        one, two = len(words & self.first), len(words & self.second)
        return -1 if bool(one) == bool(two) else 0 if one else 1


@dataclass(frozen=True)
class _Said:
    """That an outcome is more (+1) or less (-1) on the first side, on an axis."""

    outcome: frozenset[str]
    axis: str
    sign: int


def sides(said: Facts, source: Sequence[Facts]) -> Fault | None:
    """Whether the claim says of one side what the source says of the other."""
    for arms in (arms_of(source), _of_claim(said)):
        if arms is None:
            continue
        fault = _numbers(said, source, arms) or _order(said, source, arms)
        if fault:
            return fault
    return None


def _of_claim(said: Facts) -> Arms | None:
    """The sides that a claim itself compares: "more with A than with B"."""
    for match in _THAN.finditer(said.prepared):
        found = _apart(words_of(match[1]), words_of(match[2]))
        if found:
            return found
    for clause in said.clauses:
        if clause.right_of_than:
            subject = words_of(" ".join(_VERB.split(clause.text)[0].split()[:4]))
            found = _apart(subject & clause.left_of_than, clause.right_of_than)
            if found:
                return found
    return None


def arms_of(source: Sequence[Facts]) -> Arms | None:
    """The two sides of a source, the one named first first; none when it contrasts nothing or more than two."""
    for pattern in (_GROUP, _STRATEGY):
        labels = [words for facts in source for words in _group_labels(facts.prepared, pattern)]
        distinct = list(dict.fromkeys(labels))
        if len(distinct) == 2:
            found = _apart(distinct[0], distinct[1])
            if found:
                return found
    drugs = list(dict.fromkeys(word for facts in source for word, kind in facts.entities if kind == "drug"))
    if len(drugs) == 2 and "placebo" in drugs:
        drug = next(word for word in drugs if word != "placebo")
        return Arms(frozenset((drug,)), frozenset(("placebo",)))
    for facts in source:
        for left, right in _contrasts(facts):
            found = _apart(left, right)
            if found:
                return found
    return None


def _apart(left: frozenset[str], right: frozenset[str]) -> Arms | None:
    one, two = left - right, right - left
    if weight(one) < 1 or weight(two) < 1:
        return None
    return Arms(one, two)


def _group_labels(text: str, pattern: re.Pattern[str]) -> Iterator[frozenset[str]]:
    for match in pattern.finditer(text):
        parts = [part for part in re.split(r"[ -]", match[1].lower()) if part not in _NOT_A_LABEL]
        words = words_of(" ".join(parts[-1:]))
        if weight(words) >= 1:
            yield words


def _contrasts(facts: Facts) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
    for pattern in (_THAN, _AGAINST):
        for match in pattern.finditer(facts.prepared):
            yield words_of(match[1]), words_of(match[2])
    labelled = [(bound, *label(bound)) for bound in facts.quantities if not bound.quantity.derived]
    for (one, before, left), (two, other, right) in pairwise(labelled):
        alike = one.quantity.dimension == two.quantity.dimension and one.chunk != two.chunk and before == other
        if alike and left and right:
            yield left, right


def label(bound: Bound) -> tuple[str, frozenset[str]]:
    """The preposition that follows a number in its chunk, and the words after it."""
    _, _, after = bound.text.partition(bound.quantity.text)
    match = _LABELLED.search(after)
    if match is None:
        return "", frozenset()
    return match.group().split()[0].lower(), words_of(" ".join(after[match.end() :].split()[:4]))


def moved_from(bound: Bound, said: Facts) -> bool:
    """The first number of "from 4 % to 2 %" is what there was before or without."""
    before = said.prepared[: bound.quantity.at].rstrip()
    return before.endswith(("from", "rather than", "instead of", "against", "versus", "without", "compared with"))


def _when(bound: Bound, said: Facts) -> bool:
    """Whether a time tells when, not how long something took."""
    before = said.prepared[: bound.quantity.at].rstrip()
    return bound.quantity.dimension == "time" and before.endswith(
        ("at", "after", "within", "by", "over", "for", "in", "until")
    )


def _side_of(bound: Bound, facts: Facts, arms: Arms) -> int:
    """Which side a number is of: by its own chunk; in an unlabelled pair by its place."""
    own = arms.side(label(bound)[1] or bound.words)
    if own >= 0:
        return own
    pair = [
        other for other in facts.quantities
        if other.quantity.dimension == bound.quantity.dimension and not other.quantity.derived and other.free == bound.free
    ]  # fmt: skip
    if not bound.free and not _ORDERED_PAIR.search(facts.prepared):
        return arms.side(words_of(facts.prepared[: bound.quantity.at]))
    if len(pair) != 2 or bound not in pair or not _ORDERED_PAIR.search(facts.prepared):
        return -1
    place = pair.index(bound)
    before = facts.prepared[: min(pair[0].quantity.at, pair[1].quantity.at)]
    lead = arms.side(words_of(_SPLIT_THAN.split(before)[0]))
    if lead < 0 and any(
        kind == "drug" and facts.prepared.lower().find(word[:5]) < len(before) for word, kind in facts.entities
    ):
        return -1  # of a drug that is neither side
    return place if lead != 1 else 1 - place


def _numbers(said: Facts, source: Sequence[Facts], arms: Arms) -> Fault | None:
    for bound in said.quantities:
        if bound.quantity.derived or bound.quantity.about or moved_from(bound, said) or _when(bound, said):
            continue
        mine = _side_of(bound, said, arms)
        if mine < 0 or is_difference(bound.quantity, said.text, source):
            continue
        here = rival = elsewhere = False
        for facts in source:
            if weight(said.words & facts.words - arms.first - arms.second) < 0.5:
                continue
            for other in facts.quantities:
                same = bound.quantity.dimension == other.quantity.dimension and agrees(
                    bound.quantity, other.quantity, said.text + facts.text
                )
                theirs = _side_of(other, facts, arms)
                here |= same and theirs != 1 - mine
                elsewhere |= same and theirs == 1 - mine
                rival |= not same and theirs == mine and other.quantity.dimension == bound.quantity.dimension
        if elsewhere and rival and not here:
            return "contradicted", f"{bound.quantity.text} is of the other side in the source"
    return None


def _order(said: Facts, source: Sequence[Facts], arms: Arms) -> Fault | None:
    claims = list(_statements(said, arms, numbers=False))
    if not claims:
        return None
    known = [one for facts in source for one in _statements(facts, arms, numbers=True)]
    for claim in claims:
        comparable = [one for one in known if one.axis == claim.axis]
        best = max((weight(claim.outcome & one.outcome) for one in comparable), default=0.0)
        if comparable and claim.outcome <= _MAIN:
            best, comparable = 1.0, [replace(comparable[0], outcome=claim.outcome | {"outcom"})]
        if best < 1 or (best < 0.34 * weight(claim.outcome) and not claim.outcome <= _MAIN):
            continue
        nearest = (
            comparable
            if claim.outcome <= _MAIN
            else [one for one in comparable if weight(claim.outcome & one.outcome) > best - 0.01]
        )
        if all(one.sign != claim.sign for one in nearest):
            return "contradicted", "the source says so of the other side"
    return None


def _statements(facts: Facts, arms: Arms, *, numbers: bool) -> Iterator[_Said]:
    spoken = False
    for clause in facts.clauses:
        if clause.negated or clause.no_difference:
            spoken = True
            continue
        for axis, up, down in (("amount", _MORE, _LESS), ("time", _LATER, _EARLIER)):
            signs = [1] * len(up.findall(clause.text)) + [-1] * len(down.findall(clause.text))
            side = _subject(clause.text, arms, up, down)
            if side < 0 and not arms.names(clause.words):
                side = arms.side(facts.words)
            if len(signs) != 1 or side < 0:
                spoken |= bool(signs) and axis == "amount"
                continue
            spoken = True
            words = (
                clause.words | clause.inherited | (facts.clauses[0].words if _VERB_FIRST.match(clause.text) else frozenset())
            )
            yield _Said(words - arms.first - arms.second, axis, signs[0] * (1 if side == 0 else -1))
    if not numbers or spoken or any(clause.negated for clause in facts.clauses):
        return
    yield from _by_numbers(facts, arms)


def _by_numbers(facts: Facts, arms: Arms) -> Iterator[_Said]:
    if _ALLOTTED.search(facts.text):
        return
    sided = [(bound, _side_of(bound, facts, arms)) for bound in facts.quantities if not bound.quantity.derived]
    for dimension in {bound.quantity.dimension for bound, _ in sided} - {"mass", "volume"}:
        alike = [(bound, side) for bound, side in sided if bound.quantity.dimension == dimension and not _when(bound, facts)]
        for (one, first), (two, second) in pairwise(alike):
            if {first, second} != {0, 1} or one.quantity.decimals != two.quantity.decimals:
                continue
            if one.quantity.value != two.quantity.value:
                higher = (one.quantity.value > two.quantity.value) == (first == 0)
                yield _Said(facts.words - arms.first - arms.second, "amount", 1 if higher else -1)


def _subject(text: str, arms: Arms, up: re.Pattern[str], down: re.Pattern[str]) -> int:
    """The side that "more" is said of."""
    left, *right = _SPLIT_THAN.split(text)
    side = arms.side(words_of(left))
    if side < 0 and arms.names(words_of(left)):  # "A lowered it: 2 % against 4 % with B"
        match = up.search(text) or down.search(text)
        return arms.side(words_of(text[: match.start()])) if match else -1
    if side < 0 and right:
        other = arms.side(words_of(right[0]))
        return 1 - other if other >= 0 else -1
    if right and arms.side(words_of(" ".join(right))) == side:
        return -1
    return side
