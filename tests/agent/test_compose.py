from __future__ import annotations

from datetime import UTC, datetime

from agent.compose import compose
from core.types import Evidence, Finding, Passage, RecordEvent, ToolProvenance, ToolResult
from grounding import check_answer


def _grade(number: int, where: str, grade: int) -> Finding:
    return Finding(
        id=str(number), name="genant_grade", value=grade, where=where, method="m", artifact="ct1",
        statement=f"In ct1, {where} is Genant grade {grade}.",
    )  # fmt: skip


def _passage(number: int) -> Passage:
    text = "Grade 2 is 25 to 40 percent. More text."
    return Passage(
        id=str(number), passage_id=f"p{number}", document_id="d", text=text, span=(0, len(text)), quote=(0, 28),
        title="Genant (1993)", corpus="starter", score=1.0, flags=("retracted",) if number == 9 else (),
    )  # fmt: skip


def _event(number: int) -> RecordEvent:
    return RecordEvent(
        id=str(number), time=datetime(2024, 1, 1, tzinfo=UTC), code="1", text="Alendronate", source="r",
        statement="Alendronate was started on 2024-01-01.",
    )  # fmt: skip


def _result(*evidence: Evidence, status: str = "done", summary: str = "Done.", searched: str = "") -> ToolResult:
    return ToolResult.model_validate(
        {"status": status, "summary": summary, "evidence": evidence, "searched": searched,
         "provenance": ToolProvenance(tool="grade_fractures", version="1")}
    )  # fmt: skip


def test_the_worst_level_comes_first_and_healthy_ones_share_a_sentence() -> None:
    text = compose([_result(_grade(1, "T10", 0), _grade(2, "T11", 2), _grade(3, "T12", 0), _grade(4, "L1", 1))]).text
    assert text.index("T11 is Genant grade 2 [2].") < text.index("L1 is Genant grade 1 [4].") < text.index("T10 and T12")
    assert "[1][3]" in text


def test_one_healthy_level_is_stated_by_itself() -> None:
    assert compose([_result(_grade(1, "L1", 0))]).text == "In ct1, L1 is Genant grade 0 [1]."


def test_passages_are_quoted_with_their_title_and_flags() -> None:
    text = compose([_result(_passage(1), _passage(9))]).text
    assert "“Grade 2 is 25 to 40 percent.” (Genant) [1]." in text
    assert "(Genant, retracted) [9]" in text


def test_a_quote_over_the_lines_of_a_page_stays_one_sentence_and_passes_its_check() -> None:
    page = _passage(1).model_copy(update={"text": "Grade 2 is 25\nto 40\npercent.", "quote": None, "span": (0, 28)})
    draft = compose([_result(page)])
    checked = check_answer(draft.text, [page])
    assert [(sentence.verdict, sentence.evidence) for sentence in checked] == [("supported", ("1",))]


def test_events_are_stated() -> None:
    assert compose([_result(_event(3))]).text == "Alendronate was started on 2024-01-01 [3]."


def test_nothing_found_is_an_abstention_that_says_where_was_looked() -> None:
    draft = compose([_result(summary="I found nothing on this", searched="97 documents in 'starter'")])
    assert draft.abstained
    assert "97 documents" in draft.why
    assert draft.text.endswith(".")


def test_a_failed_call_is_told_and_the_rest_is_answered() -> None:
    draft = compose([_result(status="timeout", summary="It took too long"), _result(_event(1))])
    assert not draft.abstained
    assert draft.text.startswith("grade_fractures was stopped: It took too long.")
    assert "[1]" in draft.text
