"""The verdict on each sentence.

What it can see: numbers and units (after conversion), spine levels, sides, dates, verbatim quotes, reversed direction,
negation, and whether the sentence's words occur in the source. What it cannot: whether the source is right, and
paraphrases that turn a meaning around without any of these signs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.grounding.compare import Closeness, compare
from agent.grounding.facts import facts_of
from agent.grounding.segment import Claim, claims
from core.types import Evidence, Sentence, Verdict

_ABOUT_ITSELF = re.compile(
    r"\b(consilium|i (?:am|can|cannot|could|found|quote|need|searched|did|do|only)|searched|search found|attach|drop|"
    r"load the sample|which (?:image|level|patient)|please|connect|endpoint|emergency|this program|could not be|"
    r"was refused|failed|not attached|does not document|nothing (?:is|was)|was stopped|research tool)\b",
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
    return sentence.endswith("?") or bool(_ABOUT_ITSELF.search(sentence))


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
