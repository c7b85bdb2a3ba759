"""Verdicts on faithful sentences and on planted faults."""

from __future__ import annotations

import pytest

from core.types import Evidence, Finding, RecordEvent
from grounding import check_answer
from grounding.segment import claims
from tests.fakes import passage

FINDING = Finding(
    id="1", name="genant_grade", value=2, method="m", where="L1",
    statement="In ct1, L1 has a Genant grade 2 (moderate wedge deformity): anterior height 17.2 mm against 24.6 mm "
    "expected from T11, T12 and L2, a loss of 30 %.",
)  # fmt: skip
PASSAGE = passage(
    "Alendronate reduced new vertebral fractures by 47 percent. Hip fracture risk was not significantly different. "
    "Pain in the left hip improved."
).model_copy(update={"id": "2"})
EVENT = RecordEvent(
    id="3", time=None, code="c", text="creatinine", source="Observation/7",
    statement="On 2024-03-02 creatinine was 1.4 mg/dL (Observation/7).",
)  # fmt: skip
EVIDENCE: list[Evidence] = [FINDING, PASSAGE, EVENT]


@pytest.mark.parametrize(
    "sentence",
    [
        "L1 has a Genant grade 2 wedge deformity with a loss of 30 % [1].",
        "In ct1 the anterior height of L1 is 1.72 cm [1].",
        "Alendronate reduced new vertebral fractures by 47 % [2].",
        "“Hip fracture risk was not significantly different.” (A source) [2].",
        "Hip fracture risk was not significantly different [2].",
        "On 2024-03-02 creatinine was 1.4 mg/dL [3].",
    ],
)
def test_faithful_sentences_pass(sentence: str) -> None:
    assert [item.verdict for item in check_answer(sentence, EVIDENCE)] == ["supported"]


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("L2 has a Genant grade 2 wedge deformity with a loss of 30 % [1].", "level L2"),
        ("L1 has a Genant grade 3 wedge deformity with a loss of 30 % [1].", "3 is not"),
        ("In ct1 the anterior height of L1 is 17.2 cm [1].", "17.2 cm"),
        ("Alendronate reduced new vertebral fractures by 74 % [2].", "74 %"),
        ("Alendronate increased new vertebral fractures by 47 % [2].", "direction"),
        ("Hip fracture risk was significantly different [2].", "no difference"),
        ("“Hip fracture risk was significantly different.” (A source) [2].", "quoted words"),
        ("Pain in the right hip improved [2].", "side right"),
        ("On 2023-03-02 creatinine was 1.4 mg/dL [3].", "date"),
        ("Creatinine was 1.4 mmol/L [3].", "1.4 mmol/L"),
        ("Alendronate reduced new vertebral fractures by 47 % [3].", "47 %"),
        ("Alendronate works [9].", "not evidence of this turn"),
        ("The patient has osteoporosis.", "no evidence"),
    ],
)
def test_planted_faults_are_caught(sentence: str, reason: str) -> None:
    (item,) = check_answer(sentence, EVIDENCE)
    assert item.verdict in ("not_supported", "contradicted")
    assert reason in item.why


@pytest.mark.parametrize("sentence", ["I found nothing on this.", "Which level do you mean?", "Searched: 3 documents."])
def test_words_about_the_program_need_no_evidence(sentence: str) -> None:
    assert check_answer(sentence, EVIDENCE)[0].verdict == "no_evidence_needed"


def test_sentences_are_told_apart() -> None:
    text = "Height was 3.5 mm, e.g. at L1 [1]. “One. Two.” (Title) [2].\n- A list item [1, 3]\n2) Another one [2][3]."
    assert [(claim.bare, claim.cited) for claim in claims(text)] == [
        ("Height was 3.5 mm, e.g. at L1.", ("1",)),
        ("“One. Two.” (Title).", ("2",)),
        ("A list item", ("1", "3")),
        ("Another one.", ("2", "3")),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Treatment failed in 20 % of patients.",
        "Please give 5 mg of morphine.",
        "I can confirm that she has cancer.",
        "The emergency surgery cured everyone.",
        "I found that L1 is broken.",
        "Nothing but surgery helps.",
    ],
)
def test_words_of_the_program_excuse_no_claim(text: str) -> None:
    (sentence,) = check_answer(text, [])
    assert sentence.verdict == "not_supported"


@pytest.mark.parametrize(
    "text",
    [
        "I found nothing on this.",
        "Searched: 97 documents in 'starter'.",
        "Please attach a CT of the spine with a vertebra mask.",
        "No record is attached.",
        "grade_fractures was refused: L5 is not in ct1.",
        "The record does not document pacemaker (searched 63 events).",
        "If this is an emergency, call your local emergency number now.",
        "I do not give a dose of my own: what follows is what the record or a source says.",
        "Which level do you mean?",
    ],
)
def test_what_the_program_says_of_itself_needs_no_evidence(text: str) -> None:
    (sentence,) = check_answer(text, [])
    assert sentence.verdict == "no_evidence_needed"


def test_the_embedded_models_own_words_need_no_evidence() -> None:
    from agent.models import replies

    for text in (replies.WHO, replies.OUTSIDE, replies.EMERGENCY, replies.OTHER_SCRIPT, replies.NO_DOSE):
        assert {sentence.verdict for sentence in check_answer(text, [])} == {"no_evidence_needed"}, text


def test_every_sentence_of_a_source_is_supported_by_that_source() -> None:
    from grounding.batch import judge
    from grounding.facts import sentences
    from retrieval.starter import starter_documents

    told = [(part, judge(part, [card.text])[0]) for card in starter_documents() for part in sentences(card.text)]
    assert len(told) > 400
    assert [part for part, verdict in told if verdict != "supported"] == []


def test_a_quote_must_stand_there_as_whole_words() -> None:
    from grounding.batch import judge

    assert judge("The note says “5 mg daily”.", ["The dose is 5 mg daily."])[0] == "supported"
    assert judge("The note says “5 mg daily”.", ["The dose is 15 mg daily."])[0] == "not_supported"
