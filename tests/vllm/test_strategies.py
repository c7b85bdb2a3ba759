"""Strategies and counts of tokens against a real vLLM server. What its random model chooses is noise."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from agent.connecting import ways_of
from agent.models.completions import Completions, Request
from agent.models.endpoint import find_endpoint
from agent.models.preflight import preflight
from agent.models.tokens import count_at, estimate_messages
from agent.strategies.contract import Question, StrategyName, options_of
from core.settings import Settings, load_settings
from tests.fakes import WordEncoder
from tests.vllm.conftest import Server

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600), pytest.mark.usefixtures("clean_environment")]
QUESTION = Question(
    text="Which shape does T12 have?",
    options=options_of(("wedge", "biconcave", "crush")),
    evidence=("[1] T12 has lost 32 % of its anterior height.",),
)
CALLS: dict[StrategyName, int] = {
    "plain": 1, "rationale_first": 2, "permutation_voting": 3, "option_logprobs": 3, "ensemble_refinement": 5,
}  # fmt: skip


def settings(server: Server, **more: object) -> Settings:
    return load_settings(
        model=f"{server.url}/v1",
        endpoint_timeout_s=120.0,
        answer_tokens=64,
        ensemble_samples=2,
        ensemble_refinements=3,
        **more,
    )


def completions(server: Server) -> Completions:
    return Completions(find_endpoint(settings(server)), "", 120.0)


def test_the_preflight_sees_scores_and_counts(live: Server, tmp_path: Path) -> None:
    seen = preflight(find_endpoint(settings(live)), "", tmp_path)
    working = {check.name for check in seen.checks if check.works}
    assert working >= {"usage in streams", "token counts", "log-probabilities", "echoed log-probabilities"}
    print({check.name: check.seen for check in seen.checks})


def test_likelihoods_of_parts_add_up_to_that_of_the_whole(live: Server) -> None:
    """The chain rule: a wrong seam between prompt and continuation would break it."""
    ask = completions(live)
    whole = ask.likelihood("Question: Which shape?\nAnswer:", " the vertebra has")
    first = ask.likelihood("Question: Which shape?\nAnswer:", " the")
    second = ask.likelihood("Question: Which shape?\nAnswer: the", " vertebra has")
    print(f"log-probability {whole.total:.4f} of {whole.tokens} tokens = {first.total:.4f} + {second.total:.4f}")
    assert whole.tokens == first.tokens + second.tokens
    assert whole.total == pytest.approx(first.total + second.total, abs=0.2)
    assert not whole.usage.estimated


def test_tokens_are_counted_as_the_server_reads_them(live: Server) -> None:
    endpoint = find_endpoint(settings(live))
    messages = [{"role": "user", "content": "What is the relative height loss of a vertebra?"}]
    counted = count_at(endpoint.base_url, endpoint.model, "", messages, [])
    read = completions(live).chat(Request(tuple(messages), 1)).usage.prompt_tokens
    print(f"{counted} tokens counted, {read} read, {estimate_messages(messages)} estimated")
    assert counted == read


@pytest.mark.parametrize("name", list(CALLS))
def test_each_strategy_makes_its_calls_and_the_server_tells_the_tokens(
    live: Server, name: StrategyName, tmp_path: Path
) -> None:
    chosen = settings(live, strategy=name)
    endpoint = find_endpoint(chosen)
    ways = ways_of(chosen, endpoint, preflight(endpoint, "", tmp_path), WordEncoder())
    asker = ways.new_asker(lambda: False)
    outcome = ways.strategies[name].answer(QUESTION, asker)
    print(f"{name}: {asker.spent} -> {outcome.choice} {outcome.votes}, {outcome.unparsed} unclear")
    assert asker.spent.calls == CALLS[name]
    assert asker.spent.failed == 0
    assert not asker.spent.estimated
    assert outcome.unparsed + sum(outcome.votes.values()) == pytest.approx(
        {"option_logprobs": 1, "permutation_voting": 3, "ensemble_refinement": 3}.get(name, 1)
    )


def test_the_same_seed_gives_the_same_sample(live: Server) -> None:
    ask = completions(live)
    message = {"role": "user", "content": "Say something."}
    texts = [ask.chat(Request((message,), 16, temperature=0.7, seed=seed)).text for seed in (5, 5, 6)]
    print(json.dumps(texts))
    assert texts[0] == texts[1]


def test_closed_questions_are_evaluated_through_the_command(
    live: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only that it runs: the figures of a random model are those of chance."""
    from ui.cli import main

    questions = {
        f"q{n}": {"question": f"Is {n} even?", "options": {"A": "yes", "B": "no"}, "answer": "AB"[n % 2]} for n in range(8)
    }
    (tmp_path / "q.json").write_text(json.dumps({"parity": questions}))
    flags = ["--data", str(tmp_path / "q.json"), "--model", f"{live.url}/v1", "--tools", "off", "--json"]
    assert main(["eval", "questions", *flags, "--strategy", "option_logprobs"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["questions"], row["unanswered"], row["calls"], row["estimated"]) == (8, 0, 2.0, False)
    assert httpx.get(f"{live.url}/health", timeout=10).status_code == 200
