from __future__ import annotations

import json
from pathlib import Path

import pytest

from ui.cli import main

NOTE = "Seen by Dr. Ada Byron on 2021-04-05. MRN: 4471902.\n"


@pytest.fixture
def note(tmp_path: Path) -> Path:
    (tmp_path / "note.txt").write_text(NOTE)
    return tmp_path / "note.txt"


def test_json_has_the_text_and_spans_of_the_original(note: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["text", "deidentify", str(note), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert "Byron" not in told["text"]
    assert [(s["category"], s["text"]) for s in told["spans"]] == [
        ("NAME", "Ada Byron"),
        ("DATE", "2021-04-05"),
        ("MRN", "4471902"),
    ]
    assert all(NOTE[s["start"] : s["end"]] == s["text"] for s in told["spans"])


def test_two_files_of_a_patient_move_alike_and_share_a_mapping(note: Path, tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        arguments = [
            "text",
            "deidentify",
            str(note),
            "--out",
            str(tmp_path / name),
            "--patient",
            "p1",
            "--map",
            str(tmp_path / "m.json"),
        ]
        assert main(arguments) == 0
    assert (tmp_path / "a.txt").read_text() == (tmp_path / "b.txt").read_text()
    assert (tmp_path / "m.json").stat().st_mode & 0o077 == 0


def test_the_file_is_not_written_over_itself(note: Path) -> None:
    assert main(["text", "deidentify", str(note), "--out", str(note)]) == 2
    assert note.read_text() == NOTE


def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    assert main(["text", "deidentify", str(tmp_path / "none.txt")]) == 2


def test_audit_verify_tells_tampering(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from core.audit import AuditLog
    from core.settings import load_settings

    home = load_settings().home
    AuditLog(home).write("tool", name="show_image")
    AuditLog(home).write("tool", name="read_record")
    assert main(["audit", "verify", "--json"]) == 0
    lines = (home / "audit.log").read_text().splitlines()
    (home / "audit.log").write_text(lines[1] + "\n")
    assert main(["audit", "verify"]) == 2
    assert "NOT WHOLE" in capsys.readouterr().out
