"""The embedded model's plan: ordered tool calls for a question, or what to ask back."""

from __future__ import annotations

import re
from collections.abc import Callable

from pydantic import JsonValue

from agent import slots
from agent.document_plans import document_named
from agent.film_plans import about_a_film, beside_healthy, film_of
from agent.follow_ups import MAX_VOLUMES, WHY_GRADE, follow_up
from agent.models import replies
from agent.plans import Plan, PlannedCall, Situation
from agent.routing import OUTSIDE, Router, clauses_of, cued
from agent.tool_choice import tool_for
from core.types import Artifact

__all__ = ["Plan", "PlannedCall", "Situation", "make_plan"]

_REFERENT = re.compile(r"\b(it|them|this|that|these|those)\b", re.IGNORECASE)
_WHY = re.compile(r"\W*(and\s+|but\s+)?why\b(\s+(is|that|so)\b.*)?\W*", re.IGNORECASE)


def make_plan(situation: Situation, router: Router) -> Plan:
    """Plan one turn."""
    question = situation.question
    if not replies.is_latin(question):
        return Plan(reply=replies.OTHER_SCRIPT, why="The embedded responder understands questions in English only.")
    if replies.is_small_talk(question) or replies.is_about_me(question):
        return Plan(reply=replies.WHO)
    missing = slots.unknown_handles(question, situation.artifacts)
    if missing:
        have = ", ".join(artifact.handle for artifact in situation.artifacts) or "nothing"
        text = f"{missing[0]} is not attached to this conversation. Please name one of what is attached: {have}."
        return Plan(reply=text, why=f"{missing[0]} is not attached.")
    followed = follow_up(situation)
    if followed is not None:
        return followed
    clauses = clauses_of(question)
    calls: list[PlannedCall] = []
    asks: list[Plan] = []
    for clause, route in zip(clauses, router.route(clauses), strict=True):
        if calls and calls[-1].tool == "predict_outcome" and _WHY.fullmatch(clause):
            continue  # the card already says what moved the estimate
        plan = _plan_clause(clause, tool_for(clause, route, situation), situation)
        calls += [call for call in plan.calls if call not in calls]
        if plan.reply:
            asks.append(plan)
    if (
        replies.asks_for_decision(question)
        and {call.tool for call in calls} <= _OF_A_PATIENT
        and "record" in situation.kinds()
    ):
        calls = _for_a_decision(question, situation)
    if calls:
        return beside_healthy(tuple(calls), question)
    return asks[0]


_OF_A_PATIENT = frozenset({"read_record", "predict_outcome"})


def _for_a_decision(question: str, situation: Situation) -> list[PlannedCall]:
    """What bears on a decision that is the clinician's: the thing named in the record, the record, the literature."""
    named = _plan_record(question, situation).calls
    whose = [{name: value for name, value in call.arguments.items() if name in ("record", "patient")} for call in named]
    whole = [PlannedCall("read_record", {**of_whom, "about": "summary"}) for of_whom in whose]
    return [*named, *(call for call in whole if call not in named), *_plan_search(question, situation).calls]


def _plan_clause(clause: str, tool: str, situation: Situation) -> Plan:
    if tool in _FILMED and about_a_film(clause) and cued("synthesize_healthy_spine", clause):
        film, healthy = film_of(clause, situation), _plan_healthy(clause, situation)
        return Plan(calls=(*film.calls, *healthy.calls)) if film.calls and healthy.calls else film
    planned = _PLANNERS.get(tool)
    return planned(clause, situation) if planned else Plan(calls=(PlannedCall(tool, {}),))


_FILMED = ("synthesize_xray", "synthesize_healthy_spine", "show_image")
"""Tools of which a clause may ask when it names a film and what it would show without the fracture."""


def _plan_outside(clause: str, situation: Situation) -> Plan:
    return Plan(reply=replies.OUTSIDE, why="The question is outside what the tools can find evidence for.")


def _plan_search(clause: str, situation: Situation) -> Plan:
    named = document_named(clause, situation)
    if named is not None:
        return Plan(calls=(PlannedCall("search_literature", named),))
    return Plan(calls=(PlannedCall("search_literature", {"query": _resolved(clause, situation), **slots.years(clause)}),))


def _plan_claim(clause: str, situation: Situation) -> Plan:
    return Plan(calls=(PlannedCall("check_claim", {"claim": slots.claim(clause)}),))


def _resolved(clause: str, situation: Situation) -> str:
    """The query with "it" replaced by what the rest of the question is about."""
    whole = situation.question
    query = re.sub(r"^\W*(and|also|then|please|so)\s+", "", clause, flags=re.IGNORECASE)
    about_fractures = re.search(r"fractur|vertebra", whole, re.IGNORECASE) or any(
        call.tool == "grade_fractures" for call in situation.earlier[-2:]
    )
    if about_fractures and not re.search(r"fractur|vertebra", query, re.IGNORECASE):
        if _REFERENT.search(query):
            return _REFERENT.sub("vertebral fractures", query, count=1)
        if len(query.split()) < 6:
            return f"{query} vertebral fractures"
    return query


def _plan_deidentification(clause: str, situation: Situation) -> Plan:
    kinds = ("record", "document", "table")
    there = [artifact for artifact in situation.artifacts if artifact.kind in kinds]
    if not there:
        return Plan(
            reply="Please attach the record or document that is to be de-identified; for a file on disk, "
            "`consilium text deidentify FILE` does it too.",
            why="Nothing that can be de-identified is attached.",
        )
    chosen = [artifact for artifact in slots.named(clause, situation.artifacts) if artifact.kind in kinds]
    return Plan(calls=(PlannedCall("deidentify", {"target": (chosen or there[-1:])[0].handle}),))


def _plan_record(clause: str, situation: Situation) -> Plan:
    records = [artifact for artifact in situation.artifacts if artifact.kind == "record"]
    if not records:
        return Plan(
            reply="No record is attached. Please attach a FHIR record (JSON) or load the sample case.",
            why="The question is about a patient's record and none is attached.",
        )
    chosen = [artifact for artifact in slots.named(clause, situation.artifacts) if artifact.kind == "record"]
    arguments: dict[str, JsonValue] = {"record": (chosen or records[-1:])[0].handle}
    arguments.update(slots.record_question(clause))
    if "patient" not in arguments and (patient := slots.record_question(situation.question).get("patient")):
        arguments["patient"] = patient
    return Plan(calls=(PlannedCall("read_record", arguments),))


def _plan_prediction(clause: str, situation: Situation) -> Plan:
    plan = _plan_record(clause, situation)
    if not plan.calls:
        return plan
    read = plan.calls[0].arguments
    longer = re.search(
        r"\b(how long|length of stay|stay (?:in hospital|of|longer|more)|seven days|7 days)\b", clause, re.IGNORECASE
    )
    arguments: dict[str, JsonValue] = {"record": read["record"], "task": "los_over_7d" if longer else "icu_death"}
    if "patient" in read:
        arguments["patient"] = read["patient"]
    return Plan(calls=(PlannedCall("predict_outcome", arguments),))


def _plan_similar(clause: str, situation: Situation) -> Plan:
    plan = _plan_record(clause, situation)
    if not plan.calls:
        return plan
    asked = {name: value for name, value in plan.calls[0].arguments.items() if name in ("record", "patient")}
    return Plan(calls=(PlannedCall("find_similar_patients", asked),))


def _plan_similar_images(clause: str, situation: Situation) -> Plan:
    """Of the image that is named, else of the newest film, else of the newest volume; generated ones are not compared."""
    pictures = [a for a in situation.artifacts if a.kind in ("radiograph", "image", "volume") and a.made_by is None]
    named = [artifact for artifact in slots.named(clause, situation.artifacts) if artifact in pictures]
    if not pictures:
        return Plan(
            reply="No image is attached. Please attach a radiograph, a picture or a CT to compare with the image indexes.",
            why="There is no image to compare.",
        )
    films = [artifact for artifact in pictures if artifact.kind != "volume"]
    target = (named or films[-1:] or pictures[-1:])[0]
    return Plan(calls=(PlannedCall("find_similar_images", {"image": target.handle, **slots.count(clause)}),))


def _plan_grading(clause: str, situation: Situation) -> Plan:
    named = slots.named(clause, situation.artifacts) or slots.named(situation.question, situation.artifacts)
    targets = [artifact for artifact in named if artifact.kind in ("volume", "mask")]
    wrong = [artifact for artifact in named if artifact.kind not in ("volume", "mask")]
    if wrong and not targets:
        return _wrong_kind(wrong[0])
    if not targets:
        masked = {artifact.of for artifact in situation.artifacts if artifact.kind == "mask"}
        volumes = [artifact for artifact in situation.artifacts if artifact.kind == "volume" and not artifact.synthetic]
        targets = [volume for volume in volumes if volume.handle in masked] or volumes[-MAX_VOLUMES:]
        targets = targets or [artifact for artifact in situation.artifacts if artifact.kind == "mask"]
    if not targets:
        others = [artifact for artifact in situation.artifacts if artifact.kind in ("radiograph", "image", "volume")]
        if others:
            return _wrong_kind(others[-1])
        return Plan(
            reply="No image is attached. Please attach a CT of the spine with a vertebra mask (NIfTI or DICOM), or load "
            "the sample case.",
            why="Grading needs a CT volume or a vertebra mask, and none is attached.",
        )
    levels = slots.levels(clause)
    calls = []
    for target in targets[:MAX_VOLUMES]:
        arguments: dict[str, JsonValue] = {"mask" if target.kind == "mask" else "image": target.handle}
        if levels:
            arguments["levels"] = list(levels)
        if WHY_GRADE.search(clause):
            arguments["explain"] = True
        calls.append(PlannedCall("grade_fractures", arguments))
    return Plan(calls=tuple(calls))


_CONFIRMED = re.compile(r"(?<![\w.])(\d{1,2})\s*(?:is|=|as)\s*([CTL]\d{1,2})\b", re.IGNORECASE)
_ORDINAL = re.compile(r"\b(\w+) (?:one |vertebra )?from the (?:head|top) is ([CTL]\d{1,2})\b", re.IGNORECASE)
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def _plan_segment(clause: str, situation: Situation) -> Plan:
    """Outline the CT that is named, the one looked at last, or the newest; with the level that a person confirms."""
    volumes = [a for a in situation.artifacts if a.kind == "volume" and not a.synthetic]
    if not volumes:
        text = "No CT is attached. Please attach a CT of the spine (NIfTI or DICOM)."
        return Plan(reply=text, why="Outlining the vertebrae needs a CT volume, and none is attached.")
    named = [artifact for artifact in slots.named(clause, situation.artifacts) if artifact in volumes]
    last = situation.last_image()
    target = (named or [a for a in volumes if a.handle == last] or volumes[-1:])[0]
    arguments: dict[str, JsonValue] = {"image": target.handle}
    if found := _CONFIRMED.search(clause):
        arguments["confirm"] = f"{found.group(1)}={found.group(2).upper()}"
    elif (found := _ORDINAL.search(clause)) and found.group(1).lower() in _ORDINALS:
        arguments["confirm"] = f"{_ORDINALS.index(found.group(1).lower()) + 1}={found.group(2).upper()}"
    return Plan(calls=(PlannedCall("segment", arguments),))


def _plan_healthy(clause: str, situation: Situation) -> Plan:
    """The synthesis of the scans that a grading would be of; a mask alone cannot be painted."""
    graded = _plan_grading(clause, situation)
    if not graded.calls:
        return graded
    calls = []
    for call in graded.calls:
        if "image" not in call.arguments:
            text = "A mask alone cannot be painted: please attach the CT it belongs to."
            return Plan(reply=text, why=text)
        arguments = {name: value for name, value in call.arguments.items() if name in ("image", "levels")}
        calls.append(PlannedCall("synthesize_healthy_spine", arguments))
    return Plan(calls=tuple(calls))


def _plan_film(clause: str, situation: Situation) -> Plan:
    """A computed film of a CT; of a film that is there already, the film itself."""
    kinds = {artifact.kind for artifact in situation.artifacts}
    if "volume" not in kinds and kinds & {"radiograph", "image"}:
        return _plan_picture(clause, situation)
    return film_of(clause, situation)


def _plan_from_words(tool: str) -> Callable[[str, Situation], Plan]:
    """A picture drawn from words: the words are the whole argument; no attached image is used."""

    def plan(clause: str, situation: Situation) -> Plan:
        return Plan(calls=(PlannedCall(tool, {"prompt": clause.strip(" ?")}),))

    return plan


def _wrong_kind(artifact: Artifact) -> Plan:
    if artifact.synthetic:
        text = (
            f"{artifact.handle} is synthetic: it was generated and is not evidence about a patient, so nothing is graded on "
            "it. Please attach the patient's own CT of the spine."
        )
        return Plan(reply=text, why=text)
    text = f"grade_fractures needs a CT volume of the spine; {artifact.handle} is a {artifact.kind}. Please attach a CT."
    return Plan(reply=text, why=text)


def _plan_picture(clause: str, situation: Situation) -> Plan:
    pictures = [a for a in situation.artifacts if a.kind in ("volume", "radiograph", "image")]
    named = [artifact for artifact in slots.named(clause, situation.artifacts) if artifact in pictures]
    if not pictures:
        return Plan(
            reply="No image is attached. Please attach a CT, a radiograph or a picture, or load the sample case.",
            why="There is no image to show.",
        )
    last = situation.last_image()
    films = [artifact for artifact in pictures if artifact.kind != "volume"]
    if re.search(r"\b(x-?ray|radiograph|film)\b", clause, re.IGNORECASE) and films:
        named = named or films[-1:]
    volumes = [artifact for artifact in pictures if artifact.kind == "volume"]
    target = (named or [a for a in pictures if a.handle == last] or volumes[-1:] or pictures[-1:])[0]
    arguments: dict[str, JsonValue] = {"image": target.handle}
    if target.kind == "volume":
        arguments.update(_picture_slots(clause, situation, target))
    return Plan(calls=(PlannedCall("show_image", arguments),))


def _picture_slots(clause: str, situation: Situation, target: Artifact) -> dict[str, JsonValue]:
    arguments: dict[str, JsonValue] = {}
    levels = slots.levels(clause) or (situation.last_levels() if _REFERENT.search(clause) else [])
    for name, value in (("plane", slots.plane(clause)), ("window", slots.window(clause)),
                        ("slice", slots.slice_number(clause)), ("level", levels[0] if levels else None)):  # fmt: skip
        if value is not None:
            arguments[name] = value
    if re.search(r"\bmontage|several slices|all slices|overview\b", clause, re.IGNORECASE):
        arguments["montage"] = True
    masks = [a.handle for a in situation.artifacts if a.kind == "mask" and a.of == target.handle]
    wants = re.search(r"\b(overlay|mask|segmentation|labels?|outline|vertebrae)\b", clause, re.IGNORECASE)
    if masks and (wants or "level" in arguments):
        arguments["overlay"] = masks[-1]
    return arguments


_PLANNERS: dict[str, Callable[[str, Situation], Plan]] = {
    OUTSIDE: _plan_outside,
    "search_literature": _plan_search,
    "check_claim": _plan_claim,
    "read_record": _plan_record,
    "predict_outcome": _plan_prediction,
    "find_similar_patients": _plan_similar,
    "find_similar_images": _plan_similar_images,
    "grade_fractures": _plan_grading,
    "segment": _plan_segment,
    "synthesize_healthy_spine": _plan_healthy,
    "synthesize_xray": _plan_film,
    "synthesize_volume": _plan_from_words("synthesize_volume"),
    "synthesize_film": _plan_from_words("synthesize_film"),
    "show_image": _plan_picture,
    "deidentify": _plan_deidentification,
}
