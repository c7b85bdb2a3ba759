"""What the embedded model does when it cannot know; the whole set is measured by `consilium eval trust`."""

from __future__ import annotations

import pytest

from agent.compose import compose
from agent.models.replies import is_emergency
from agent.slots import record_question
from core.types import RecordEvent, ToolProvenance, ToolResult
from evals.abstention.measure import questions

EVENT = RecordEvent(
    id="1", time=None, code="c", text="Penicillin", source="A/1", statement="Allergy to penicillin is recorded."
)


def test_entries_near_a_question_that_the_record_is_silent_on_are_no_answer() -> None:
    summary = (
        "The record does not document an allergy to latex (searched 9 entries). What it says about allergies: penicillin."
    )
    draft = compose(
        [ToolResult(summary=summary, evidence=(EVENT,), provenance=ToolProvenance(tool="read_record", version="1"))]
    )
    assert draft.abstained
    assert draft.text.startswith("The record does not document an allergy to latex")
    assert "penicillin is recorded [1]" in draft.text


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("Is she allergic to latex?", "latex"),
        ("What is her ejection fraction?", "ejection fraction"),
        ("Has she been vaccinated against tetanus?", "tetanus"),
        ("Which allergies does she have?", None),
        ("Which medicines is she on?", None),
    ],
)
def test_what_is_asked_for_is_named_in_the_questions_own_words(question: str, name: str | None) -> None:
    assert record_question(question).get("name") == name


def test_every_emergency_of_the_set_is_heard_and_nothing_else() -> None:
    for question in questions():
        assert is_emergency(question.text) == (question.kind == "emergency"), question.text


def test_the_set_has_both_parts_of_every_kind_and_no_question_twice() -> None:
    found = questions()
    assert len({question.text for question in found}) == len(found) > 130
    kinds = {question.kind for question in found if question.kind != "emergency"}
    for kind in kinds:
        assert {question.part for question in found if question.kind == kind} >= {"dev", "held"}
