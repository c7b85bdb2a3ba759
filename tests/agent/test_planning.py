"""What the embedded model plans: arguments, follow-ups, corrections, and what it asks back."""

from __future__ import annotations

import pytest

from agent.planning import Plan, PlannedCall, Situation, make_plan
from agent.routing import Router
from core.ports import SearchFilters, SearchOutcome
from retrieval.encoders import MiniLM
from tests.agent.situations import CT, MASK, situation
from tests.fakes import NoImages
from tools.registry import standard_tools


class _NoSearch:
    def search(self, query: str, k: int, filters: SearchFilters | None = None) -> SearchOutcome:
        raise AssertionError("planning searches nothing")


@pytest.fixture(scope="module")
def router() -> Router:
    return Router(standard_tools(_NoSearch(), NoImages()), MiniLM())


GRADED = (
    PlannedCall("grade_fractures", {"image": "ct1"}),
    PlannedCall("grade_fractures", {"image": "ct2"}),
)
GRADED_L1 = (PlannedCall("grade_fractures", {"image": "ct2", "levels": ["L1"]}),)
SHOWN = (PlannedCall("show_image", {"image": "ct2", "plane": "sagittal", "level": "T11", "overlay": "mask2"}),)


def _calls(plan: Plan) -> list[tuple[str, dict[str, object]]]:
    return [(call.tool, dict(call.arguments)) for call in plan.calls]


def test_every_scan_with_a_mask_is_graded(router: Router) -> None:
    assert make_plan(situation("Is any vertebra fractured?"), router).calls == GRADED


def test_the_named_scan_and_level_are_graded(router: Router) -> None:
    plan = make_plan(situation("How severe is the fracture of T11 in ct2?"), router)
    assert _calls(plan) == [("grade_fractures", {"image": "ct2", "levels": ["T11"]})]


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("Can she take ibuprofen?", {"about": "summary", "name": "ibuprofen"}),
        ("Should we put her on a statin?", {"about": "summary", "name": "statin"}),
        ("Is alendronate safe for her?", {"about": "summary", "name": "alendronate"}),
        ("Should the patient be operated on?", {"about": "procedures"}),
        ("What should be done next for her back pain?", {"about": "summary"}),
    ],
)
def test_what_bears_on_a_decision_is_looked_up_and_the_decision_left(
    router: Router, question: str, named: dict[str, str]
) -> None:
    first, *others = _calls(make_plan(situation(question), router))
    assert first == ("read_record", {"record": "record1", **named})
    whole, searched = {"record": "record1", "about": "summary"}, ("search_literature", {"query": question})
    assert others == [searched] if first[1] == whole else [("read_record", whole), searched]


@pytest.mark.parametrize(
    ("question", "earlier", "expected"),
    [
        ("and L2?", GRADED_L1, [("grade_fractures", {"image": "ct2", "levels": ["L2"]})]),
        ("no, I meant L3", GRADED_L1, [("grade_fractures", {"image": "ct2", "levels": ["L3"]})]),
        ("and in ct1?", GRADED_L1, [("grade_fractures", {"image": "ct1"})]),
        ("now in the coronal plane", SHOWN,
         [("show_image", {"image": "ct2", "plane": "coronal", "level": "T11", "overlay": "mask2"})]),
        ("and slice 12?", SHOWN, [("show_image", {"image": "ct2", "plane": "sagittal", "overlay": "mask2", "slice": 12})]),
        ("instead the lung window", SHOWN,
         [("show_image", {"image": "ct2", "plane": "sagittal", "level": "T11", "overlay": "mask2", "window": "lung"})]),
        ("show me that one", GRADED_L1, [("show_image", {"image": "ct2", "level": "L1", "overlay": "mask2"})]),
    ],
)  # fmt: skip
def test_follow_ups(
    question: str, earlier: tuple[PlannedCall, ...], expected: list[tuple[str, dict[str, object]]], router: Router
) -> None:
    assert _calls(make_plan(situation(question, earlier=earlier), router)) == expected


def test_a_follow_up_over_two_scans_asks_both(router: Router) -> None:
    plan = make_plan(situation("and L2?", earlier=GRADED), router)
    assert [call.arguments for call in plan.calls] == [
        {"image": "ct1", "levels": ["L2"]},
        {"image": "ct2", "levels": ["L2"]},
    ]


def test_a_whole_question_is_no_follow_up(router: Router) -> None:
    plan = make_plan(situation("And what does the literature say about L2 fractures?", earlier=GRADED_L1), router)
    assert [call.tool for call in plan.calls] == ["search_literature"]


def test_it_stands_for_what_the_question_is_about(router: Router) -> None:
    plan = make_plan(
        situation("Is any vertebra fractured in ct2, and what does the literature say about grading it?"), router
    )
    query = str(plan.calls[-1].arguments["query"])
    assert "vertebral fractures" in query
    assert " it" not in query


def test_years_become_filters(router: Router) -> None:
    (call,) = make_plan(situation("Find papers on synthetic CT since 2020"), router).calls
    assert call.arguments["year_from"] == 2020


def test_a_patient_named_is_passed_on(router: Router) -> None:
    (call,) = make_plan(situation("What medicines is patient p-17 on?"), router).calls
    assert call.arguments == {"record": "record1", "about": "medications", "patient": "p-17"}


@pytest.mark.parametrize(
    ("question", "attached", "words"),
    [
        ("grade ct7", "sample", ("ct7", "ct1", "record1")),
        ("Is there a vertebral fracture?", "film", ("CT volume of the spine", "xray1", "radiograph")),
        ("Is there a vertebral fracture?", "nothing", ("No image is attached", "sample case")),
        ("show me the scan", "record", ("No image is attached",)),
        ("her allergies?", "ct", ("No record is attached",)),
        ("Who won the football match?", "sample", ("images, records and literature",)),
    ],
)
def test_what_is_missing_is_asked_for(question: str, attached: str, words: tuple[str, ...], router: Router) -> None:
    plan = make_plan(situation(question, attached), router)
    assert plan.calls == ()
    assert plan.why
    for word in words:
        assert word in plan.reply


@pytest.mark.parametrize("text", ["hello", "thanks!", "who are you?"])
def test_small_talk_needs_no_evidence_and_is_no_abstention(text: str, router: Router) -> None:
    plan = make_plan(situation(text), router)
    assert plan.reply
    assert plan.why == ""


def test_a_film_is_shown_without_a_plane(router: Router) -> None:
    plan = make_plan(situation("show the radiograph", "film"), router)
    assert _calls(plan) == [("show_image", {"image": "xray1"})]


def test_the_healthy_spine_is_painted_of_the_named_scan_and_level(router: Router) -> None:
    plan = make_plan(situation("Paint T11 of ct2 as it was before the collapse"), router)
    assert _calls(plan) == [("synthesize_healthy_spine", {"image": "ct2", "levels": ["T11"]})]


def test_a_mask_alone_cannot_be_painted(router: Router) -> None:
    only_mask = Situation("Synthesize the healthy spine", (MASK,), ())
    plan = make_plan(only_mask, router)
    assert not plan.calls
    assert "attach the CT" in plan.reply


def test_a_synthetic_scan_is_not_graded_unless_named(router: Router) -> None:
    made = CT.model_copy(update={"handle": "ct3", "synthetic": True})
    its_mask = MASK.model_copy(update={"handle": "mask3", "of": "ct3", "synthetic": True})
    plan = make_plan(Situation("Is any vertebra fractured?", (CT, MASK, made, its_mask), ()), router)
    assert _calls(plan) == [("grade_fractures", {"image": "ct1"})]
