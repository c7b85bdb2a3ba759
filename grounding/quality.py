"""What a passage says of the study behind it: design, size, effect with its interval; each with its span."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_TYPES: tuple[tuple[str, str], ...] = (
    ("meta-analysis", "meta-analysis"), ("systematic review", "systematic review"), ("practice guideline", "guideline"),
    ("guideline", "guideline"), ("randomized controlled trial", "randomised trial"), ("controlled clinical trial", "controlled trial"),
    ("clinical trial", "clinical trial"), ("observational study", "observational study"), ("case reports", "case report"),
    ("review", "review"), ("editorial", "opinion"), ("comment", "opinion"), ("letter", "letter"), ("preprint", "preprint"),
)  # fmt: skip
"""PubMed publication types, strongest first, as MeSH names them."""
_WORDS: tuple[tuple[str, str], ...] = (
    ("meta-analysis", r"\bmeta-?analys[ie]s\b"),
    ("systematic review", r"\bsystematic(?:ally)? review"),
    ("guideline", r"\b(?:clinical practice )?guidelines? (?:recommend|of|from)\b|\bconsensus statement\b"),
    (
        "randomised trial",
        r"\brandomi[sz]ed\b(?! sample| order)|\bdouble-blind\b|\brandomly (?:assigned|allocated)\b|\bplacebo-controlled\b",
    ),
    (
        "cohort study",
        r"\b(?:prospective|retrospective|population-based)?\s?cohort\b|\bfollow(?:ed|-up) (?:study|prospectively)\b",
    ),
    ("case-control study", r"\bcase[- ]control\b"),
    ("cross-sectional study", r"\bcross-sectional\b|\bsurvey(?:ed)?\b"),
    ("case report", r"\bcase report\b|\bwe (?:report|describe|present) (?:a|the) (?:case|patient)\b"),
    ("animal study", r"\b(?:mice|mouse|murine|rats?|rabbits?|zebrafish|pigs?)\b"),
    ("laboratory study", r"\bin vitro\b|\bcell lines?\b|\bcultured\b"),
)
_NUMBER = r"\d{1,3}(?:[,\u202f ]\d{3})+|\d+"
_PEOPLE = r"(?:patients|participants|subjects|adults|children|women|men|people|individuals|persons|infants|cases|volunteers|adolescents|residents|students|respondents)"  # fmt: skip
_SIZE = (
    re.compile(rf"\b[nN]\s?=\s?({_NUMBER})"),
    re.compile(rf"(?<![\d.-])({_NUMBER})\s(?:[a-z-]+\s){{0,3}}?{_PEOPLE}\b"),
    re.compile(rf"\b{_PEOPLE}\s\(?(?:n\s?=\s?)?({_NUMBER})\b"),
)
_VALUE = r"-?\d+(?:\.\d+)?"
_EFFECT = re.compile(
    rf"\b((?i:(?:adjusted |pooled |summary )?(?:hazard|odds|risk|rate|incidence rate) ratios?|relative risks?|(?:weighted |standardi[sz]ed )?mean differences?|risk difference)|"
    rf"a?HR|a?OR|RR|IRR|SMD|WMD|MD)\b(?:[^.;\d]{{0,40}}?)({_VALUE})"
    rf"(?:[^.;\d]{{0,12}}(?:95\s?%\s?(?i:CI|confidence interval|CrI)[^\d-]{{0,6}})({_VALUE})\s?(?:to|[-–—,])\s?({_VALUE}))?"
)
_PREPRINT = re.compile(r"\b(?:medrxiv|biorxiv|arxiv|preprint|research square|ssrn)\b", re.I)


DESIGNS = tuple(
    dict.fromkeys([told for _, told in _TYPES if told != "preprint"] + [told for told, _ in _WORDS] + ["review"])
)
"""All designs that `design` tells, strongest first."""


@dataclass(frozen=True)
class Fact:
    """Something extracted, as written, with its [start, end) in the text it was read from."""

    name: str
    value: str
    span: tuple[int, int]


def design(types: Sequence[str], title: str, text: str) -> str:
    """The study design by the publication types, or else by the words of title and text; "" when neither tells."""
    lower = [kind.lower() for kind in types]
    for name, told in _TYPES:
        if name in lower and told not in ("review", "preprint"):
            return told
    for words in (title, text):
        for told, pattern in _WORDS:
            if re.search(pattern, words, re.I):
                return told
    return "review" if "review" in lower else ""


def is_preprint(types: Sequence[str], venue: str | None, doi: str | None) -> bool:
    """Whether a source has not been through a journal's review, as far as its type, venue or DOI prefix tells."""
    return (
        any("preprint" in kind.lower() for kind in types)
        or bool(_PREPRINT.search(venue or ""))
        or (doi or "").lower().startswith(("10.1101/", "10.48550/", "10.21203/rs"))
    )


def sizes(text: str) -> tuple[Fact, ...]:
    """Numbers of people as stated, in order; the first is most often the whole study."""
    found = {match.span(1): match[1] for pattern in _SIZE for match in pattern.finditer(text)}
    kept = [(span, value) for span, value in sorted(found.items()) if int(re.sub(r"\D", "", value)) > 2]
    return tuple(Fact("n", re.sub(r"\D", "", value), span) for span, value in kept)


def effects(text: str) -> tuple[Fact, ...]:
    """Ratios and differences with their 95 % intervals, as stated."""
    return tuple(Fact(match[1].lower(), " ".join(match.group().split()), match.span()) for match in _EFFECT.finditer(text))
