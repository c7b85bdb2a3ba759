"""Which tool a clause gets: rules that outweigh the router's likeness, by its words and by what is attached."""

from __future__ import annotations

import re

from agent import slots
from agent.document_plans import in_documents
from agent.plans import Situation
from agent.routing import OUTSIDE, Route, cued
from core.types import ArtifactKind

_SHORT = 4
"""A clause of so few words is what its one cue word says: "grade it", "last creatinine?"."""
_SURELY_OUTSIDE = 0.5
"""Below this a question about the world goes to the search, whose relevance gate can still find nothing."""
_HISTORY = re.compile(
    r"\b(history|record|chart|documented|past|previous(ly)?|ever (had|broken|fractured)|known|notes)\b", re.IGNORECASE
)
_BROKEN = re.compile(r"fractur|\bbroke(n)?\b|\bbreak\b", re.IGNORECASE)
_LITERATURE = re.compile(
    r"\b(literature|papers?|stud(y|ies)|published|evidence|research|defin\w+|guidelines?)\b", re.IGNORECASE
)
_IMAGES: frozenset[ArtifactKind] = frozenset(("volume", "mask", "radiograph", "image"))
_LOOKS_AT: dict[str, frozenset[ArtifactKind]] = {
    "grade_fractures": _IMAGES, "synthesize_healthy_spine": _IMAGES, "synthesize_xray": _IMAGES, "show_image": _IMAGES,
    "find_similar_images": _IMAGES, "deidentify": frozenset(("record", "document", "table")),
}  # fmt: skip
"""What a tool works on; images are also what can show a fracture, or at least be looked at for one."""
_ALIKE: dict[str, frozenset[str]] = {
    "find_similar_patients": frozenset({"record"}),
    "find_similar_images": frozenset({"radiograph", "image", "volume"}),
}
"""The tools that find what is alike, and what each compares."""


def tool_for(clause: str, route: Route, situation: Situation) -> str:
    """Rules that outweigh likeness: the literature is named, a record is asked, an image question has an image."""
    if (
        route.tool not in ("deidentify", "check_claim")
        and not cued("deidentify", clause)
        and in_documents(clause, route.tool == OUTSIDE, situation)
    ):
        return "search_literature"
    if _LITERATURE.search(clause) and cued("search_literature", clause):
        return "search_literature"
    if cued("deidentify", clause) and not _is_general(clause):
        return "deidentify"
    if _BROKEN.search(clause) and _HISTORY.search(clause):
        return "read_record"
    kinds = situation.kinds()
    if route.tool == "grade_fractures" and _is_general(clause) and not slots.levels(clause):
        return "search_literature"
    if route.tool == "read_record" and _BROKEN.search(clause) and "record" not in kinds and kinds & _IMAGES:
        return "grade_fractures"
    return _by_cue_and_attachments(clause, route, kinds)


def _by_cue_and_attachments(clause: str, route: Route, kinds: set[ArtifactKind]) -> str:
    named = [tool for tool in route.probabilities if cued(tool, clause)]
    if named == ["read_record"] and "record" in kinds and not _is_general(clause):
        return "read_record"
    if len(named) == 1 and len(clause.split()) <= _SHORT and not _is_general(clause):
        return named[0]
    if route.tool == OUTSIDE and route.probabilities[OUTSIDE] < _SURELY_OUTSIDE and _is_general(clause):
        return "search_literature"
    if route.tool in _ALIKE and len(wanted := [tool for tool, needs in _ALIKE.items() if kinds & needs]) == 1:
        return wanted[0]  # the question fits both, what is attached only one
    if (
        route.tool in ("read_record", "predict_outcome", "find_similar_patients")
        and "record" not in kinds
        and _is_general(clause)
    ):
        return "search_literature"
    if _is_general(clause) and route.tool in _LOOKS_AT and not kinds & _LOOKS_AT[route.tool]:
        return "search_literature"  # a question about a notion, with nothing there that it could be about
    return route.tool


def _is_general(clause: str) -> bool:
    """Asks about the world rather than about this patient or image."""
    specific = r"\b(she|he|her|his|patient(?! (?:notes|records|data|groups?))|this|these|my|ct\d|here|attached|scan|image|(?<!of )the (?:spine|ct|vertebrae?|record))\b"
    general = (
        r"^\W*(who|when|where|what(?:'s| is| are| does| do)|define|explain|describe|tell me (?:about|more)|(?:is|are) there (?:any )?(?:work|research|"
        r"methods?|models?|systems?|evidence|data)|how (?:is|are|do|does|should|can|accurate|good|well|reliable|useful|common)|"
        r"why (?:is|are|do|does|should|would|compare|use)|(?:can|do|does|are) (?:language )?(?:models|methods|systems|gans)|"
        r"(?:what|which) (?:threshold|cut-?off|criteri|definition|method|system|model|dataset|treatment|drug)\w*)\b"
    )
    return bool(re.search(general, clause, re.IGNORECASE)) and not re.search(specific, clause, re.IGNORECASE)
