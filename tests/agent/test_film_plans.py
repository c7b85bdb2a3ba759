from __future__ import annotations

import pytest

from agent import slots
from agent.planning import make_plan
from agent.plans import PlannedCall, following
from agent.routing import Router
from core.types import Artifact, ToolProvenance, ToolResult
from retrieval.encoders import MiniLM
from tests.agent.situations import situation
from tests.fakes import FixedRetriever, NoImages
from tools.registry import standard_tools


@pytest.fixture(scope="module")
def router() -> Router:
    return Router(standard_tools(FixedRetriever(), NoImages()), MiniLM())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AP and lateral films", ["ap", "lateral"]),
        ("the right lateral please", ["right lateral"]),
        ("a left posterior oblique view", ["lpo"]),
        ("from behind", ["pa"]),
        ("from 30 degrees to the left", ["30,0"]),
        ("20° to the right", ["-20,0"]),
        ("15 degrees cranial", ["0,15"]),
        ("at angles -30, 10", ["-30,10"]),
    ],
)
def test_views_are_read(text: str, expected: list[str]) -> None:
    assert slots.film(text)["views"] == expected


def test_what_else_a_film_may_be_asked_for() -> None:
    asked = slots.film("an AP x-ray at 60 kVp, parallel beam, with scatter and noise, as DICOM")
    assert asked["kvp"] == 60.0
    assert {"parallel", "scatter", "photons", "dicom"} <= set(asked)
    assert "photons" not in slots.film("an x-ray without noise")


QUESTIONS = (
    "Show the lateral X-ray of this CT and what it would look like without the fracture",
    "Give me the AP x-ray and how it would look without the fracture",
    "What would the lateral x-ray look like without the fracture?",
)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_film_and_the_same_without_the_fracture_are_planned_in_two_steps(question: str, router: Router) -> None:
    plan = make_plan(situation(question), router)
    assert plan.calls == (PlannedCall("synthesize_healthy_spine", {"image": "ct2"}),)
    made = Artifact(
        handle="ct3", sha256="0" * 64, bytes=1, kind="volume", title="t", media_type="m", modality="CT", synthetic=True
    )
    done = ToolResult(
        summary="s", artifacts=(made,),
        provenance=ToolProvenance(tool="synthesize_healthy_spine", version="1", parameters={"image": "ct2"}),
    )  # fmt: skip
    (call,) = following(plan, [done])
    view = "ap" if "AP" in question else "lateral"
    assert call == PlannedCall("synthesize_xray", {"image": "ct2", "views": [view], "beside": "ct3"})
    filmed = ToolResult(summary="s", provenance=ToolProvenance(tool="synthesize_xray", version="1"))
    assert following(plan, [done, filmed]) == ()
    nothing = done.model_copy(update={"artifacts": ()})
    assert "beside" not in following(plan, [nothing])[0].arguments


def test_another_view_of_the_last_film(router: Router) -> None:
    last = (PlannedCall("synthesize_xray", {"image": "ct1", "views": ["lateral"]}),)
    (call,) = make_plan(situation("and now the AP", earlier=last), router).calls
    assert call == PlannedCall("synthesize_xray", {"image": "ct1", "views": ["ap"]})


def test_without_a_ct_a_film_cannot_be_computed(router: Router) -> None:
    plan = make_plan(situation("simulate an AP radiograph from the CT", "nothing"), router)
    assert "No CT is attached" in plan.reply


def test_a_synthetic_film_is_no_evidence_of_a_fracture(router: Router) -> None:
    film = Artifact(
        handle="xray1", sha256="0" * 64, bytes=1, kind="radiograph", title="t", media_type="image/png", synthetic=True
    )
    asked = situation("Is there a fracture in this patient?", "nothing")
    plan = make_plan(type(asked)(asked.question, (film,)), router)
    assert plan.calls == ()
    assert "xray1 is synthetic: it was generated and is not evidence about a patient" in plan.reply
