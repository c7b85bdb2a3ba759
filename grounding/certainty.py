"""Whether a sentence is surer than its source: causes where it found associations, certainties where it found chances."""

from __future__ import annotations

import re
from collections.abc import Sequence

from grounding.facts import Facts
from grounding.weighing import Fault

_CAUSES = re.compile(
    r"\b(?:causes?|caused by|causing|leads? to|results? in|prevents?|preventing|protects?|protecting|cures?|responsible for|brings? about|due to|because of)\b",
    re.I,
)
_CAUSAL_SOURCE = re.compile(
    r"\b(?:caus\w+|leads?|led to|result(?:s|ed) in|prevent\w*|protect\w*|cure\w*|due to|randomi[sz]ed|placebo|trial)\b", re.I
)
_ASSOCIATED = re.compile(
    r"\b(?:associat\w+|correlat\w+|linked|observational|cohort|relationship|confounding|risk factors?)\b", re.I
)
_HEDGE = re.compile(
    r"\b(?:may|might|could|can|possibl\w*|suggest\w*|potential\w*|perhaps|likely|unlikely|whether|appears?|seems?|seem|would|uncertain|unclear|"
    r"estimated?|probab\w*|risk|chance|odds)\b",
    re.I,
)
_ABSOLUTE = (
    re.compile(
        r"\b(?:always|invariably|without exception|guarantee\w*|definitely|certainly|undoubtedly|beyond doubt)\b", re.I
    ),
    re.compile(r"\b(?:cures?|cured|eradicat\w+|completely (?:prevents?|eliminat\w+|safe))\b", re.I),
    re.compile(r"\b(?:proves?|proven|proved|proof|established beyond)\b", re.I),
    re.compile(
        r"\b(?:in|for|of) (?:all|every|each|everyone|everybody)(?: the)? (?:patients?|people|cases?|persons?|women|men|children|adults?|individuals?|users?)\b|\beveryone\b",
        re.I,
    ),
    re.compile(
        r"\bno (?:risks?|side effects?|adverse effects?) (?:at all|whatsoever)\b|\b(?:100|hundred) ?% (?:safe|effective|certain)\b",
        re.I,
    ),
)
_WILL = re.compile(r"\b(?:will(?! be (?:assessed|studied|needed))|is (?:certain|sure|bound) to|is going to)\b", re.I)
_CHANCE = re.compile(r"\b(?:probabilit\w+|estimated?|risk|chance|likel\w+|predicted|may|might|could)\b", re.I)


def overclaimed(said: Facts, source: Sequence[Facts]) -> Fault | None:
    """A cause from an association, "always" or "cures" from a source that does not say so, "will" from a chance."""
    text = " ".join(facts.text for facts in source)
    hedged = bool(_HEDGE.search(said.text))
    if _CAUSES.search(said.text) and not hedged and _ASSOCIATED.search(text) and not _CAUSAL_SOURCE.search(text):
        return "not_supported", "the source speaks of an association, not of a cause"
    for pattern in _ABSOLUTE:
        match = pattern.search(said.text)
        if match and not pattern.search(text) and not any(clause.negated for clause in said.clauses):
            return "not_supported", f"the source does not go as far as “{match.group()}”"
    if _WILL.search(said.text) and not hedged and _CHANCE.search(text) and not _WILL.search(text):
        return "not_supported", "the source gives a chance, not a certainty"
    return None
