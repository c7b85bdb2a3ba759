from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.strategies.contract import options_of
from agent.strategies.examples import Solved
from evals.questions import Asked, chosen, summary
from tests.agent.openai_server import USAGE, Script, serving
from tests.agent.strategies.build import letter_for, prompt_of
from tests.fakes import FixedRetriever, passage
from ui.cli import main

SETS = {
    "spine": {
        "s1": {"question": "What does RHLV compare?", "options": {"A": "weights", "B": "heights"}, "answer": "B"},
        "s2": {
            "question": "What is the best treatment for Blorptitis?",
            "options": {"A": "rest", "B": "aspirin"},
            "answer": "A",
        },
    },
    "other": {
        "o1": {"question": "Which organ is it?", "options": {"A": "liver", "B": "spleen", "C": "kidney"}, "answer": "C"}
    },
}


@pytest.fixture(autouse=True)
def one_source(monkeypatch: pytest.MonkeyPatch) -> None:
    source = passage("RHLV compares the heights of vertebrae.")
    monkeypatch.setattr("retrieval.several.open_indexes", lambda home, names, encoder: FixedRetriever((source,)))


@pytest.fixture
def data(tmp_path: Path) -> str:
    (tmp_path / "questions.json").write_text(json.dumps(SETS))
    return str(tmp_path / "questions.json")


def reply(request: dict[str, Any]) -> str:
    """Knows about heights only from evidence; takes the first option of everything else."""
    if "RHLV compare" in prompt_of(request) and "<evidence>" in prompt_of(request):
        return str(letter_for("heights")(request))
    return "A"


def test_the_same_questions_without_and_with_evidence(data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = Script([reply], usage=USAGE)
    with serving(script) as url:
        flags = ["--data", data, "--model", url, "--strategy", "plain", "--sets", "spine", "--out", str(tmp_path / "out")]
        assert main(["eval", "questions", *flags, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert main(["eval", "questions", *flags]) == 0
        table = capsys.readouterr().out
    off, on = told["rows"]
    assert (off["tools"], off["accuracy"]["mean"], off["with_evidence"]) == ("off", 0.5, 0)
    assert (on["tools"], on["accuracy"]["mean"], on["with_evidence"]) == ("on", 1.0, 1), "Blorptitis is in no source"
    assert (on["calls"], on["tokens"], on["estimated"], on["chance"]) == (1.0, 110.0, False, 0.5)
    assert told["gains"][0]["difference"]["mean"] == 0.5
    assert "on - off   +0.500" in table
    rows = [json.loads(line) for line in (tmp_path / "out" / "rows.jsonl").read_text().splitlines()]
    assert [(row["id"], row["tools"], row["choice"]) for row in rows] == [
        ("s1", "off", "A"), ("s1", "on", "B"), ("s2", "off", "A"), ("s2", "on", "A"),
    ]  # fmt: skip
    off_prompt, on_prompt = prompt_of(script.requests[0]), prompt_of(script.requests[1])
    assert on_prompt.endswith(off_prompt), "the evidence is the only difference"
    assert all(len(request["messages"]) == 1 for request in script.requests), "nothing is carried over"


def test_permutation_voting_on_all_sets(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(Script([letter_for_any])) as url:
        flags = ["--data", data, "--model", url, "--strategy", "permutation_voting", "--tools", "off", "--json"]
        assert main(["eval", "questions", *flags]) == 0
    spine, other = json.loads(capsys.readouterr().out)["rows"]
    assert (spine["group"], spine["accuracy"]["mean"], spine["calls"]) == ("spine", 1.0, 2.0)
    assert (other["accuracy"]["mean"], other["calls"], round(other["chance"], 3)) == (1.0, 3.0, 0.333)


def letter_for_any(request: dict[str, Any]) -> Any:
    right = next(word for word in ("heights", "rest", "kidney") if f") {word}" in prompt_of(request))
    return letter_for(right)(request)


def test_an_endpoint_that_goes_away_ends_it(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(Script(["500"])) as url:
        flags = ["--data", data, "--model", url, "--strategy", "plain", "--json"]
        assert main(["eval", "questions", *flags]) == 3
    assert "questions in a row had no reply" in capsys.readouterr().err


def test_examples_that_are_questions_are_refused(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(Script(["A"])) as url:
        flags = ["--data", data, "--model", url, "--strategy", "medprompt", "--examples", data]
        assert main(["eval", "questions", *flags]) == 2
    assert "3 of the 3 questions are also among the examples" in capsys.readouterr().err


def test_the_embedded_model_is_refused(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "questions", "--data", data]) == 2
    assert "need a served model" in capsys.readouterr().err


def test_an_unknown_set_names_those_there_are(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "questions", "--data", data, "--model", "http://127.0.0.1:9/v1", "--sets", "medqa"]) == 2
    assert "It has: spine, other" in capsys.readouterr().err


def solved(number: int) -> Solved:
    return Solved(id=str(number), group="g", text=f"q{number}", options=options_of(("a", "b")), answer="A")


def test_a_draw_is_repeatable_and_in_order() -> None:
    items = [solved(number) for number in range(50)]
    drawn = chosen(items, [], 10, 3)
    assert drawn == chosen(items, [], 10, 3)
    assert drawn != chosen(items, [], 10, 4)
    assert [int(item.id) for item in drawn] == sorted(int(item.id) for item in drawn)
    assert len(drawn) == 10


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(0)
    covered = 0
    for trial in range(60):
        rights = random.random(80) < 0.6
        asked = [
            Asked(
                id=str(n), group="g", tools="off", strategy="plain", choice="A", answer="A", right=bool(right), votes={},
                tied=False, unparsed=0, failed=0, calls=1, prompt_tokens=1, completion_tokens=1, estimated=False, passages=0,
            )
            for n, right in enumerate(rights)
        ]  # fmt: skip
        (row,), gains = summary(asked, [solved(n) for n in range(80)], trial)
        assert gains == []
        covered += row.accuracy.low <= 0.6 <= row.accuracy.high
    assert covered >= 50
