"""Re-ranking after GenText: a draft from the first passages, then relevance together with the stance towards the draft.

The draft is the question as a statement where it can be one ("Does A reduce B?"), or else the sentence quoted from the best
passage. Passages that take a side come before those that do not, within reach of their relevance; the best one against the
draft is always among the first, so that disagreement is seen by default.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.types import Passage, Stance
from grounding.claims import as_statement, stance_of
from grounding.entailment import Entailment, shipped

_SIDE_TAKEN = 0.25
"""What taking a side is worth, where the best passage's relevance is 1."""
_STANCES: dict[str, Stance] = {"supports": "supports", "refutes": "against", "neutral": "neutral"}


def pool_for(k: int) -> int:
    """How many passages to look at for k to show."""
    return min(2 * k, 20)


def by_relevance_and_stance(
    question: str, passages: Sequence[Passage], k: int, model: Entailment | None = None
) -> tuple[Passage, ...]:
    """At most k passages, each with its stance towards the draft."""
    if not passages:
        return ()
    statement = as_statement(question)
    from_question = statement != question
    draft = statement if from_question else passages[0].quoted_text
    marked = [
        passage.model_copy(update={"stance": _stance(draft, passage, model or shipped())})
        if from_question or place
        else passage.model_copy(update={"stance": "supports"})  # it is the draft
        for place, passage in enumerate(passages)
    ]
    top = max(abs(passages[0].score), 1e-9)

    def worth(place: int) -> float:
        return marked[place].score / top + _SIDE_TAKEN * (marked[place].stance != "neutral")

    order = sorted(range(len(marked)), key=worth, reverse=True)
    shown = [marked[place] for place in order[:k]]
    against = next((marked[place] for place in order if marked[place].stance == "against"), None)
    if against is not None and k > 1 and against not in shown:
        shown[-1] = against
    return tuple(shown)


def _stance(draft: str, passage: Passage, model: Entailment) -> Stance:
    if "definition" in passage.types:
        return "neutral"  # it says what a word means, and takes no side
    deciding, _ = stance_of(draft, passage.text, 0, model)
    return _STANCES[deciding.stance]
