"""The text of an answer for programs that show nothing but text: marks, sources and limits follow it in words."""

from __future__ import annotations

from core.types import Answer, Evidence, Sentence, Turn

_WORDS = {
    "partly": "only partly supported by its evidence",
    "not_supported": "not supported by evidence",
    "contradicted": "contradicted by its evidence",
}
_CHECK, _SOURCES, _LIMITS = "**Check of the answer**", "**Sources**", "**Limits**"
_LINKS = (("pmid", "PMID"), ("pmcid", "PMCID"), ("doi", "doi"))


def closing(turn: Turn) -> str:
    """What follows the answer's text: which sentences failed their check and why, the sources cited, the limits."""
    answer = turn.answer
    if answer is None:
        return ""
    blocks = [_failed(answer.sentences), _sources(answer, turn.evidence), _limits(answer)]
    return "".join(f"\n\n{block}" for block in blocks if block)


def without_closing(text: str) -> str:
    """An answer as a client sends it back, without what we had put after it: a model must not learn to write that itself."""
    places = [place for head in (_CHECK, _SOURCES, _LIMITS) if (place := text.find(f"\n{head}")) >= 0]
    return text[: min(places)].rstrip() if places else text


def whole(answer: Answer) -> str:
    """The checked sentences as text; why there are none when there are none."""
    return answer.text or f"Not answered. {answer.why}".strip()


def _failed(sentences: tuple[Sentence, ...]) -> str:
    lines = [
        f"- “{sentence.text}” is {_WORDS[sentence.verdict]}{f': {sentence.why}' if sentence.why else ''}"
        for sentence in sentences
        if sentence.verdict in _WORDS
    ]
    return "\n".join([_CHECK, *lines]) if lines else ""


def _sources(answer: Answer, evidence: tuple[Evidence, ...]) -> str:
    cited = {name for sentence in answer.sentences for name in sentence.evidence}
    lines = [f"[{item.id}] {_source(item)}" for item in evidence if item.id in cited]
    return "\n".join([_SOURCES, *lines]) if lines else ""


def _source(item: Evidence) -> str:
    if item.kind == "finding":
        return f"Measured on {item.artifact}: {item.method}" if item.artifact else item.method
    if item.kind == "event":
        return f"Record {item.record}: {item.source}".replace("Record :", "Record:")
    facts = [item.title, item.venue, str(item.year) if item.year else None]
    facts += [f"{label} {value}" for name, label in _LINKS if (value := getattr(item, name))]
    facts += [flag.upper() for flag in item.flags]
    return ". ".join(fact for fact in facts if fact)


def _limits(answer: Answer) -> str:
    return "\n".join([_LIMITS, *(f"- {line}" for line in answer.limits)]) if answer.limits else ""
