"""Whole turns whose answer is made by a strategy, over real HTTP with a scripted endpoint."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from agent.assemble import build_assistant
from agent.events import Event, Notice, TextDelta, TurnDone
from core.errors import SettingError
from core.settings import load_settings
from core.types import Turn
from tests.agent.openai_server import ALL, NO_NATIVE, SCORES, Scored, Script, serving
from tests.agent.strategies.build import letter_for, prompt_of
from ui.cli import main

ME = "me"
SEARCH = [("search_literature", '{"query": "What is RHLV?", "k": 1}')]
CITED = "Relative Height Loss of Vertebrae compares the height of a vertebra with that of a synthesised one [1]."
CLOSED = "What does RHLV compare?\nA) the weight of vertebrae\nB) the height of a vertebra\nC) the age of patients"
pytestmark = pytest.mark.usefixtures("home_with_index")
both_planners = pytest.mark.parametrize("can", [ALL, NO_NATIVE], ids=["native", "guided"])


def events_of(script: Script, question: str, **settings: Any) -> tuple[Turn, list[Event]]:
    with serving(script) as url, build_assistant(load_settings(model=url, **settings)) as assistant:
        events = list(assistant.ask(ME, assistant.new_conversation(ME), question))
    assert isinstance(events[-1], TurnDone)
    return events[-1].turn, events


def replies(vote: Any, draft: str = CITED, account: str = CITED) -> Any:
    """A model that searches, drafts, votes and accounts for its vote."""

    def reply(request: dict[str, Any]) -> Any:
        if not request.get("stream"):
            return account if "The option chosen is" in prompt_of(request) else vote(request)
        text = json.dumps(request["messages"])
        return draft if "<evidence>" in text else SEARCH

    return reply


def sentence_of(letter: str) -> str:
    return f"The model chose {letter}: the height of a vertebra."


def votes(script: Script) -> list[dict[str, Any]]:
    return [request for request in script.requests if not request.get("stream")]


@both_planners
def test_a_closed_question_is_voted_on_and_accounted_for(can: frozenset[str]) -> None:
    script = Script([replies(letter_for("the height of a vertebra"))], can=can)
    turn, events = events_of(script, CLOSED, strategy_parallel=1)
    answer = turn.answer
    assert answer is not None
    assert answer.choice is not None
    assert (answer.choice.letter, answer.choice.text) == ("B", "the height of a vertebra")
    assert answer.choice.votes == {"B": 3.0}
    assert [sentence.verdict for sentence in answer.sentences] == ["not_supported", "supported"]
    assert "own choice" in answer.sentences[0].why
    assert any("the choice is not" in limit for limit in answer.limits)
    assert [prompt_of(r).splitlines()[-1][:20] for r in votes(script)[:3]] == ["Answer with the lett"] * 3
    assert all("Relative Height Loss" in prompt_of(request) for request in votes(script)), "the tools' evidence is given"
    way = answer.provenance.strategy if answer.provenance else None
    assert way is not None
    assert (way.name, way.why, way.calls, way.seed) == ("permutation_voting", "closed question", 4, 1)
    assert way.prompt_tokens > 0
    assert way.estimated
    assert answer.provenance is not None
    assert {"strategy_direct", "strategy_explain"} <= answer.provenance.prompts.keys()
    assert any(isinstance(event, Notice) and "permutation voting" in event.text for event in events)
    shown = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert shown == f"The model chose B: the height of a vertebra.\n\n{CITED}", "the draft is not shown"


def test_a_draft_that_chose_the_same_needs_no_further_account() -> None:
    draft = f"The answer is B. {CITED}"
    script = Script([replies(letter_for("the height of a vertebra"), draft)])
    turn, _ = events_of(script, CLOSED)
    assert len(votes(script)) == 3
    assert turn.answer is not None
    assert [sentence.text for sentence in turn.answer.sentences] == [sentence_of("B"), CITED]


def test_log_probabilities_are_taken_where_the_endpoint_gives_them() -> None:
    script = Script(
        [replies(lambda request: "x")],
        can=ALL | SCORES,
        likelihood=lambda prompt, token: -0.1 if prompt.endswith("vertebra") else -3.0,
    )
    turn, _ = events_of(script, CLOSED)
    assert turn.answer is not None
    assert turn.answer.choice is not None
    assert turn.answer.choice.letter == "B"
    assert len(script.echoes) == 3
    assert any("shares of probability" in limit for limit in turn.answer.limits)


def test_letters_are_scored_where_prompts_are_not() -> None:
    script = Script([replies(lambda request: Scored("B", {letter_for("the height of a vertebra")(request): -0.1}))])
    script.can = ALL | {"log-probabilities"}
    turn, _ = events_of(script, CLOSED)
    assert turn.answer is not None
    assert turn.answer.choice is not None
    assert turn.answer.choice.votes == {"A": 0.0, "B": 1.0, "C": 0.0}


def test_an_open_question_is_answered_plainly_in_no_more_calls() -> None:
    script = Script([replies(lambda request: "B")])
    turn, _ = events_of(script, "What is RHLV?")
    assert votes(script) == []
    assert turn.answer is not None
    assert turn.answer.choice is None


@both_planners
def test_a_strategy_that_is_set_answers_an_open_question_from_the_evidence(can: frozenset[str]) -> None:
    script = Script([replies(lambda request: CITED, draft="A draft [1].")], can=can)
    turn, events = events_of(script, "What is RHLV?", strategy="rationale_first")
    assert len(votes(script)) == 2
    assert turn.answer is not None
    assert [(s.text, s.verdict) for s in turn.answer.sentences] == [(CITED, "supported")]
    assert "A draft" not in "".join(event.text for event in events if isinstance(event, TextDelta))


def test_what_is_invented_in_a_strategy_is_caught() -> None:
    script = Script([replies(lambda request: "RHLV cures 93 % of patients [1].")])
    turn, _ = events_of(script, "What is RHLV?", strategy="ensemble_refinement", ensemble_samples=2)
    assert turn.answer is not None
    assert [sentence.verdict for sentence in turn.answer.sentences] in (["contradicted"], ["not_supported"])


def test_a_strategy_for_closed_questions_is_not_used_for_open_ones_and_it_is_said() -> None:
    turn, _ = events_of(Script([replies(lambda request: "B")]), "What is RHLV?", strategy="permutation_voting")
    assert turn.answer is not None
    assert any("permutation_voting was not used" in limit for limit in turn.answer.limits)


def test_when_the_tools_found_nothing_no_vote_is_taken() -> None:
    nothing = [("search_literature", '{"query": "What is the best treatment for Blorptitis?"}')]
    script = Script([nothing, "I found nothing on this."])
    turn, _ = events_of(script, "What treats Blorptitis?\nA) aspirin\nB) rest")
    assert turn.answer is not None
    assert turn.answer.abstained
    assert turn.answer.choice is None
    assert votes(script) == []


def test_when_every_call_of_the_strategy_fails_the_plain_answer_stands_and_it_is_said() -> None:
    turn, _ = events_of(Script([replies(lambda request: "500")]), CLOSED)
    assert turn.answer is not None
    assert [sentence.text for sentence in turn.answer.sentences] == [CITED]
    assert any("gave no answer" in limit and "500" in limit for limit in turn.answer.limits)
    assert any("chose no option" in limit for limit in turn.answer.limits)


def test_the_budget_of_a_strategy_is_kept_and_told() -> None:
    script = Script([replies(letter_for("the height of a vertebra"))])
    turn, _ = events_of(script, CLOSED, strategy_calls=2, strategy_parallel=1)
    assert len(votes(script)) == 2
    assert turn.answer is not None
    assert any("2 of 3 calls were made" in limit for limit in turn.answer.limits)


def test_a_stop_reaches_the_calls_of_a_strategy() -> None:
    script = Script([replies(lambda request: "hang")])
    with serving(script) as url, build_assistant(load_settings(model=url)) as assistant:
        stop = threading.Event()
        started = time.monotonic()
        for event in assistant.ask(ME, assistant.new_conversation(ME), CLOSED, stop):
            if isinstance(event, Notice) and "permutation voting" in event.text:
                threading.Timer(0.3, stop.set).start()
                started = time.monotonic()
        assert time.monotonic() - started < 5
    assert isinstance(event, TurnDone)
    assert event.turn.error == "Stopped before it had an answer."


def test_in_strict_mode_the_choice_stays_and_its_sentence_goes() -> None:
    script = Script([replies(letter_for("the height of a vertebra"))])
    turn, _ = events_of(script, CLOSED, strict=True)
    assert turn.answer is not None
    assert [sentence.text for sentence in turn.answer.sentences] == [CITED]
    assert turn.answer.choice is not None


def test_a_strategy_needs_a_served_model() -> None:
    with pytest.raises(SettingError, match="needs a served model"):
        build_assistant(load_settings(strategy="permutation_voting"))


def test_medprompt_needs_examples() -> None:
    with serving(Script(["hello"])) as url, build_assistant(load_settings(model=url, strategy="medprompt")) as assistant:
        assert "needs a file of solved questions" in assistant.model_status().detail


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    solved = {"question": "What does a ruler compare?", "options": {"A": "lengths", "B": "weights"}, "answer": "A"}
    (tmp_path / "examples.json").write_text(json.dumps({"one": solved}))
    return tmp_path / "examples.json"


def test_ask_takes_a_strategy_and_tells_its_cost(examples: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def vote(request: dict[str, Any]) -> str:
        wanted = "lengths" if "ruler" in prompt_of(request) else "the height of a vertebra"
        return f"Thought. The answer is {letter_for(wanted)(request)}."

    with serving(Script([replies(vote)])) as url:
        flags = ["--model", url, "--strategy", "medprompt", "--examples", str(examples)]
        assert main(["ask", CLOSED, *flags, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert main(["ask", CLOSED, *flags]) == 0
        printed = capsys.readouterr().out
    assert told["answer"]["choice"]["letter"] == "B"
    assert told["strategy"]["name"] == "medprompt"
    assert told["strategy"]["calls"] == 7, "one example's reasoning, five votes, one account"
    assert told["model_use"]["calls"] > told["strategy"]["calls"]
    assert "Only 1 of 5 examples" in " ".join(told["limits"])
    assert "Choice: B (the height of a vertebra)" in printed
    assert "medprompt: 6 calls" in printed, "the reasoning is kept"
