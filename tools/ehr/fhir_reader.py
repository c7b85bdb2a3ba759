"""What every resource reader is given: where the resource stands, whose it is, and how to follow references."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tools.ehr.fhir_fields import Json, label, objects, word

Details = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class At:
    """One resource in its place. `resolve` follows a Reference to a resource of this file, or gives an empty one."""

    source: str
    patient: str
    resolve: Callable[[object], Json]


def details(*pairs: tuple[str, str]) -> Details:
    """Those qualifiers that have a text."""
    return tuple(pair for pair in pairs if pair[1])


def name_of(reference: object, at: At) -> str:
    """What a reference points to: the resource's name, else the reference's own display text."""
    target = at.resolve(reference)
    named = label(target.get("code")) or label(target.get("type")) or word(target.get("description"))
    return named or label(reference if isinstance(reference, dict) else None)


def names_of(references: object, at: At) -> str:
    """Names of several references, joined with commas."""
    return join(name_of(item, at) for item in objects(references))


def join(texts: Iterable[str]) -> str:
    """Distinct texts, joined with commas."""
    return ", ".join(dict.fromkeys(filter(None, texts)))


def notes(resource: Json) -> str:
    """The texts of `note`."""
    return join(word(note.get("text")) for note in objects(resource.get("note")))
