from __future__ import annotations

import pytest

from core.types import Passage, StudyFact
from tests.ui.fake_assistant import HOSTILE, evidence, finished
from ui import citing, panel

TURN = finished("t", "q")


def source() -> Passage:
    found = evidence()[1]
    assert isinstance(found, Passage)
    return found


def test_exactly_the_quoted_span_is_marked() -> None:
    assert "<mark>Grade 2 fractures double the risk of another one.</mark>" in panel.marked_passage(source())


@pytest.mark.parametrize("quote", [None, (0, 5), (150, 140), (100, 9000)])
def test_no_span_or_one_outside_the_text_marks_nothing(quote: tuple[int, int] | None) -> None:
    html = panel.marked_passage(source().model_copy(update={"quote": quote}))
    assert "<mark>" not in html
    assert html == source().text


def test_lines_that_a_page_broke_run_on_and_the_mark_stays_where_it_was() -> None:
    whole = (
        "Results\nHeight was measured in all forty of the vertebrae\n"
        "at twelve weeks. It had not changed in either of them\nat all.\nMethods"
    )
    start, end = whole.index("It had"), whole.index("all.") + 4
    item = source().model_copy(update={"text": whole, "span": (0, len(whole)), "quote": (start, end)})
    assert panel.marked_passage(item) == (
        "Results\nHeight was measured in all forty of the vertebrae at twelve weeks. "
        "<mark>It had not changed in either of them at all.</mark>\nMethods"
    )


def test_hostile_text_stays_text_inside_and_outside_the_mark() -> None:
    whole = HOSTILE + "x" + HOSTILE
    item = source().model_copy(update={"text": whole, "span": (0, len(whole)), "quote": (5, len(HOSTILE)), "title": HOSTILE})
    html = panel.passage_card(item)
    assert "<script" not in html
    assert "<img" not in html


def test_a_card_says_where_the_passage_is_from() -> None:
    html = panel.sources_html(TURN, "2")
    for fact in ("Fractures and their risk", "2019", "A Journal", "starter", "0.83", "retracted", "PMID 123"):
        assert fact in html
    assert 'class="card selected"' in html
    assert 'class="card selected"' not in panel.sources_html(TURN, "1")


def test_the_selected_event_is_highlighted_and_undated_ones_come_last() -> None:
    html = panel.record_html(TURN, "3")
    assert html.count('class="selected"') == 1
    assert html.index("2026-03-04") < html.index("no date")
    assert "Observation/9" in html
    assert "<script" not in panel.record_html(TURN, "4")


def test_steps_show_parameters_status_seconds_and_warnings() -> None:
    html = panel.steps_html(TURN)
    for fact in ("ct1", "failed", "2.1 s", "Slices are 3 mm apart.", "The index is damaged."):
        assert fact in html
    assert "<script" not in html


def test_findings_are_listed_with_statement_interval_and_method() -> None:
    found = TURN.evidence[0]
    assert found.kind == "finding"
    html = panel.finding_html(found) + panel.findings_html(TURN, "1")
    assert "27 to 35 %" in html
    assert "Genant 1993" in html
    assert panel.finding_html(None) == ""


def test_the_interval_of_a_grade_says_of_what_it_is() -> None:
    found = TURN.evidence[0]
    assert found.kind == "finding"
    grade = found.model_copy(update={"name": "genant_grade", "value": 2, "unit": "", "interval": (27.0, 35.0)})
    assert "Interval: 27 to 35 % of the height lost" in panel.finding_html(grade)


def test_nothing_to_show_is_said() -> None:
    assert panel.sources_html(None) == panel.NO_SOURCES
    assert panel.record_html(None) == panel.NO_RECORD
    assert panel.steps_html(None) == panel.NO_STEPS
    assert panel.findings_html(None) == ""


def test_a_card_tells_stance_design_and_what_was_published_later() -> None:
    item = source().model_copy(
        update={
            "stance": "against", "design": "randomised trial", "notices": ("retracted A Journal. 2021;3:4",),
            "facts": (StudyFact(name="n", value="1204", span=(0, 4)), StudyFact(name="hr", value="HR 0.71", span=(5, 9))),
        }
    )  # fmt: skip
    html = panel.passage_card(item)
    for fact in ("against", "randomised trial", "n = 1204", "HR 0.71", "retracted A Journal. 2021;3:4", "Copy citation"):
        assert fact in html


def test_references_say_what_is_known_and_carry_the_flags() -> None:
    item = source()
    assert "RETRACTED" in citing.citation(item)
    ris = citing.ris(item).split("\r\n")
    assert ris[0] == "TY  - JOUR"
    assert "PY  - 2019" in ris
    assert ris[-2].startswith("ER  -")
    assert "AU  - " not in citing.ris(item.model_copy(update={"authors": ()}))
    entry = citing.bibtex(item.model_copy(update={"title": "A {\\evil} title"}))
    assert entry.startswith("@article{")
    assert "title = {A evil title}" in entry
    assert citing.bibtex(item.model_copy(update={"venue": None})).startswith("@misc{")


def test_hostile_titles_stay_text_in_references() -> None:
    html = panel.passage_card(source().model_copy(update={"title": HOSTILE}))
    assert "<script" not in html
