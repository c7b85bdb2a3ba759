"""`consilium text check-claim`: one claim, a batch, bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ui.cli import main

TEXT = "Alendronate reduced hip fractures by 47 percent. Pain did not change."


def test_one_claim_against_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "e.txt"
    path.write_text(TEXT, encoding="utf-8")
    assert (
        main(["text", "check-claim", "Alendronate reduced hip fractures by 74 %.", "--evidence", str(path), "--json"]) == 0
    )
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "refutes"
    assert told["because"]
    assert told["deciding"][0]["sentence"] in TEXT


def test_a_batch_keeps_order_ids_and_languages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        {"id": 1, "claim": "Alendronate reduced hip fractures by 47 %.", "evidence": TEXT},
        {"id": "b", "claim": "Alendronate increased hip fractures.", "evidence": [TEXT]},
        {"id": "c", "claim": "Zinc cures the common cold.", "evidence": [{"text": TEXT}]},
        {"id": "d", "claim": "阿仑膦酸钠使髋部骨折增加47%。", "evidence": ["阿仑膦酸钠使髋部骨折减少47%。"]},
        {"id": "e", "claim": "Nothing is known.", "evidence": []},
    ]
    path = tmp_path / "b.jsonl"
    path.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), encoding="utf-8")
    assert main(["text", "check-claim", "--batch", str(path), "--json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["id"] for line in told] == [1, "b", "c", "d", "e"]
    assert [line["verdict"] for line in told] == ["supports", "refutes", "neutral", "refutes", "neutral"]
    assert all(set(line) == {"id", "verdict", "because"} for line in told)


@pytest.mark.parametrize("bad", ["{", "[]", '{"id": "x"}', '{"id": "x", "claim": " ", "evidence": "t"}', '{"claim": 3}'])
def test_a_bad_line_is_told_and_the_rest_goes_on(bad: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = json.dumps({"id": 1, "claim": "Pain did not change.", "evidence": TEXT})
    path = tmp_path / "b.jsonl"
    path.write_text(f"{good}\n{bad}\n{good}\n", encoding="utf-8")
    assert main(["text", "check-claim", "--batch", str(path), "--json"]) == 2
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.get("verdict") for line in told] == ["supports", None, "supports"]
    assert "claim" in told[1]["error"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["A claim."],
        ["A claim.", "--evidence", "no-such-file.txt"],
        ["A claim.", "--batch", "b.jsonl"],
        ["A claim.", "--evidence", "a", "--index", "b"],
    ],
)
def test_what_is_missing_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["text", "check-claim", *arguments]) == 2
    assert capsys.readouterr().err.strip()
