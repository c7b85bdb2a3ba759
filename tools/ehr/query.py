"""Questions to a record, as pure functions: which entries answer, and in which words the answer may be summed up.

"Not documented" is an answer of its own: nothing is inferred from silence, and what was searched is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from core.types import Finding
from tools.ehr import concepts
from tools.ehr.concepts import Ask
from tools.ehr.record import Category, Entry, State
from tools.ehr.series import mixed_units, trend
from tools.ehr.statements import is_no_allergy, on, statement, value_text
from tools.ehr.timeline import searched

About = Literal[
    "summary",
    "medications",
    "conditions",
    "allergies",
    "observations",
    "procedures",
    "encounters",
    "immunizations",
    "timeline",
]
Which = Literal["all", "latest", "first"]

CATEGORIES: dict[About, tuple[Category, ...]] = {
    "medications": ("medication",),
    "conditions": ("condition",),
    "allergies": ("allergy",),
    "observations": ("observation",),
    "procedures": ("procedure", "imaging"),
    "encounters": ("encounter",),
    "immunizations": ("immunization",),
}
_WHOLE: tuple[About, ...] = ("summary", "conditions", "procedures", "timeline")
"""Asks whose named subject is sought in the whole record: a fracture may stand in a report only."""

_ORDER: tuple[Category, ...] = (
    "condition", "allergy", "medication", "observation", "procedure", "imaging", "report", "document",
    "immunization", "device", "encounter", "order", "plan", "family history",
)  # fmt: skip
_STATE_ORDER: tuple[State, ...] = (
    "current",
    "recorded",
    "unknown",
    "unconfirmed",
    "past",
    "planned",
    "not done",
    "refuted",
)
_STATE_WORDS: dict[str, tuple[State, ...]] = {
    "current": ("current",),
    "currently": ("current",),
    "active": ("current",),
    "ongoing": ("current",),
    "past": ("past",),
    "previous": ("past",),
    "former": ("past",),
    "stopped": ("past",),
    "discontinued": ("past",),
    "resolved": ("past",),
    "inactive": ("past",),
}


_PARTS: dict[str, About] = {
    **dict.fromkeys(("medication", "medications", "medicine", "medicines", "meds", "drug", "drugs"), "medications"),
    **dict.fromkeys(("pill", "pills", "tablets", "prescription", "prescriptions"), "medications"),
    **dict.fromkeys(("condition", "conditions", "diagnosis", "diagnoses", "disease", "diseases"), "conditions"),
    **dict.fromkeys(("allergy", "allergies", "allergic"), "allergies"),
    **dict.fromkeys(("observation", "observations", "labs", "lab", "laboratory", "vital", "vitals"), "observations"),
    **dict.fromkeys(("procedure", "procedures", "operation", "operations", "surgery", "surgeries"), "procedures"),
    **dict.fromkeys(("visit", "visits", "encounter", "encounters", "appointment", "appointments"), "encounters"),
    **dict.fromkeys(("hospitalisation", "hospitalization", "admission", "admissions", "consultation"), "encounters"),
    **dict.fromkeys(("immunization", "immunizations", "immunisations", "immunisation"), "immunizations"),
    **dict.fromkeys(("vaccine", "vaccines", "vaccination", "vaccinations", "shots"), "immunizations"),
    **dict.fromkeys(("timeline", "history"), "timeline"),
}  # fmt: skip
"""Words that name a part of the record and nothing within it."""

LONG = 40
"""Entries that a timeline shows with its observations."""

_SAID = 8


@dataclass(frozen=True)
class Reply:
    """What answers a question: entries in the order to show them, trends, and a summary built only from these."""

    summary: str
    entries: tuple[Entry, ...] = ()
    trends: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


def answer(facts: Sequence[Entry], about: About, name: str = "", which: Which = "all", record: str = "") -> Reply:
    """Answer from a patient's entries (old to new, nothing entered in error).

    Args:
        facts: all entries of the patient.
        about: part of the record that is asked for.
        name: what is asked for within it; empty for all of it. Several names may be joined by commas or "and".
        which: all, the latest, or the first.
        record: handle of the record, for the findings.
    """
    about, ask = settle(about, name)
    if ask.empty:
        return _unnamed(facts, about, name, which, record)
    hits = _named(facts, about, ask)
    if not hits:
        return _elsewhere(facts, about, ask, which, record)
    reply = _reply(hits, _groups(hits, ask), which, record, "")
    if all(entry.category == "family history" for entry in hits) and "family" not in ask.words:
        silence = not_documented(facts, f"{ask.said} of the patient")
        return replace(reply, summary=f"{silence.summary} {reply.summary}")
    return reply


def settle(about: About, name: str) -> tuple[About, Ask]:
    """Name the part of the record: "operations" asks for procedures, whatever part was given with it."""
    ask = concepts.understand(name)
    said = name.lower().split()
    if ask.concepts or ask.code or any(word not in _PARTS for word in ask.words):
        return about, ask
    named = next((_PARTS[word] for word in said if word in _PARTS), None)
    return (named if named and (named != "timeline" or about == "summary") else about), Ask(ask.said)


def _unnamed(facts: Sequence[Entry], about: About, name: str, which: Which, record: str) -> Reply:
    wanted = CATEGORIES.get(about)
    hits = [entry for entry in facts if wanted is None or entry.category in wanted]
    states = {state for word in name.lower().split() for state in _STATE_WORDS.get(word, ())}
    subject: str = about if wanted else "anything"
    if states and wanted:
        hits = [entry for entry in hits if entry.state in states]
        subject = f"{' '.join(sorted(states))} {about}"
    if not hits:
        return not_documented(facts, subject)
    if about == "timeline" and which == "all":
        return _timeline(hits)
    return _reply(hits, _by_text(hits), which, record, about)


def _timeline(hits: Sequence[Entry]) -> Reply:
    """Newest first. A long one leaves out observations and says so."""
    shown = [entry for entry in hits if entry.category != "observation"] if len(hits) > LONG else list(hits)
    shown = shown or list(hits)
    left = len(hits) - len(shown)
    notes = (f"{left} observations are not listed in this timeline; ask for them by name.",) if left else ()
    return Reply(f"The newest entries: {_statements(shown[-3:][::-1])}", tuple(reversed(shown)), notes=notes)


def not_documented(facts: Sequence[Entry], subject: str) -> Reply:
    """Silence, said as such."""
    extra = ", nor does it state that there are none" if subject == "allergies" else ""
    return Reply(f"The record does not document {subject}{extra} (searched {searched(facts)}).")


def _named(facts: Sequence[Entry], about: About, ask: Ask) -> list[Entry]:
    """Entries that are what was asked for; failing that, entries that mention it. Within the part asked for."""
    wanted = CATEGORIES.get(about) if about not in _WHOLE else None
    part = [entry for entry in facts if wanted is None or entry.category in wanted]
    for test in (_is, _is_any, _mentions):
        hits = [entry for entry in part if test(entry, ask)]
        if hits:
            return hits
    return []


def _is(entry: Entry, ask: Ask) -> bool:
    return concepts.fits(entry, ask, concepts.main_text(entry) if ask.words else "")


def _is_any(entry: Entry, ask: Ask) -> bool:
    """For several things in one breath: "creatinine and eGFR"."""
    several = len(ask.concepts) > 1 and any(concepts.is_a(entry, concept) for concept in ask.concepts)
    words = tuple(word for word in ask.words)
    return several and concepts.words_fit(words, concepts.main_text(entry))


def _elsewhere(facts: Sequence[Entry], about: About, ask: Ask, which: Which, record: str) -> Reply:
    """Not in the part asked for: what the rest of the record says of it, told apart from an answer."""
    hits = _named(facts, "summary", ask) if about not in _WHOLE else []
    nearest = _nearest(facts, about, ask)
    if not hits or (about == "allergies" and nearest.entries):
        return nearest
    reply = _reply(hits, _groups(hits, ask), which, record, "")
    lead = f"Under {about} the record does not document {ask.said} (searched {searched(facts)}). Elsewhere it says:"
    return replace(reply, summary=f"{lead} {reply.summary}")


def _mentions(entry: Entry, ask: Ask) -> bool:
    """Whether reasons, notes or results of an entry speak of all that was asked."""
    text = concepts.side_text(entry)
    spoken = all(
        any(
            part.pattern.search(text) and not (part.excluded and part.excluded.search(text))
            for part in concepts.members(concept)
        )
        for concept in ask.concepts
        if not concept.categories
    )
    return not ask.code and spoken and concepts.words_fit(ask.words, text) and not _only_measured(ask)


def _only_measured(ask: Ask) -> bool:
    """A named laboratory value is a value; a note that mentions it is none."""
    parts = [part for concept in ask.concepts for part in concepts.members(concept)]
    return bool(parts) and all(part.categories for part in parts) and not ask.words


def _nearest(facts: Sequence[Entry], about: About, ask: Ask) -> Reply:
    """Nothing fits. What lies nearest is shown as such and not as an answer."""
    subject = f"an allergy to {ask.said}" if about == "allergies" else ask.said
    reply = not_documented(facts, subject)
    if about == "allergies":
        near = [entry for entry in facts if entry.category == "allergy"]
        lead = "What it says about allergies:"
    else:
        near = [entry for entry in facts if ask.concepts and all(concepts.is_a(entry, item) for item in ask.concepts)]
        near = near if ask.words else []
        lead = f"Of {', '.join(item.name for item in ask.concepts)} it documents:"
    if not near:
        return reply
    ordered = _ordered(near)
    return Reply(f"{reply.summary} {lead} {_statements(ordered[:3])}", ordered)


def _groups(hits: Sequence[Entry], ask: Ask) -> list[tuple[str, list[Entry]]]:
    """Observations that are one quantity under one name; the name is the newest entry's."""
    parts = [part for concept in ask.concepts for part in concepts.members(concept)]
    groups: list[tuple[str, list[Entry]]] = []
    left = [entry for entry in hits if entry.category == "observation"]
    for part in parts:
        if part.each:
            continue
        own = [entry for entry in left if concepts.is_a(entry, part)]
        taken = set(map(id, own))
        left = [entry for entry in left if id(entry) not in taken]
        if own:
            groups.append((own[-1].text, own))
    return groups + _by_text(left)


def _by_text(hits: Iterable[Entry]) -> list[tuple[str, list[Entry]]]:
    named: dict[str, list[Entry]] = {}
    for entry in hits:
        if entry.category == "observation":
            named.setdefault(entry.text.lower(), []).append(entry)
    return [(entries[-1].text, entries) for entries in named.values()]


def _reply(hits: Sequence[Entry], groups: list[tuple[str, list[Entry]]], which: Which, record: str, about: str) -> Reply:
    others = [entry for entry in hits if entry.category != "observation"]
    if which != "all":
        chosen = [entry for _, group in groups for entry in pick(group, which)]
        chosen += [entry for kind in _ORDER for entry in pick([e for e in others if e.category == kind], which)]
        ordered = _ordered(chosen)
        return Reply(_summary(ordered, ()), ordered)
    ordered = _ordered(hits)
    few = groups if len(groups) <= 6 else []
    trends = tuple(finding for name, group in few for finding in trend(name, group, record))
    notes = tuple(
        f"{name} is recorded in different units ({', '.join(units)}); no trend is computed."
        for name, group in few
        if (units := mixed_units(group))
    )
    if about == "observations":
        ordered = _latest_first([entry for _, group in groups for entry in pick(group, "latest")], ordered)
    return Reply(_summary(ordered, trends), ordered, trends, notes)


def pick(group: Sequence[Entry], which: Which) -> list[Entry]:
    """The newest or oldest of a group, all that share its time; results without a value count only when alone."""
    usable = [entry for entry in group if entry.state not in ("not done", "planned", "refuted")] or list(group)
    if usable and usable[0].category == "observation":
        usable = [entry for entry in usable if value_text(entry)] or usable
    dated = [entry for entry in usable if entry.start.time] or usable
    if not dated:
        return []
    edge = (dated[-1] if which == "latest" else dated[0]).start.time
    return [entry for entry in dated if entry.start.time == edge]


def _ordered(hits: Iterable[Entry]) -> tuple[Entry, ...]:
    """By category, then what holds now before what is past, then newest first; undated last."""

    def rank(entry: Entry) -> tuple[int, int, bool, float]:
        state = _STATE_ORDER.index(entry.state) if entry.state in _STATE_ORDER else len(_STATE_ORDER)
        state = 0 if entry.category in ("observation", "report", "document", "encounter") else state
        seconds = entry.start.time.timestamp() if entry.start.time else 0.0
        return _ORDER.index(entry.category), state, entry.start.time is None, -seconds

    return tuple(sorted(hits, key=rank))


def _latest_first(latest: Sequence[Entry], ordered: Sequence[Entry]) -> tuple[Entry, ...]:
    rest = set(map(id, latest))
    return (*_ordered(latest), *(entry for entry in ordered if id(entry) not in rest))


def _statements(entries: Iterable[Entry]) -> str:
    return " ".join(statement(entry) for entry in entries)


def _summary(entries: Sequence[Entry], trends: Sequence[Finding]) -> str:
    """Whole statements when there are few, else a list by category and state."""
    if len(entries) <= 3:
        said = _statements(entries)
    else:
        observed = [entry for entry in entries if entry.category == "observation"]
        said = " ".join(filter(None, (_listed([e for e in entries if e.category != "observation"]), _newest(observed))))
    return " ".join(filter(None, (said, *(finding.statement for finding in trends))))


def _newest(observed: Sequence[Entry]) -> str:
    """The newest of each quantity, the most recent first."""
    groups = _by_text(sorted(observed, key=moment))[::-1]
    latest = [entry for _, group in groups for entry in pick(group, "latest")]
    latest.sort(key=moment, reverse=True)
    more = " Further values are in the table." if len(latest) > _SAID else ""
    return f"{_statements(latest[:_SAID])}{more}" if latest else ""


def moment(entry: Entry) -> float:
    """Seconds since 1970, for sorting; before everything when undated."""
    return entry.start.time.timestamp() if entry.start.time else float("-inf")


def _listed(entries: Sequence[Entry]) -> str:
    said = []
    for kind in _ORDER:
        for state in _STATE_ORDER:
            some = [entry for entry in entries if entry.category == kind and entry.state == state]
            if some:
                shown = "; ".join(dict.fromkeys(_brief(entry) for entry in some[:12]))
                said.append(f"{_heading(kind, state, some)}: {shown}{'; and others' if len(some) > 12 else ''}.")
    return " ".join(said)


def _heading(kind: Category, state: State, some: Sequence[Entry]) -> str:
    if kind == "allergy":
        return "About allergies" if any(is_no_allergy(entry) for entry in some) else f"Allergies ({state})"
    if kind == "medication":
        return {"current": "Current medicines", "past": "Past medicines"}.get(state, f"Medicines ({state})")
    if kind == "condition":
        names: dict[State, str] = {
            "current": "Active conditions",
            "past": "Past conditions",
            "refuted": "Considered and refuted",
            "unconfirmed": "Not confirmed",
        }
        return names.get(state, f"Conditions ({state})")
    return kind.capitalize() if state == "recorded" else f"{kind.capitalize()} ({state})"


_BRIEF: dict[str, Callable[[Entry], str]] = {
    "family history": lambda entry: f"{entry.detail('relation')} with {entry.text}",
    "report": lambda entry: f"{entry.text} says '{entry.value}'" if entry.value else entry.text,
    "document": lambda entry: f"{entry.text} says '{entry.value}'" if entry.value else entry.text,
}


def _brief(entry: Entry) -> str:
    name = _BRIEF[entry.category](entry) if entry.category in _BRIEF else entry.text
    dose = f", {entry.detail('dose')}" if entry.category == "medication" and entry.detail("dose") else ""
    date = on(entry.start, "").strip() or "undated"
    return f"{name}{dose} ({date})"
