from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from agent.strategies.contract import Question, options_of
from agent.strategies.examples import ExamplePool, Solved, read_solved
from agent.strategies.medprompt import Medprompt, shuffles
from core.errors import FileError
from tests.agent.openai_server import Script
from tests.agent.strategies.build import asking, letter_for, options_in, prompt_of
from tests.fakes import WordEncoder

ASKED = Question(text="which shape has the vertebra", options=options_of(("wedge", "biconcave", "crush")))


def solved(text: str, answer: str = "A") -> Solved:
    return Solved(id=text, text=text, options=options_of(("yes", "no")), answer=answer)


POOL = (
    solved("kidney stones cause pain"),
    solved("which shape has the heart"),
    solved("which shape has the vertebra", "B"),  # the question itself: never an example
    solved("which shape has the lumbar vertebra"),
)


def pool(folder: Path) -> ExamplePool:
    return ExamplePool(POOL, WordEncoder(), folder)


def reply(request: dict[str, Any]) -> str:
    if "wedge" in prompt_of(request):
        return f"Reasoned. The answer is {letter_for('biconcave')(request)}."
    return f"Thought about {prompt_of(request).splitlines()[1]}. The answer is A."


def test_nearest_examples_with_own_reasoning_then_shuffled_votes(tmp_path: Path) -> None:
    script = Script([reply])
    with asking(script) as asker:
        outcome = Medprompt(pool(tmp_path), neighbours=2, votes=3).answer(ASKED, asker)
    made, votes = script.requests[:2], script.requests[2:]
    assert [prompt_of(r).splitlines()[1] for r in made] == [
        "which shape has the lumbar vertebra",
        "which shape has the heart",
    ]
    assert all(len(request["messages"]) == 1 for request in made)
    assert len(votes) == 3
    for request in votes:
        roles = [message["role"] for message in request["messages"]]
        assert roles == ["user", "assistant", "user", "assistant", "user"]
        assert "lumbar" in request["messages"][2]["content"], "the nearest stands next to the question"
        assert "Thought about which shape has the lumbar vertebra" in request["messages"][3]["content"]
    assert options_in(votes[0]) == ["wedge", "biconcave", "crush"]
    assert len({tuple(options_in(request)) for request in votes}) > 1
    assert (outcome.choice, outcome.votes) == ("B", {"B": 3.0})


def test_reasoning_is_kept_between_runs_and_wrong_reasoning_is_not_used(tmp_path: Path) -> None:
    def partly_wrong(request: dict[str, Any]) -> str:
        return (
            "Wrong. The answer is B."
            if "lumbar" in prompt_of(request) and "wedge" not in prompt_of(request)
            else reply(request)
        )

    script = Script([partly_wrong])
    with asking(script) as asker:
        outcome = Medprompt(pool(tmp_path), neighbours=2, votes=1).answer(ASKED, asker)
    assert "Wrong." not in json.dumps(script.requests[-1])
    assert len(script.requests) == 4, "three examples worked through, two kept, one vote"
    assert outcome.notes == ()
    with asking(script) as asker:
        Medprompt(pool(tmp_path), neighbours=2, votes=1).answer(ASKED, asker)
    assert len(script.requests) == 5, "nothing is reasoned twice, not even what went wrong"


def test_too_few_examples_are_told(tmp_path: Path) -> None:
    with asking(Script(["The answer is B."])) as asker:
        outcome = Medprompt(pool(tmp_path), neighbours=2, votes=1).answer(ASKED, asker)
    assert outcome.notes == ("Only 0 of 2 examples were found whose own reasoning led to the right answer.",)


def test_a_failing_call_costs_an_example_or_a_vote(tmp_path: Path) -> None:
    script = Script([reply, "500", reply, reply, "500", reply])
    with asking(script) as asker:
        outcome = Medprompt(pool(tmp_path), neighbours=2, votes=3).answer(ASKED, asker)
    assert (outcome.choice, outcome.votes, outcome.failed) == ("B", {"B": 2.0}, 2)


def test_examples_that_do_not_fit_are_the_farthest(tmp_path: Path) -> None:
    script = Script([lambda r: reply(r).replace("Thought", "Thought " * 200)])
    with asking(script, context=1100, answer_tokens=300) as asker:
        Medprompt(pool(tmp_path), neighbours=2, votes=1).answer(ASKED, asker)
    assert len(script.requests[-1]["messages"]) == 3
    assert "lumbar" in script.requests[-1]["messages"][0]["content"]


def test_the_budget_counts_the_reasoning_too(tmp_path: Path) -> None:
    script = Script([reply])
    with asking(script, calls=3) as asker:
        outcome = Medprompt(pool(tmp_path), neighbours=2, votes=3).answer(ASKED, asker)
    assert len(script.requests) == 3
    assert outcome.votes == {"B": 1.0}


def test_shuffles_are_repeatable_and_begin_with_the_order_as_asked() -> None:
    assert shuffles(4, 5, 1) == shuffles(4, 5, 1)
    assert shuffles(4, 5, 1)[0] == (0, 1, 2, 3)
    assert all(sorted(order) == [0, 1, 2, 3] for order in shuffles(4, 5, 1))


def test_vectors_are_kept_and_made_anew_when_damaged(tmp_path: Path) -> None:
    first = list(pool(tmp_path).nearest(ASKED.text))
    (kept,) = tmp_path.glob("vectors-*.npy")
    kept.write_bytes(b"broken")
    assert list(pool(tmp_path).nearest(ASKED.text)) == first
    assert [item.text for item in first][:1] == ["which shape has the lumbar vertebra"]


ONE = {"question": "Is it?", "options": {"A": "yes", "B": "no"}, "answer": "B", "PMID": [1]}


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("q.json", {"set1": {"x": ONE, "y": ONE}, "set2": {"z": ONE}}, [("set1", "x"), ("set1", "y"), ("set2", "z")]),
        ("q.json.gz", {"x": ONE}, [("", "x")]),
        ("q.jsonl", [{"id": "k", **ONE}, ONE], [("", "k"), ("", "2")]),
    ],
)
def test_questions_are_read(tmp_path: Path, name: str, content: Any, found: list[tuple[str, str]]) -> None:
    text = "\n".join(json.dumps(line) for line in content) if name.endswith("jsonl") else json.dumps(content)
    raw = text.encode()
    (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    read = read_solved(tmp_path / name)
    assert [(item.group, item.id) for item in read] == found
    assert read[0].asked().letters == ("A", "B")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{broken", "is not JSON"),
        ("[1]", "must be an object"),
        ('{"x": {"question": "q", "options": {"A": "yes", "B": "no"}, "answer": "C"}}', "the answer 'C' must be one of"),
        ('{"x": {"question": "q", "options": {"A": "yes"}, "answer": "A"}}', "at least two"),
        ('{"x": {"question": 3, "options": {}, "answer": "A"}}', "question 'x': question"),
        ('{"s": {"x": 7}}', "Each question is"),
        ("{}", "has no question"),
    ],
)
def test_bad_files_are_told(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "q.json").write_text(content)
    with pytest.raises(FileError, match=message):
        read_solved(tmp_path / "q.json")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be read"):
        read_solved(tmp_path / "none.json")
