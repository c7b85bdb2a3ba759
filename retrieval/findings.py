"""What a question that asks for an effect should find: passages that report one, not those that announce or describe it.

An article says the names of a treatment, its comparator and an outcome everywhere; where it reports what came of them, it
says so in a few words that hardly depend on the subject. A question about an effect gives passages a part of their score
for those words: a prior of the passage, as web search gives to pages (Kraaij, Westerveld and Hiemstra, "The importance of
prior probabilities for entry page search", SIGIR 2002). Words and weights were chosen on development questions, see
docs/benchmarks.md.
"""

from __future__ import annotations

import re

from retrieval.words import word_forms

FORMS = frozenset(word_forms("p significant differ vs versus ci"))
"""Word forms that report a finding: a p-value, a confidence interval, a difference, a comparison."""

_COMPARED = re.compile(
    r"\b(compar\w+|versus|vs|relative to|rather than|than|differences? between)\b|\beffects? of\b.+\bon\b", re.IGNORECASE
)
_EFFECT = re.compile(
    r"\b(effects?|affects?|efficacy|effective(ness)?|impact|influenc\w+|benefi\w+|associat\w+|predict\w*"
    r"|(reduc|increas|decreas|improv)\w+|prevent\w*|(superior|inferior|lower)\w*|better|worse)\b",
    re.IGNORECASE,
)
_OF_COMPARED, _OF_EFFECT = 0.2, 0.08


def finding_weight(question: str) -> float:
    """What a passage with all of those words gets beside its score: more where the question names a comparison."""
    if _COMPARED.search(question):
        return _OF_COMPARED
    return _OF_EFFECT if _EFFECT.search(question) else 0.0
