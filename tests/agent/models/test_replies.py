from __future__ import annotations

import pytest

from agent.models.replies import asks_for_dose, is_about_me, is_emergency, is_latin, is_small_talk


@pytest.mark.parametrize(
    "text", ["What dose of alendronate should I give her?", "how many mg of warfarin", "How much insulin should he take?"]
)
def test_questions_for_a_dose(text: str) -> None:
    assert asks_for_dose(text)


@pytest.mark.parametrize("text", ["Which radiation exposure does a CT have?", "How many vertebrae are fractured?"])
def test_other_questions_are_none(text: str) -> None:
    assert not asks_for_dose(text)


@pytest.mark.parametrize(
    "text", ["I have crushing chest pain", "he is not breathing", "I want to die", "he overdosed just now"]
)
def test_emergencies(text: str) -> None:
    assert is_emergency(text)


@pytest.mark.parametrize("text", ["Is L1 fractured?", "risk of stroke", "history of heart attack in the record"])
def test_no_emergencies(text: str) -> None:
    assert not is_emergency(text)


def test_scripts() -> None:
    assert is_latin("¿Hay alguna vértebra fracturada?")
    assert is_latin("?")
    assert not is_latin("椎骨有骨折吗？")
    assert not is_latin("هل هناك كسر؟")


def test_small_talk_and_about_me() -> None:
    assert is_small_talk("Hello!")
    assert not is_small_talk("hello, is L1 fractured in this scan?")
    assert is_about_me("What can you do?")
