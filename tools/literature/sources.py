"""What is told of a source beside its words: study design, size, effect, and what was published about it later."""

from __future__ import annotations

from collections.abc import Sequence

from core.types import Passage, StudyFact
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


def warnings_of(passages: Sequence[Passage]) -> tuple[str, ...]:
    """One warning per flagged source, with what was published about it where that is known."""
    return tuple(
        f"{passage.title} is flagged: {', '.join(passage.flags)}"
        + (f" ({'; '.join(passage.notices)})." if passage.notices else ".")
        for passage in passages
        if passage.flags
    )
