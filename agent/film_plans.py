"""Plans for computed films: which CT, which view, and what it would show without the fracture."""

from __future__ import annotations

import re

from pydantic import JsonValue

from agent import slots
from agent.plans import FollowingCall, Plan, PlannedCall, Situation
from core.types import Artifact

XRAY, HEALTHY = "synthesize_xray", "synthesize_healthy_spine"
_FILM = re.compile(
    r"\b(x-?rays?|radiographs?|drrs?|digitally reconstructed|roentgen\w*|(?:plain |lateral |ap |pa )films?)\b", re.IGNORECASE
)
_RESTORED = re.compile(
    r"\b(healthy|restored|synthetic|painted|unfractured) (?:one|spine|ct|scan|volume|version)\b", re.IGNORECASE
)


def about_a_film(clause: str) -> bool:
    """Whether a clause names a radiograph."""
    return bool(_FILM.search(clause))


def film_of(clause: str, situation: Situation) -> Plan:
    """The film of the CT that is named, else of the last one looked at, else of the newest."""
    volumes = [artifact for artifact in situation.artifacts if artifact.kind == "volume"]
    if not volumes:
        return Plan(
            reply="No CT is attached. Please attach a CT (DICOM or NIfTI) to compute an X-ray from, or load the sample case.",
            why="A film is computed from a CT, and there is none.",
        )
    arguments: dict[str, JsonValue] = {"image": _target(clause, situation, volumes).handle, **slots.film(clause)}
    if levels := slots.levels(clause):
        arguments["level"] = levels[0]
    return Plan(calls=(PlannedCall(XRAY, arguments),))


def _target(clause: str, situation: Situation, volumes: list[Artifact]) -> Artifact:
    named = [
        a
        for a in slots.named(clause, situation.artifacts) or slots.named(situation.question, situation.artifacts)
        if a in volumes
    ]
    if named:
        return named[0]
    own = [artifact for artifact in volumes if not artifact.synthetic]
    restored = [artifact for artifact in volumes if artifact.synthetic]
    if restored and _RESTORED.search(clause):
        return restored[-1]
    last = next((call.arguments["image"] for call in reversed(situation.earlier) if call.arguments.get("image")), None)
    masked = {artifact.of for artifact in situation.artifacts if artifact.kind == "mask"}
    newest = [artifact for artifact in own if artifact.handle in masked] or own or volumes
    return next((artifact for artifact in own if artifact.handle == last), newest[-1])


def beside_healthy(calls: tuple[PlannedCall, ...], question: str) -> Plan:
    """Where a film and a spine without its fracture are asked for together: paint first, then both films side by side."""
    films = [call for call in calls if call.tool == XRAY]
    painted = [call for call in calls if call.tool == HEALTHY]
    if not films or not painted:
        return Plan(calls=calls)
    images = {call.arguments["image"] for call in films}
    kept = tuple(call for call in painted if call.arguments["image"] in images) or painted[-1:]
    film = films[0].arguments
    then = tuple(
        FollowingCall(PlannedCall(XRAY, {**film, "image": call.arguments["image"]}), call, "beside") for call in kept
    )
    return Plan(calls=(*(call for call in calls if call.tool not in (XRAY, HEALTHY)), *kept), then=then)


def again(question: str, last: PlannedCall, situation: Situation) -> Plan | None:
    """The last film from another side or of another CT: "now the AP", "and of ct1"."""
    if last.tool != XRAY:
        return None
    changed = slots.film(question)
    named = [artifact for artifact in slots.named(question, situation.artifacts) if artifact.kind == "volume"]
    if not changed and not named:
        return None
    arguments = {**last.arguments, **changed}
    if named:
        arguments = {**arguments, "image": named[0].handle}
        arguments.pop("beside", None)
    return Plan(calls=(PlannedCall(XRAY, arguments),))
