from __future__ import annotations

import re

from agent.events import StepFinished, StepProgress, StepStarted, TextDelta
from agent.models.preflight import Check
from core.types import Sentence
from tests.ui.fake_assistant import HOSTILE, NOW, finished
from ui import render


def test_a_citation_becomes_a_button_that_names_its_evidence() -> None:
    html = render.sentence_html(
        Sentence(text="So it is [1][2].", evidence=("1", "2"), verdict="supported"), "t", frozenset("12"), 0
    )
    assert re.findall(r'data-evidence="(\S+)"', html) == ["t:1", "t:2"]
    assert "[1]" not in html


def test_evidence_without_a_marker_is_still_cited_and_an_unknown_number_stays_text() -> None:
    html = render.sentence_html(Sentence(text="See [9].", evidence=("1",), verdict="supported"), "t", frozenset("1"), 0)
    assert "[9]" in html
    assert html.count("data-evidence") == 1


def test_a_sentence_that_failed_its_check_looks_different_and_says_why() -> None:
    html = render.sentence_html(Sentence(text="No.", verdict="contradicted", why="1.8 is <not> there"), "t", frozenset(), 3)
    assert 'class="sentence doubtful contradicted"' in html
    assert "1.8 is &lt;not&gt; there" in html
    assert 'data-sentence="t:3" tabindex="0" role="button"' in html


def test_hostile_text_stays_text_everywhere() -> None:
    html = render.history_html([finished(HOSTILE, HOSTILE)], {"image1": "data:image/png;base64,AA"})
    html += render.conversations_html([(HOSTILE, HOSTILE, HOSTILE)], "") + render.problems_html([HOSTILE])
    html += render.suggestions_html([HOSTILE]) + render.model_html(
        HOSTILE, False, HOSTILE, HOSTILE, [Check(name=HOSTILE, works=True, seen=HOSTILE, seconds=0)]
    )
    assert "<script" not in html
    assert "<img src=x" not in html
    assert not re.search(r"<[^>]*onerror='", html)


def test_rows_open_their_evidence_and_rows_without_any_do_not() -> None:
    turn = finished("t", "q")
    assert turn.answer is not None
    html = render.table_html(turn.answer.tables[0], turn)
    assert html.count('<tr class="link"') == 1
    assert 'data-evidence="t:1"' in html


def test_a_running_turn_shows_progress_then_its_end_with_seconds() -> None:
    live = render.Live("q")
    live.take(StepStarted(call_id="c1", tool="grade_fractures", arguments={}))
    live.take(StepProgress(call_id="c1", tool="grade_fractures", fraction=0.42, message="grading L1"))
    assert "grading L1… 42 %" in render.live_html(live)
    live.take(StepFinished(call=finished("t", "q").calls[0]))
    live.take(TextDelta(text="Draft <b>"))
    html = render.live_html(live)
    assert "done, 2.1 s" in html
    assert "Draft &lt;b&gt;" in html
    live.stopping = True
    assert "Stopping" in render.live_html(live)
    assert render.live_html(None) == ""


def test_turns_without_an_answer_say_so() -> None:
    turn = finished("t", "q").model_copy(update={"answer": None})
    assert "has no answer yet" in render.turn_html(turn, {})
    assert "Stopped." in render.turn_html(finished("t", "q", "cancelled"), {})


def test_an_abstention_gives_its_reason() -> None:
    turn = finished("t", "q")
    assert turn.answer is not None
    silent = turn.answer.model_copy(update={"sentences": (), "abstained": True, "why": "Nothing was found in 95 documents."})
    html = render.turn_html(turn.model_copy(update={"answer": silent}), {})
    assert "Nothing was found in 95 documents." in html
    assert NOW is turn.started


def test_what_the_model_can_do_is_a_table() -> None:
    seen = [
        Check(name="images", works=False, seen="400 At most 0 image(s)", seconds=0.1),
        Check(name="text", works=True, seen="answered 5 characters", seconds=0.1),
    ]
    html = render.model_html("m", True, "native tool calls", "http://127.0.0.1:8000/v1", seen)
    assert '<th scope="row">images</th><td>no</td><td>400 At most 0 image(s)</td>' in html
    assert '<th scope="row">text</th><td>yes</td>' in html
    assert "<table>" not in render.model_html("embedded", True, "", "")
