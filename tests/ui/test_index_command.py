"""`consilium index`, with the real encoder: the batch formats and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ui.cli import main

DOCUMENTS = [
    {"id": "bone", "title": "Bone", "text": "Alendronate reduces vertebral fractures.", "year": 2001, "other": 1},
    {"id": "heart", "title": "Heart", "text": "Bisoprolol lowers the heart rate. " * 60, "types": ["Review"]},
    {"id": "gone", "title": "Gone", "text": "Alendronate cures all.", "types": ["Retracted Publication"]},
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONSILIUM_HOME", str(tmp_path / "home"))
    lines = [json.dumps(document) for document in DOCUMENTS]
    (tmp_path / "d.jsonl").write_text("\n".join([*lines, "nonsense"]), encoding="utf-8")
    (tmp_path / "q.jsonl").write_text(
        '{"id": 2, "text": "heart rate"}\n{"id": "a", "text": "fractures"}\n', encoding="utf-8"
    )
    return tmp_path


def test_add_and_search_in_batch(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["index", "create", "papers", "--json"]) == 0
    assert main(["index", "add", "papers", str(folder / "d.jsonl"), "--json"]) == 0
    added = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (added["added"], [fault["line"] for fault in added["skipped"]]) == (3, [4])
    for mode in ("hybrid", "bm25", "dense"):
        command = ["index", "search", "papers", "--queries", str(folder / "q.jsonl"), "--k", "100", "--mode", mode, "--json"]
        assert main(command) == 0
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [row["id"] for row in rows] == [2, "a"]
        assert [row["hits"][0]["id"] for row in rows] == ["heart", "bone"]
        assert all(len({hit["id"] for hit in row["hits"]}) == len(row["hits"]) for row in rows)
        assert "gone" not in str(rows)
        assert set(rows[0]["hits"][0]) == {"id", "score", "span"}
    assert main(["index", "remove", "papers", "bone", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["removed"] == 1
    assert main(["index", "verify", "papers"]) == 0


def test_exit_codes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["index", "search", "none", "x", "--json"]) == 3
    assert "consilium index create none" in json.loads(capsys.readouterr().out)["error"]["message"]
    assert main(["index", "create", "../escape"]) == 2
    assert main(["index", "create", "papers"]) == 0
    assert main(["index", "create", "papers"]) == 2
    assert main(["index", "add", "papers", str(folder / "missing.jsonl")]) == 2
    (folder / "bad.jsonl").write_text('{"no": 1}\n', encoding="utf-8")
    assert main(["index", "search", "papers", "--queries", str(folder / "bad.jsonl")]) == 2
    assert main(["index", "search", "papers", "x", "--from", "2030", "--to", "1990"]) == 2
    assert "No year lies from 2030 to 1990" in capsys.readouterr().err
