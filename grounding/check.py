"""The verdict on each sentence.

What it can see: numbers and units (after conversion), spine levels, sides, dates, verbatim quotes, reversed direction,
negation, and whether the sentence's words occur in the source. What it cannot: whether the source is right, and
paraphrases that turn a meaning around without any of these signs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.types import Evidence, Sentence, Verdict
from grounding.compare import Closeness, compare
from grounding.facts import facts_of
from grounding.segment import Claim, claims

# From the first word on: a medical sentence that merely contains "failed" or "emergency" is not about the program.
_ABOUT_ITSELF = re.compile(
    r"(?:i (?:am (?:a |an |not |only |consilium)|cannot|can(?:not| only| not)|could not|found (?:nothing|no )|quote|need |understand |searched|did not|do not|only )|"
    r"i can (?:grade|show|search|read|answer|help|draw|measure)\b|consilium\b|this program|searched\b|search found|"
    r"(?:please )?(?:attach|drop|load the sample|connect|name one|ask )|no (?:image|record|mask|file)\b.{0,40}\battached|"
    r"[a-z]+\d* is not attached|if this is an emergency|the record does not document|not graded|nothing (?:is|was)\b|"
    r"the levels (?:there are|that can be graded)|no (?:level|graded level)\b|[a-z]+_[a-z_]+ (?:was refused|was stopped|failed):)",
    re.IGNORECASE,
)
_MEDICAL_ADVICE = re.compile(
    r"\d\s?(?:mg|g|ml|µg|mcg|units?|tablets?)\b|\b(?:has|have|had|is|are) (?:a |an )?(?:cancer|fractured?|disease)\b",
    re.IGNORECASE,
)


def check_answer(text: str, evidence: Sequence[Evidence], closeness: Closeness | None = None) -> tuple[Sentence, ...]:
    """Segment an answer and judge every sentence by the evidence of this turn that it cites.

    `closeness` adds semantic likeness for paraphrases that share few words.
    """
    known = {item.id: item for item in evidence}
    return tuple(_judge(claim, known, closeness) for claim in claims(text))


def _judge(claim: Claim, known: dict[str, Evidence], closeness: Closeness | None) -> Sentence:
    verdict, why = _verdict(claim, known, closeness)
    return Sentence(
        text=claim.text, evidence=tuple(c for c in claim.cited if c in known), verdict=verdict, why=why
    )  # fmt: skip


def _verdict(claim: Claim, known: dict[str, Evidence], closeness: Closeness | None) -> tuple[Verdict, str]:
    unknown = [number for number in claim.cited if number not in known]
    if unknown:
        return "not_supported", f"cites [{unknown[0]}], which is not evidence of this turn"
    if not claim.cited:
        if needs_no_evidence(claim.bare):
            return "no_evidence_needed", "says something about the program or asks"
        return "not_supported", "no evidence is cited"
    cited = [known[number] for number in claim.cited]
    moved = _other_place(claim.bare, cited)
    if moved:
        return "contradicted", moved
    return compare(claim.bare, [source_text(item) for item in cited], closeness)


def needs_no_evidence(sentence: str) -> bool:
    """A question, or words about the program itself."""
    return sentence.endswith("?") or bool(_ABOUT_ITSELF.match(sentence) and not _MEDICAL_ADVICE.search(sentence))


def _other_place(claim: str, cited: Sequence[Evidence]) -> str:
    """A finding holds for its own level: the neighbours that its statement names are not measured by it."""
    places = {item.where for item in cited if item.kind == "finding" and item.where}
    if len(places) == 0 or any(item.kind != "finding" for item in cited):
        return ""
    said = facts_of(re.split(r"\bexpected\b|\bagainst\b", claim)[0]).levels
    extra = said - places
    return f"level {', '.join(sorted(extra))} is not what the cited measurement is of" if extra else ""


def source_text(item: Evidence) -> str:
    """All the words of a piece of evidence that a sentence may rest on."""
    if item.kind == "passage":
        about = (item.pmid or "", item.doi or "", f"{' '.join(item.authors)} {item.year or ''}")
        return f"{item.title}. {item.text}\n{' '.join(about).strip()}"
    return item.statement
