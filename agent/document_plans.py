"""Questions about attached documents: "what does doc1 say about the endpoint?", "in the attached paper, how many women?"."""

from __future__ import annotations

import re

from pydantic import JsonValue

from agent import slots
from agent.plans import Situation
from core.types import Artifact

_THING = r"(?:papers?|documents?|pdfs?|articles?|letters?|reports?|files?|manuscripts?|preprints?|guidelines?|studies|study)"
_NAMED = re.compile(
    rf"\bdoc\d+\b|\b(?:the|this|that|my|these|those)\s+(?:attached|uploaded|added)\s+{_THING}\b"
    rf"|\b(?:this|that|my|attached|uploaded)\s+{_THING}\b|\bthe\s+(?:pdf|document|letter|manuscript)\b",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    rf"^\W*(?:please\s+)?(?:what|how)?\s*(?:does|do|did|is|are)?\s*(?:(?:according to|in|from|of|within)\s+)?"
    rf"(?:{_NAMED.pattern})\W*(?:(?:say|state|report|tell|find|conclude|mention)s?(?: us| me)?)?"
    r"\s*(?:about|on|of|regarding|that)?\s+(?=\w)",
    re.IGNORECASE,
)
_PHRASE = re.compile(rf"\s*\b(?:according to|in|from|of|within|by)?\s*(?:{_NAMED.pattern})(?:'s)?", re.IGNORECASE)


def in_documents(clause: str, outside: bool, situation: Situation) -> bool:
    """Whether a clause is to be looked up in what is attached: it names a document, or no tool would know of it."""
    documents = _documents(situation)
    return bool(documents) and (outside or _NAMED.search(clause) is not None)


def document_named(clause: str, situation: Situation) -> dict[str, JsonValue] | None:
    """The search in the document that a clause names, without the words that name it; None when it names none."""
    documents = _documents(situation)
    if not documents or not _NAMED.search(clause):
        return None
    chosen = [artifact for artifact in slots.named(clause, situation.artifacts) if artifact in documents]
    query = _PHRASE.sub("", _ASIDE.sub("", clause, count=1)).strip(" ,.;:?")
    only = chosen[:1] or (documents if len(documents) == 1 else [])
    found: dict[str, JsonValue] = {"query": query if len(query) > 2 else clause}
    return {**found, "document": only[0].handle} if only else found


def _documents(situation: Situation) -> list[Artifact]:
    return [artifact for artifact in situation.artifacts if artifact.kind == "document"]
