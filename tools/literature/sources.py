"""What is told of a source beside its words: study design, size, effect, and what was published about it later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.ports import SearchOutcome
from core.types import Passage, SearchScope, StudyFact
from grounding import quality

_FACTS = 6


def described(passage: Passage) -> Passage:
    """The passage with its design, sizes and effects, and "preprint" among its flags where it is one."""
    flags = list(passage.flags)
    if quality.is_preprint(passage.types, passage.venue, passage.doi) and "preprint" not in flags:
        flags.append("preprint")
    found = (*quality.sizes(passage.text)[:2], *quality.effects(passage.text))
    return passage.model_copy(
        update={
            "design": quality.design(passage.types, passage.title, passage.text),
            "facts": tuple(StudyFact(name=fact.name, value=fact.value, span=fact.span) for fact in found[:_FACTS]),
            "flags": tuple(flags),
        }
    )


def within_scope(found: SearchOutcome, scope: SearchScope) -> SearchOutcome:
    """The outcome with its passages described, those outside of the person's scope left out, and the scope told."""
    passages = (described(passage) for passage in found.passages)
    searched = f"{found.searched} ({scope.told})" if scope.told else found.searched
    return replace(found, passages=tuple(p for p in passages if scope.lets_through(p)), searched=searched)


def warnings_of(passages: Sequence[Passage]) -> tuple[str, ...]:
    """One warning per flagged source, with what was published about it where that is known."""
    return tuple(
        f"{passage.title} is flagged: {', '.join(passage.flags)}"
        + (f" ({'; '.join(passage.notices)})." if passage.notices else ".")
        for passage in passages
        if passage.flags
    )
