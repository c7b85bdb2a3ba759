"""The verdict on each sentence.

What it can see: numbers and units (after conversion), spine levels, sides, dates, verbatim quotes, reversed direction,
negation, and whether the sentence's words occur in the source. What it cannot: whether the source is right, and
paraphrases that turn a meaning around without any of these signs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from agent.grounding.facts import Facts, facts_of, normalise
from agent.grounding.segment import MARKER, Claim, claims
from core.types import Evidence, Sentence, Verdict

_ABOUT_ITSELF = re.compile(
    r"\b(consilium|i (?:am|can|cannot|could|found|quote|need|searched|did|do|only)|searched|search found|attach|drop|"
    r"load the sample|which (?:image|level|patient)|please|connect|endpoint|emergency|this program|could not be|"
    r"was refused|failed|not attached|does not document|nothing (?:is|was)|was stopped|research tool)\b",
    re.IGNORECASE,
)
_IN_FIRST_PERSON = re.compile(
    r"(?:i (?:am|can|cannot|could|found|quote|need|searched|did|do|only)|consilium|this program|please)\b", re.IGNORECASE
)
_PARTLY_BELOW = 0.6
_UNSUPPORTED_BELOW = 0.34


def check_answer(text: str, evidence: Sequence[Evidence]) -> tuple[Sentence, ...]:
    """Segment an answer and judge every sentence by the evidence of this turn that it cites."""
    known = {item.id: item for item in evidence}
    return tuple(_judge(claim, known) for claim in claims(text))


def check_sentence(text: str, evidence: Sequence[Evidence]) -> Sentence:
    """Judge one sentence by all the evidence given, as if it cited every piece of it; markers in it are not read."""
    known = {str(number): item for number, item in enumerate(evidence, start=1)}
    bare = MARKER.sub("", text).strip()
    if not known or bare.endswith("?") or _IN_FIRST_PERSON.match(bare):
        verdict, why = _uncited(bare)
    else:
        verdict, why = _verdict(Claim(text, bare, tuple(known)), known)
    return Sentence(text=text, evidence=tuple(known), verdict=verdict, why=why)


def _judge(claim: Claim, known: dict[str, Evidence]) -> Sentence:
    verdict, why = _verdict(claim, known)
    return Sentence(
        text=claim.text, evidence=tuple(c for c in claim.cited if c in known), verdict=verdict, why=why
    )  # fmt: skip


def _verdict(claim: Claim, known: dict[str, Evidence]) -> tuple[Verdict, str]:
    unknown = [number for number in claim.cited if number not in known]
    if unknown:
        return "not_supported", f"cites [{unknown[0]}], which is not evidence of this turn"
    if not claim.cited:
        return _uncited(claim.bare)
    cited = [known[number] for number in claim.cited]
    moved = _other_place(claim.bare, cited)
    if moved:
        return "contradicted", moved
    return _compare(claim.bare, [source_text(item) for item in cited])


def _uncited(bare: str) -> tuple[Verdict, str]:
    if bare.endswith("?") or _ABOUT_ITSELF.search(bare):
        return "no_evidence_needed", "says something about the program or asks"
    return "not_supported", "no evidence is cited"


def _other_place(claim: str, cited: Sequence[Evidence]) -> str:
    """A finding holds for its own level: the neighbours that its statement names are not measured by it."""
    places = {item.where for item in cited if item.kind == "finding" and item.where}
    if len(places) == 0 or any(item.kind != "finding" for item in cited):
        return ""
    said = _facts(re.split(r"\bexpected\b|\bagainst\b", claim)[0]).levels
    extra = said - places
    return f"level {', '.join(sorted(extra))} is not what the cited measurement is of" if extra else ""


def source_text(item: Evidence) -> str:
    """All the words of a piece of evidence that a sentence may rest on."""
    if item.kind == "passage":
        return f"{item.title}. {item.text}"
    return item.statement


@lru_cache(maxsize=4096)
def _facts(text: str) -> Facts:
    return facts_of(text)


def _compare(claim: str, sources: list[str]) -> tuple[Verdict, str]:
    said, source = _facts(claim), _facts(" \n ".join(sources))
    joined = normalise(" ".join(sources))
    for quote in said.quotes:
        if normalise(quote).rstrip(".") not in joined:
            return "not_supported", f"the quoted words “{quote[:60]}” do not stand in the source"
    fault = _mismatch(said, source)
    if fault:
        return "contradicted", fault
    if said.quotes:
        return "supported", "quoted verbatim"
    nearest = _nearest_sentence(said, sources)
    reversed_ = _reversed(said, nearest)
    if reversed_:
        return "contradicted", reversed_
    share = len(said.words & source.words) / max(len(said.words), 1)
    if share < _UNSUPPORTED_BELOW:
        return "not_supported", "the source is about something else"
    if share < _PARTLY_BELOW:
        return "partly", "only part of the sentence is in the source"
    return "supported", "numbers, levels, direction and words agree with the source"


def _mismatch(said: Facts, source: Facts) -> str:
    for quantity in said.quantities:
        if not any(quantity.agrees(other) for other in source.quantities):
            return f"{quantity.text} is not in the source"
    for name, mine, theirs in (("level", said.levels, source.levels), ("side", said.sides, source.sides)):
        extra = mine - theirs
        if extra and (theirs or name == "level"):
            return f"{name} {', '.join(sorted(extra))} is not in the source"
    for date in said.dates:
        if not any(other.startswith(date) or date.startswith(other) for other in source.dates):
            return f"date {date} is not in the source"
    return ""


def _nearest_sentence(said: Facts, sources: list[str]) -> Facts:
    candidates = [_facts(part) for source in sources for part in re.split(r"(?<=[.;!?])\s+", source) if part.strip()]
    return max(candidates, key=lambda facts: len(said.words & facts.words))


def _reversed(said: Facts, source: Facts) -> str:
    if said.negated != source.negated:
        return "negation differs from the source"
    if said.up and not said.down and source.down and not source.up:
        return "direction is reversed: the source says lower"
    if said.down and not said.up and source.up and not source.down:
        return "direction is reversed: the source says higher"
    return ""
