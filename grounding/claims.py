"""A claim against texts: supports, refutes or neutral, with the sentences that decide.

The entailment model judges the claim against each text; numbers, units, levels, dates and references are then compared
explicitly, and can only take a "supports" away. Chinese goes by rules alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from grounding import chinese
from grounding.compare import RULES
from grounding.entailment import Entailment, Odds, shipped
from grounding.facts import facts_of, sentences
from grounding.features import nearest

ClaimLabel = Literal["supports", "refutes", "neutral"]
_REFUTES_FROM = 0.4
"""Share of a claim's words that a text must have to speak against it: who says little of a matter does not deny it."""
_VERB_LIKE = re.compile(r"(ed|ing|able|ive|al|ful|ant|ent|ary|ic|er|or)$")


@dataclass(frozen=True)
class Deciding:
    """A sentence of the evidence that bears on the claim; `evidence` is its text's position from 0."""

    evidence: int
    sentence: str
    stance: ClaimLabel
    probability: float


@dataclass(frozen=True)
class ClaimVerdict:
    """The verdict, why in one sentence, and the deciding sentences, strongest first."""

    verdict: ClaimLabel
    because: str
    deciding: tuple[Deciding, ...] = ()


def check_claim(claim: str, evidence: Sequence[str], model: Entailment | None = None) -> ClaimVerdict:
    """The verdict on a claim by all texts together: the text that speaks most surely decides."""
    texts = [text for text in evidence if text.strip()]
    if not texts:
        return ClaimVerdict("neutral", "there is no evidence to compare the claim with")
    found = [stance_of(claim, text, place, model or shipped()) for place, text in enumerate(texts)]
    decided = [item for item in found if item[0].stance != "neutral"]
    best, why = max(decided or found, key=lambda item: item[0].probability)
    ordered = sorted((item for item, _ in found), key=lambda item: (item.stance == "neutral", -item.probability))
    other = [item for item, _ in decided if item.stance != best.stance]
    note = f"; {len(other)} of {len(texts)} texts say the opposite" if other else ""
    return ClaimVerdict(best.stance, why + note, tuple(ordered[:5]))


def stance_of(claim: str, text: str, place: int, model: Entailment) -> tuple[Deciding, str]:
    """One text's stance on a claim, with its deciding sentence, and the reason."""
    if chinese.is_chinese(claim) or chinese.is_chinese(text):
        return _chinese(claim, text, place)
    claim = as_statement(claim)
    (odds,) = model.odds([(claim, text)])
    part = nearest(claim, text)
    stance, probability = _decide(odds)
    if stance == "refutes" and _shared_words(claim, text) < _REFUTES_FROM:
        stance = "neutral"
    if stance == "supports":
        fault = _explicit_fault(claim, text)
        if fault:
            return Deciding(place, part, *fault[:2]), fault[2]
    reason = {
        "supports": "says what the claim says",
        "refutes": "speaks against the claim",
        "neutral": "neither bears the claim out nor speaks against it",
    }[stance]
    return Deciding(place, part, stance, round(probability, 3)), f"“{part[:240]}” {reason}"


def _shared_words(claim: str, text: str) -> float:
    mine = facts_of(claim).words
    theirs = {word for part in sentences(text) for word in facts_of(part).words}
    return len(mine & theirs) / max(len(mine), 1)


def _decide(odds: Odds) -> tuple[ClaimLabel, float]:
    ranked: list[tuple[float, ClaimLabel]] = [
        (odds.supports, "supports"),
        (odds.refutes, "refutes"),
        (odds.neutral, "neutral"),
    ]
    probability, stance = max(ranked)
    return stance, probability


def _explicit_fault(claim: str, text: str) -> tuple[ClaimLabel, float, str] | None:
    """What rules find against a claim that the model takes as supported."""
    said, source = facts_of(claim), [facts_of(part) for part in sentences(text)]
    for name in ("references", "levels, ids, dates", "numbers"):
        fault = RULES[name](said, source)
        if fault:
            stance: ClaimLabel = "refutes" if fault[0] == "contradicted" else "neutral"
            return stance, 0.9, fault[1]
    return None


def _chinese(claim: str, text: str, place: int) -> tuple[Deciding, str]:
    if chinese.is_chinese(claim) != chinese.is_chinese(text):
        why = "claim and evidence are in different languages, which cannot be compared here beyond their numbers"
        return Deciding(place, text[:240], "neutral", 0.0), why
    found = chinese.compare(claim, text)
    stance: ClaimLabel = (
        "supports" if found.verdict == "supports" else "refutes" if found.verdict == "refutes" else "neutral"
    )
    return Deciding(place, found.sentence, stance, 0.9 if stance != "neutral" else 0.0), found.because


def as_statement(question: str) -> str:
    """A yes/no question as the statement that "yes" would affirm, as far as moving its verb can do that."""
    match = re.match(
        r"^(?:So,? )?(Is|Are|Was|Were|Can|Could|Does|Do|Did|Should|Has|Have|Will|Would|May|Might) (.+?)\??$",
        question.strip(),
        re.I,
    )
    if match is None:
        return question
    verb, rest = match[1].lower(), match[2]
    words = rest.split()
    if verb in ("does", "do", "did") or len(words) < 2:
        statement = rest
    else:
        cut = next((i for i, word in enumerate(words) if i and _VERB_LIKE.search(word)), min(2, len(words) - 1))
        statement = " ".join([*words[:cut], verb, *words[cut:]])
    return f"{statement[:1].upper()}{statement[1:]}."
