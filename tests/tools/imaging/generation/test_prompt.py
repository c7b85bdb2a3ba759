from __future__ import annotations

import pytest
from pydantic import ValidationError

from core.errors import InputError
from tools.imaging.compression import rim_loss
from tools.imaging.generation.attributes import WHOLE, SpineAttributes, Wish
from tools.imaging.generation.captions import caption, random_attributes
from tools.imaging.generation.facts import facts_of
from tools.imaging.generation.prompt import read_prompt


def _wishes(prompt: str) -> list[tuple[str, str, float]]:
    return [(wish.level, wish.kind, wish.percent) for wish in read_prompt(prompt).attributes.fractures]


def test_the_prompt_of_the_issue() -> None:
    request = read_prompt("lateral lumbar radiograph, moderate wedge fracture of L1, osteopenia")
    assert request.views == ("lateral",)
    assert request.attributes.region == "lumbar"
    assert request.attributes.density == "osteopenia"
    assert _wishes(request.prompt) == [("L1", "wedge", 32.5)]
    assert request.assumed == request.passed_over == ()


@pytest.mark.parametrize(
    ("prompt", "wishes"),
    [
        ("ten spines with a 30 % wedge at L1", [("L1", "wedge", 30.0)]),
        ("thoracic spine, severe crush fractures of T8 and T9", [("T8", "crush", 48.0), ("T9", "crush", 48.0)]),
        ("T10 to L4 with L2 biconcave, moderate and 45% crush at T12", [("T12", "crush", 45.0), ("L2", "biconcave", 32.5)]),
        ("L1 and L2 with mild wedge deformities", [("L1", "wedge", 22.5), ("L2", "wedge", 22.5)]),
        ("T12 and L1 compression fractures, grade 3", [("T12", "wedge", 48.0), ("L1", "wedge", 48.0)]),
        ("lumbar spine without any fracture", []),
        ("lumbar spine of the D12 level, 25 percent wedge", [("T12", "wedge", 25.0)]),
    ],
)  # fmt: skip
def test_deformities(prompt: str, wishes: list[tuple[str, str, float]]) -> None:
    assert _wishes(prompt) == wishes


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("MRI of the brain", "Magnetic resonance"),
        ("chest film with pneumonia", "chest"),
        ("cervical spine with a fracture", "cervical"),
        ("CT of the knee", "body part"),
        ("lumbar spine with pedicle screws", "Metal"),
        ("lumbar spine with metastases", "tumour"),
        ("burst fracture of L1", "burst"),
        ("spine of a child", "child"),
        ("lumbar spine with sarcoidosis", "sarcoidosis"),
        ("a nice picture", "no part of the spine"),
        ("   ", "empty"),
    ],
)
def test_what_is_outside_is_declined_with_what_can_be_drawn(prompt: str, words: str) -> None:
    with pytest.raises(InputError, match=rf"(?s){words}.*It draws the thoracic and lumbar spine"):
        read_prompt(prompt)


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("L9 wedge", "L9 is not a level"),
        ("lumbar spine, mild wedge of L1, severe wedge of L1", "describes L1 twice"),
        ("30 % mild wedge of L1", "contradicts itself"),
        ("L2 biconcave deformity, crush", "two of one kind"),
        ("lumbar film with a T4 fracture", "T4 lies outside"),
        ("70 % wedge at L2", "10 to 60 %"),
        ("healthy spine with a wedge fracture of L1", "one of the two"),
        ("osteoporosis with normal bone density of the spine", "two bone densities"),
        ("spine of a tall and short man", "small and for a large"),
        ("spine of a 7-year-old", "Only adults"),
        ("scoliosis of 80 degrees of the lumbar spine", "5 to 50 degrees"),
        ("500 lumbar spines", "Between 1 and 100"),
        ("spine with wedge of T11, T12, L1, L2 and L3", "At most 4"),
    ],
)
def test_contradictions_and_impossible_amounts(prompt: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_prompt(prompt)


def test_what_is_assumed_and_passed_over_is_said() -> None:
    request = read_prompt("a spine with a fracture and some glitter")
    assert any("no level was named" in line for line in request.assumed)
    assert any("no severity" in line for line in request.assumed)
    assert request.passed_over == ("glitter",)


def test_the_person_and_the_curves() -> None:
    a = read_prompt(
        "thoracolumbar spine, 25-degree scoliosis, hyperkyphosis, loss of lordosis, small 78-year-old woman"
    ).attributes
    assert (a.cobb_deg, a.kyphosis, a.lordosis, a.size, a.age, a.sex) == (
        25.0,
        "increased",
        "reduced",
        "small",
        78,
        "female",
    )


@pytest.mark.parametrize("views", [(), ("lateral",), ("ap", "lateral"), ("right_oblique",)])
def test_every_caption_reads_back(views: tuple[str, ...]) -> None:
    for seed in range(120):
        attributes = random_attributes(seed)
        request = read_prompt(caption(attributes, views, seed))  # type: ignore[arg-type]
        assert request.attributes == attributes
        assert request.views == views
        assert request.passed_over == ()


def test_a_wish_loses_what_it_says_at_the_six_points() -> None:
    for kind in ("wedge", "biconcave", "crush"):
        fracture = Wish(level="L1", kind=kind, percent=30).fracture()
        assert max(rim_loss(fracture.kind, fracture.severity)) == pytest.approx(0.30)


@pytest.mark.parametrize(
    "wrong",
    [
        {"levels": ("L1", "L3", "L4")},
        {"levels": ("C7", "T1", "T2")},
        {"fractures": (Wish(level="T2", percent=20),)},
        {"cobb_deg": 70},
        {"levels": ("L1", "L2")},
    ],
)
def test_edited_attributes_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SpineAttributes.model_validate({"region": "lumbar", **wrong})


def test_facts_tell_views_and_looks_apart() -> None:
    attributes = SpineAttributes()
    assert facts_of(attributes, 0).shape == (20,)
    assert (facts_of(attributes, 0) != facts_of(attributes, 90)).any()
    assert (facts_of(attributes, real=True) != facts_of(attributes, real=False)).any()
    assert WHOLE[0] == "T1"
    assert WHOLE[-1] == "L5"
