from __future__ import annotations

import pytest

from agent.strategies.closed import as_question
from agent.strategies.contract import options_of
from agent.strategies.parsing import parse_choice, without_thoughts

FOUR = options_of(("anterior wedge", "biconcave", "crush", "none of these"))
YES_NO = options_of(("yes", "no", "maybe"))


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("B", "B"),
        (" (B) ", "B"),
        ("B.", "B"),
        ("**B**", "B"),
        ("B) biconcave", "B"),
        ("B: biconcave", "B"),
        ("B biconcave", "B"),
        ("A crush fracture", None),
        ("B because the endplates sink in", "B"),
        ("The answer is C.", "C"),
        ("The correct answer is **(C)**", "C"),
        ("Answer: C", "C"),
        ("The final answer is $\\boxed{\\text{C}}$.", "C"),
        ('{"answer": "D"}', "D"),
        ("First I thought the answer is A. But the answer is D.", "D"),
        ("The anterior height is lost.\nThe posterior is not.\nA", "A"),
        ("<think>The answer is B, or the answer is C.</think>\nA", "A"),
        ("<think>cut off in the middle, the answer is B", None),
        ("crush", "C"),
        ("Crush.", "C"),
        ("A patient like this has a crush fracture", None),
        ("A or B", None),
        ("The answer is B or C.", None),
        ("E", None),
        ("", None),
        ("I cannot answer that.", None),
        ("Because of the anterior loss", None),
        ("Don't know", None),
    ],
)
def test_the_letter_that_a_reply_names_or_none(reply: str, letter: str | None) -> None:
    assert parse_choice(reply, FOUR) == letter


@pytest.mark.parametrize(("reply", "letter"), [("yes", "A"), ("No, it does not.", "B"), ("Maybe", "C"), ("no or yes", None)])
def test_options_may_be_named_by_their_words(reply: str, letter: str | None) -> None:
    assert parse_choice(reply, YES_NO) == letter


def test_thoughts_are_left_out() -> None:
    assert without_thoughts("<think>hm\nhm</think> Yes.") == "Yes."


@pytest.mark.parametrize(
    "text",
    [
        "Which shape is it?\nA) anterior wedge\nB) biconcave\nC) crush\nD) none of these",
        "Which shape is it?\n\nOptions:\nA. anterior wedge\nB. biconcave\nC. crush\nD. none of these\n",
        "Which shape is it? (A) anterior wedge (B) biconcave (C) crush (D) none of these",
        "Which shape is it? A) anterior wedge, B) biconcave, C) crush, D) none of these",
        "Which shape is it?\n  A: anterior wedge\n  B: biconcave\n  C: crush\n  D: none of these",
    ],
)
def test_a_closed_question_is_told_by_its_options(text: str) -> None:
    question = as_question(text)
    assert question.text == "Which shape is it?"
    assert question.options == FOUR


@pytest.mark.parametrize(
    ("text", "stem", "words"),
    [
        ("Is L1 fractured? Answer yes, no or maybe.", "Is L1 fractured?", ("yes", "no", "maybe")),
        ("Is L1 fractured (yes/no)?", "Is L1 fractured?", ("yes", "no")),
        ("Is L1 fractured? yes or no", "Is L1 fractured?", ("yes", "no")),
    ],
)
def test_yes_and_no_are_options(text: str, stem: str, words: tuple[str, ...]) -> None:
    question = as_question(text)
    assert (question.text, tuple(option.text for option in question.options)) == (stem, words)


@pytest.mark.parametrize(
    "text",
    [
        "Is L1 fractured?",
        "Is vitamin A or B deficient in Crohn's disease?",
        "What does hepatitis B) do?",
        "Grade L1.\nA) and nothing else",
        "Compare\nA) wedge\nC) crush",
        "A) wedge\nB) crush",
        "Did she say yes or no to the operation in 2019?",
        "",
    ],
)
def test_other_questions_are_open(text: str) -> None:
    assert as_question(text).options == ()
    assert as_question(text).text == text.strip()


def test_the_patient_behind_the_question_is_no_part_of_an_option() -> None:
    question = as_question("Is it?\nA) yes\nB) no (patient p1)")
    assert (question.text, question.options[1].text) == ("Is it? (patient p1)", "no")
