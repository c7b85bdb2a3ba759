from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core.audit import AuditLog

Lines = list[bytes]


def _log(folder: Path, entries: int = 5) -> AuditLog:
    log = AuditLog(folder)
    for number in range(entries):
        log.write("tool", name="read_record", status="done", seconds=number)
    return log


def test_what_was_written_verifies_and_the_next_process_goes_on(tmp_path: Path) -> None:
    _log(tmp_path)
    AuditLog(tmp_path).write("login", result="refused")
    assert AuditLog(tmp_path).verify().model_dump() == {"lines": 6, "faults": (), "notes": ()}


def _changed(lines: Lines) -> Lines:
    return [lines[0], lines[1].replace(b"read_record", b"show_image"), *lines[2:]]


def _renumbered(lines: Lines) -> Lines:
    entry = json.loads(lines[2])
    entry["told"]["seconds"] = 99
    return [*lines[:2], json.dumps(entry).encode(), *lines[3:]]


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        (_changed, "line 2 was changed"),
        (_renumbered, "line 3 was changed"),
        (lambda lines: [lines[0], *lines[2:]], "taken out"),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], "reordered"),
        (lambda lines: [*lines[:2], lines[1], *lines[2:]], "put in"),
        (lambda lines: lines[:-2], "cut off"),
        (lambda lines: [], "cut off"),
        (lambda lines: [*lines[:2], b'{"n": 3}', *lines[3:]], "no entry"),
    ],
)
def test_tampering_is_seen(tmp_path: Path, tamper: Callable[[Lines], Lines], told: str) -> None:
    _log(tmp_path)
    path = tmp_path / "audit.log"
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"".join(line + b"\n" for line in tamper(lines)))
    assert any(told in fault for fault in AuditLog(tmp_path).verify().faults)


def test_a_head_without_the_key_is_seen(tmp_path: Path) -> None:
    log = _log(tmp_path)
    lines = (tmp_path / "audit.log").read_bytes().splitlines()
    (tmp_path / "audit.log").write_bytes(b"\n".join(lines[:3]) + b"\n")
    (tmp_path / "audit.head").write_text(json.dumps([3, json.loads(lines[2])["mac"], "0" * 64]))
    assert log.verify().faults


def test_a_line_that_a_crash_cut_short_is_no_tampering_and_the_log_goes_on(tmp_path: Path) -> None:
    log = _log(tmp_path)
    with (tmp_path / "audit.log").open("ab") as file:
        file.write(b'{"n": 6, "time": "2026-')
    log.write("tool", name="show_image")
    done = log.verify()
    assert (done.lines, done.faults) == (6, ())
    assert done.notes


def test_words_of_a_person_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="codes and numbers"):
        AuditLog(tmp_path).write("tool", question="Does Mrs Smith have a fracture?")


def test_the_key_is_its_owners_alone(tmp_path: Path) -> None:
    AuditLog(tmp_path)
    assert (tmp_path / "audit.key").stat().st_mode & 0o077 == 0
