from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import passage
from ui.cli import main

TEXT = "Alendronate reduced new vertebral fractures by 47 percent. Hip fracture risk was not significantly different."
LINES: list[tuple[dict[str, Any], str]] = [
    ({"id": "a", "sentence": "Alendronate reduced new vertebral fractures by 47 %.", "evidence": [TEXT]}, "supported"),
    ({"id": "b", "sentence": "Alendronate reduced new vertebral fractures by 74 %.", "evidence": [TEXT]}, "contradicted"),
    ({"id": 3, "sentence": "Vertebral fractures fell by 47 % [1].", "evidence": [{"text": TEXT, "page": 3}]}, "supported"),
    (
        {"id": "d", "sentence": "Hip fracture risk was significantly different.", "evidence": [passage(TEXT).model_dump()]},
        "contradicted",
    ),
    ({"id": "e", "sentence": "Which level do you mean?", "evidence": [TEXT]}, "no_evidence_needed"),
    ({"id": "f", "sentence": "The patient has osteoporosis.", "evidence": []}, "not_supported"),
]


def check(path: Path, content: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]]]:
    path.write_text(content, encoding="utf-8")
    code = main(["text", "check-answer", "--batch", str(path), "--json"])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_every_line_gets_its_verdict_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = "\n".join(json.dumps(line) for line, _ in LINES)
    code, told = check(tmp_path / "f.jsonl", content, capsys)
    assert code == 0
    assert [(line["id"], line["verdict"]) for line in told] == [(line["id"], verdict) for line, verdict in LINES]
    assert all(set(line) == {"id", "verdict", "why"} for line in told)


@pytest.mark.parametrize(
    ("bad", "name"),
    [
        ("{", None),
        ("[]", None),
        ('{"id": "x"}', "x"),
        ('{"id": "x", "sentence": " "}', "x"),
        ('{"id": "x", "sentence": "So it is.", "evidence": "a text"}', "x"),
        ('{"id": "x", "sentence": "So it is.", "evidence": [{"kind": "finding"}]}', "x"),
    ],
)
def test_a_bad_line_is_told_and_the_rest_goes_on(
    bad: str, name: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = json.dumps(LINES[0][0])
    code, told = check(tmp_path / "f.jsonl", f"{good}\n{bad}\n\n{good}\n", capsys)
    assert code == 2
    assert [line.get("verdict") for line in told] == ["supported", None, "supported"]
    assert set(told[1]) == {"id", "error"}
    assert told[1]["id"] == name
    assert "sentence" in told[1]["error"]


def test_without_json_a_line_can_be_read_and_a_missing_file_is_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text(json.dumps(LINES[1][0]), encoding="utf-8")
    assert main(["text", "check-answer", "--batch", str(path)]) == 0
    assert capsys.readouterr().out.startswith("b  contradicted: 74 %")
    assert main(["text", "check-answer", "--batch", str(tmp_path / "none.jsonl")]) == 2
