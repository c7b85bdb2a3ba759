"""Sentences with their evidence from outside a conversation: texts, or finding objects with whatever they have."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from core.types import Verdict
from grounding.check import needs_no_evidence
from grounding.compare import Closeness, compare
from grounding.facts import facts_of

Item = str | Mapping[str, object]
_MARKER = re.compile(r"\s*\[([\w-]+(?:\s*[,;]\s*[\w-]+)*)\]")
_TEXT_FIELDS = ("statement", "text", "quote", "title", "summary")


def judge(sentence: str, evidence: Sequence[Item], closeness: Closeness | None = None) -> tuple[Verdict, str]:
    """The verdict on one sentence. A marker cites an item by its id, or else by its position from 1."""
    cited = [name.strip() for group in _MARKER.findall(sentence) for name in re.split(r"[,;]", group)]
    bare = re.sub(r"\s+([.,;!?])", r"\1", _MARKER.sub("", sentence)).strip()
    known = {str(position): item for position, item in enumerate(evidence, 1)}
    known |= {str(item["id"]): item for item in evidence if isinstance(item, Mapping) and item.get("id")}
    unknown = [name for name in cited if name not in known]
    if unknown:
        return "not_supported", f"cites [{unknown[0]}], which is not among the evidence"
    items = [known[name] for name in cited] or list(evidence)
    if not items:
        if needs_no_evidence(bare):
            return "no_evidence_needed", "says something about the program or asks"
        return "not_supported", "no evidence is given"
    if bare.endswith("?") and not cited:
        return "no_evidence_needed", "says something about the program or asks"
    moved = _other_place(bare, items)
    if moved:
        return "contradicted", moved
    verdict, why = compare(bare, [text_of(item) for item in items], closeness)
    if verdict in ("not_supported", "partly") and needs_no_evidence(bare) and not cited:
        return "no_evidence_needed", "says something about the program or asks"
    return verdict, why


def has_words(item: Item) -> bool:
    """Whether a piece of evidence says anything that a sentence can rest on."""
    return bool(text_of(item))


def text_of(item: Item) -> str:
    """The words of a piece of evidence; a finding's fields are put in words beside its statement."""
    if isinstance(item, str):
        return item
    said = [str(item[name]) for name in _TEXT_FIELDS if item.get(name)]
    value = item.get("value")
    if value is not None and not isinstance(value, (dict, list)):
        name = str(item.get("name") or item.get("code") or "").replace("_", " ")
        words = f"{item.get('where') or ''} {name} {value} {item.get('unit') or ''}"
        if not any(re.search(rf"(?<![\d.]){re.escape(str(value))}(?![\d])", one) for one in said):
            said.append(" ".join(words.split()) + ".")
    about = [
        str(item[name])
        for name in ("artifact", "patient", "subject", "time", "date", "pmid", "doi", "year")
        if item.get(name)
    ]
    interval = item.get("interval")
    if isinstance(interval, list) and len(interval) == 2:
        about.append(f"interval {interval[0]} to {interval[1]} {item.get('unit') or ''}")
    return "\n".join([*said, " ".join(about)]).strip()


def _other_place(claim: str, items: Sequence[Item]) -> str:
    """A finding holds for its own level only: the neighbours that its statement names are not measured by it."""
    places = {str(item["where"]) for item in items if isinstance(item, Mapping) and item.get("where")}
    if not places or any(isinstance(item, str) for item in items):
        return ""
    said = facts_of(re.split(r"\bexpected\b|\bagainst\b", claim)[0]).levels
    known = {level for place in places for level in facts_of(place).levels}
    extra = said - known if known else frozenset()
    return f"level {', '.join(sorted(extra))} is not what the cited measurement is of" if extra else ""
