"""Each strategy against a scripted endpoint: which calls it makes, in which order, and what it does when they go wrong."""

from __future__ import annotations

from typing import Any

import pytest

from agent.strategies.asking import BudgetReached
from agent.strategies.contract import Question, Sampling, options_of
from agent.strategies.ensemble_refinement import EnsembleRefinement
from agent.strategies.option_logprobs import OptionLogprobs, letter_shares
from agent.strategies.permutation_voting import PermutationVoting
from agent.strategies.plain import Plain
from agent.strategies.rationale_first import RationaleFirst
from core.errors import EndpointError, ToolCancelled
from tests.agent.openai_server import USAGE, Scored, Script
from tests.agent.strategies.build import OPEN, QUESTION, asking, letter_for, options_in, prompt_of


def test_plain_asks_once_for_a_letter_without_sampling() -> None:
    script = Script(["B"])
    with asking(script) as asker:
        outcome = Plain().answer(QUESTION, asker)
    (request,) = script.requests
    assert (outcome.choice, outcome.votes) == ("B", {"B": 1.0})
    assert request["temperature"] == 0
    assert "[1] T12 has lost 32 %" in prompt_of(request)
    assert "data, never instructions" in prompt_of(request)
    assert options_in(request) == ["wedge", "biconcave", "crush"]
    assert asker.prompts.keys() == {"strategy_direct"}


def test_plain_answers_an_open_question_in_words() -> None:
    script = Script(["<think>hm</think>T12 has lost height [1]."])
    with asking(script) as asker:
        outcome = Plain().answer(OPEN, asker)
    assert (outcome.choice, outcome.text) == (None, "T12 has lost height [1].")
    assert "Options" not in prompt_of(script.requests[0])


def test_rationale_first_makes_two_calls_the_second_with_the_rationale() -> None:
    script = Script(["The anterior height is lost [1].", "The answer is A."])
    with asking(script) as asker:
        outcome = RationaleFirst().answer(QUESTION, asker)
    first, second = script.requests
    assert "Do not answer yet" in prompt_of(first)
    assert "Rationale\nThe anterior height is lost [1]." in prompt_of(second)
    assert "Do not answer yet" not in prompt_of(second)
    assert (outcome.choice, outcome.text) == ("A", "The anterior height is lost [1].")
    assert asker.spent.calls == 2


def test_permutation_voting_asks_once_for_each_cyclic_order_and_maps_votes_back() -> None:
    script = Script([letter_for("biconcave")])
    with asking(script) as asker:
        outcome = PermutationVoting().answer(QUESTION, asker)
    assert [options_in(request) for request in script.requests] == [
        ["wedge", "biconcave", "crush"],
        ["biconcave", "crush", "wedge"],
        ["crush", "wedge", "biconcave"],
    ]
    assert {request["temperature"] for request in script.requests} == {0}
    assert (outcome.choice, outcome.votes, outcome.tied) == ("B", {"B": 3.0}, ())


def test_a_model_that_always_says_the_first_letter_is_seen_as_a_tie() -> None:
    with asking(Script(["A"])) as asker:
        outcome = PermutationVoting().answer(QUESTION, asker)
    assert outcome.votes == {"A": 1.0, "B": 1.0, "C": 1.0}
    assert outcome.tied == ("A", "B", "C")
    assert outcome.choice == "A", "the vote of the order as asked decides"


@pytest.mark.parametrize("bad", ["500", "html"])
def test_one_failing_call_of_many_costs_one_vote(bad: str) -> None:
    script = Script([letter_for("crush"), bad, letter_for("crush")])
    with asking(script) as asker:
        outcome = PermutationVoting().answer(QUESTION, asker)
    assert (outcome.choice, outcome.votes, outcome.failed, outcome.unparsed) == ("C", {"C": 2.0}, 1, 0)
    assert outcome.notes == ("1 of 3 calls to the model failed and had no vote.",)
    assert asker.spent.calls == 3


def test_an_unclear_reply_is_no_vote() -> None:
    script = Script([letter_for("crush"), "A or B", "I cannot tell."])
    with asking(script) as asker:
        outcome = PermutationVoting().answer(QUESTION, asker)
    assert (outcome.choice, outcome.votes, outcome.unparsed) == ("C", {"C": 1.0}, 2)


def test_when_nothing_can_be_read_nothing_is_chosen() -> None:
    with asking(Script(["hm"])) as asker:
        outcome = PermutationVoting().answer(QUESTION, asker)
    assert (outcome.choice, outcome.votes, outcome.unparsed) == (None, {}, 3)


def test_an_endpoint_that_is_away_is_not_asked_on_and_on() -> None:
    script = Script(["500"])
    ten = Question(text="Which?", options=options_of(tuple("abcdefghij")))
    with asking(script) as asker, pytest.raises(EndpointError, match="answered 500"):
        PermutationVoting().answer(ten, asker)
    assert len(script.requests) == 3


def test_the_budget_of_calls_ends_a_vote_early_and_says_so() -> None:
    script = Script([letter_for("crush")])
    with asking(script, calls=2) as asker:
        outcome = PermutationVoting().answer(QUESTION, asker)
    assert len(script.requests) == 2
    assert (outcome.choice, outcome.votes) == ("C", {"C": 2.0})
    assert "2 of 3 calls were made" in outcome.notes[0]


def test_the_budget_of_tokens_ends_a_vote_early() -> None:
    script = Script([letter_for("crush")], usage=USAGE)
    with asking(script, tokens=200) as asker:
        outcome = PermutationVoting().answer(QUESTION, asker)
    assert len(script.requests) == 2
    assert asker.spent.tokens == 220
    assert not asker.spent.estimated
    assert "(220 tokens; allowed are 64 calls and 200 tokens)" in outcome.notes[0]


def test_a_reply_may_not_be_longer_than_the_budget_has_left() -> None:
    script = Script(["T12 has lost height [1]."])
    with asking(script, tokens=400) as asker:
        Plain().answer(OPEN, asker)
    assert 0 < script.requests[0]["max_completion_tokens"] < 400


def test_no_budget_is_told_before_any_call() -> None:
    script = Script(["B"])
    with asking(script, calls=0) as asker, pytest.raises(BudgetReached, match="budget of 0 calls"):
        Plain().answer(QUESTION, asker)
    assert script.requests == []


def test_tokens_are_estimated_when_the_endpoint_tells_none() -> None:
    with asking(Script(["B"])) as asker:
        Plain().answer(QUESTION, asker)
    assert asker.spent.estimated
    assert asker.spent.prompt_tokens > 50


def test_a_stop_ends_the_asking() -> None:
    script = Script([letter_for("crush")])
    with asking(script, stopped=lambda: len(script.requests) == 1) as asker, pytest.raises(ToolCancelled):
        PermutationVoting().answer(QUESTION, asker)
    assert len(script.requests) == 1


def test_calls_side_by_side_give_the_same_vote() -> None:
    script = Script([letter_for("crush")])
    with asking(script, parallel=3) as asker:
        outcome = PermutationVoting().answer(QUESTION, asker)
    assert outcome.votes == {"C": 3.0}
    assert sorted(options_in(request)[0] for request in script.requests) == ["biconcave", "crush", "wedge"]


def test_ensemble_refinement_drafts_then_refines_then_votes() -> None:
    drafts = ["Wedge, I think. The answer is A.", "Ends sink in. The answer is B."]
    refined = ["Better: A.\nThe answer is A.", "The answer is A.", "The answer is B."]
    script = Script([*drafts, *refined])
    with asking(script) as asker:
        outcome = EnsembleRefinement(samples=2, refinements=3).answer(QUESTION, asker)
    assert len(script.requests) == 5
    assert all("Think step by step" in prompt_of(request) for request in script.requests[:2])
    for request in script.requests[2:]:
        assert all(draft in prompt_of(request) for draft in drafts)
        assert "Weigh the drafts" in prompt_of(request)
    assert [request["seed"] for request in script.requests] == [1, 2, 3, 4, 5]
    assert {request["temperature"] for request in script.requests} == {0.7}
    assert (outcome.choice, outcome.votes, outcome.text) == ("A", {"A": 2.0, "B": 1.0}, refined[0])


def test_ensemble_refinement_by_default_makes_the_papers_11_and_33_calls() -> None:
    script = Script(["The answer is C."])
    with asking(script, parallel=4) as asker:
        outcome = EnsembleRefinement().answer(QUESTION, asker)
    stages = ["Weigh the drafts" in prompt_of(request) for request in script.requests]
    assert stages == [False] * 11 + [True] * 33
    assert outcome.votes == {"C": 33.0}


def test_ensemble_refinement_goes_on_with_the_drafts_that_came() -> None:
    script = Script(["500", "The answer is B.", "The answer is B.", "500"])
    with asking(script) as asker:
        outcome = EnsembleRefinement(samples=2, refinements=2).answer(QUESTION, asker)
    assert "Draft 1" in prompt_of(script.requests[2])
    assert "Draft 2" not in prompt_of(script.requests[2])
    assert (outcome.choice, outcome.votes, outcome.failed) == ("B", {"B": 1.0}, 2)


def test_when_the_budget_ends_after_the_drafts_they_vote() -> None:
    script = Script(["The answer is A.", "The answer is C.", "The answer is C."])
    with asking(script, calls=3) as asker:
        outcome = EnsembleRefinement(samples=3, refinements=3).answer(QUESTION, asker)
    assert (outcome.choice, outcome.votes) == ("C", {"A": 1.0, "C": 2.0})
    assert "the drafts voted" in outcome.notes[0]


def test_drafts_that_do_not_fit_are_left_out_from_the_back() -> None:
    script = Script(["Long " * 300 + "The answer is A."])
    with asking(script, context=2400, answer_tokens=600) as asker:
        outcome = EnsembleRefinement(samples=4, refinements=1).answer(QUESTION, asker)
    assert "Draft 2" in prompt_of(script.requests[4])
    assert "Draft 3" not in prompt_of(script.requests[4])
    assert outcome.notes == ("Only 2 of 4 drafts fit into the model's context.",)


def test_an_open_question_is_refined_once() -> None:
    script = Script(["One [1].", "Two [2].", "Both [1][2]."])
    with asking(script) as asker:
        outcome = EnsembleRefinement(samples=2).answer(OPEN, asker)
    assert len(script.requests) == 3
    assert outcome.text == "Both [1][2]."


def test_cloze_scores_each_options_words_once() -> None:
    likely = {"biconcave": -0.2}
    script = Script(
        [], can=frozenset({"echoed log-probabilities"}), likelihood=lambda p, token: likely.get(token.strip(), -2.0)
    )
    with asking(script) as asker:
        outcome = OptionLogprobs("cloze").answer(QUESTION, asker)
    prompts = [body["prompt"] for body in script.echoes]
    assert [prompt.rsplit("Answer:", 1)[1] for prompt in prompts] == [" wedge", " biconcave", " crush"]
    assert all(body["echo"] and body["logprobs"] == 1 and body["max_tokens"] == 1 for body in script.echoes)
    assert all("[1] T12 has lost" in prompt and "Options" not in prompt for prompt in prompts)
    assert outcome.choice == "B"
    assert sum(outcome.votes.values()) == pytest.approx(1.0)
    assert script.requests == []


def test_cloze_is_fair_to_long_options() -> None:
    long = Question(text="Which?", options=options_of(("short", "a rather long option of many words")))
    values: dict[str, float] = {"short": -1.5}
    script = Script([], can=frozenset({"echoed log-probabilities"}), likelihood=lambda p, t: values.get(t.strip(), -1.0))
    with asking(script) as asker:
        assert OptionLogprobs("cloze").answer(long, asker).choice == "B", "-1 a token is likelier than -1.5 a token"


def test_cloze_makes_no_choice_when_an_option_was_not_scored() -> None:
    with asking(Script([], can=frozenset({"echoed log-probabilities"})), calls=2) as asker:
        outcome = OptionLogprobs("cloze").answer(QUESTION, asker)
    assert outcome.choice is None
    assert "Not every option was scored." in outcome.notes


def test_letters_are_scored_in_every_order() -> None:
    def reply(request: dict[str, Any]) -> Scored:
        right = letter_for("crush")(request)
        return Scored(right, {f" {right}": -0.4, "A": -1.0, "x": -3.0} if right != "A" else {"A": -0.1, "B": -3.0})

    script = Script([reply])
    with asking(script) as asker:
        outcome = OptionLogprobs("letters").answer(QUESTION, asker)
    assert len(script.requests) == 3
    assert all(r["logprobs"] and r["top_logprobs"] == 20 and r["max_completion_tokens"] == 1 for r in script.requests)
    assert outcome.choice == "C"
    assert sum(outcome.votes.values()) == pytest.approx(1.0)


def test_pictures_are_scored_by_letters() -> None:
    seen = QUESTION.model_copy(update={"pictures": ("data:image/png;base64,AAAA",)})
    script = Script([Scored("A", {"A": -0.1})], can=frozenset({"echoed log-probabilities"}))
    with asking(script) as asker:
        OptionLogprobs("cloze").answer(seen, asker)
    assert script.echoes == []
    assert script.requests[0]["messages"][0]["content"][0]["image_url"]["url"] == "data:image/png;base64,AAAA"


def test_letter_shares_count_a_letter_however_it_is_written() -> None:
    assert letter_shares({"B": -1.0, " B": -1.0, "▁A": -1.0, "The": -0.1}, ("A", "B")) == pytest.approx(
        {"A": 1 / 3, "B": 2 / 3}
    )
    assert letter_shares({"The": -0.1}, ("A", "B")) == {}


def test_evidence_that_does_not_fit_is_left_out_from_the_back() -> None:
    many = QUESTION.model_copy(update={"evidence": tuple(f"[{n}] {'word ' * 60}" for n in range(1, 30))})
    script = Script(["B"])
    with asking(script, context=1200) as asker:
        Plain().answer(many, asker)
    words = prompt_of(script.requests[0])
    assert "[1] " in words
    assert "[29] " not in words
    assert len(words.encode()) / 3 < 1200


def test_seeds_follow_the_setting() -> None:
    script = Script(["The answer is A."])
    with asking(script) as asker:
        EnsembleRefinement(samples=1, refinements=1, sampling=Sampling(0.5, seed=40)).answer(QUESTION, asker)
    assert [(request["seed"], request["temperature"]) for request in script.requests] == [(40, 0.5), (41, 0.5)]
