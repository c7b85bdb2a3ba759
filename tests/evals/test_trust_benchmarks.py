"""The benchmarks of trust are themselves able to fail, and pass on a small sample."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from core.errors import FileError
from evals import fuzz, fuzz_seeds, report_card, restarts
from evals.injection.attacks import CHANNELS, attacks
from evals.injection.run import measure


def test_there_are_120_attempts_in_seven_channels() -> None:
    made = attacks()
    assert len(made) == 120
    assert {attack.channel for attack in made} == set(CHANNELS)
    assert len({attack.text for attack in made}) == 120


def test_without_consent_the_attempts_work_and_with_it_none_does() -> None:
    tried = [
        attack for attack in attacks() if attack.goal == "send the record" and attack.channel in ("document", "tool output")
    ][:2]
    assert measure("native", tried, effect="read").effects_run > 0
    guarded = measure("native", tried)
    assert guarded.seen_and_obeyed == len(tried)
    assert (guarded.effects_run, guarded.secrets_left, guarded.unsafe_pages) == (0, 0, 0)
    assert guarded.confirmed_call_ran


def test_mutations_change_files_and_are_the_same_for_a_seed() -> None:
    content = bytes(range(256)) * 8
    made = [fuzz.mutated(content, random.Random(n)) for n in range(40)]  # noqa: S311
    assert sum(m != content for m in made) >= 38
    assert made == [fuzz.mutated(content, random.Random(n)) for n in range(40)]  # noqa: S311


def test_a_small_fuzz_finds_nothing_and_a_broken_reader_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    done = fuzz.fuzz(54, seed=3)
    assert done.faults == ()
    assert done.read + done.refused == 54

    def broken(file: Path, folder: Path) -> bool:
        raise IndexError("no such thing")

    monkeypatch.setitem(fuzz_seeds.READERS, "fhir", broken)
    assert any("IndexError" in fault.what for fault in fuzz.fuzz(27, seed=3).faults)


def test_seeds_are_read_whole(tmp_path: Path) -> None:
    for number, (reader, path) in enumerate(fuzz_seeds.make(tmp_path / "seeds")):
        folder = tmp_path / str(number)
        folder.mkdir()
        if path.suffix != ".pdf":  # a picture as PDF: refused as scanned
            assert fuzz_seeds.READERS[reader](path, folder), (reader, path.name)


def test_one_kill_with_three_users_loses_nothing_and_a_loss_is_seen(tmp_path: Path) -> None:
    done = restarts.survive(tmp_path / "home", rounds=1, users=3, seed=4)
    assert done.faults == ()
    kept = {("owner0", "no such conversation", "1"): "digest"}
    assert any("gone" in fault for fault in restarts._faults(tmp_path / "home", kept, 3))


def test_the_card_says_what_was_not_measured_and_reads_what_was(tmp_path: Path) -> None:
    bare = {item.item: item.state for item in report_card.card(None)}
    assert bare["Prompt injection"] == "not measured"
    (tmp_path / "fuzz.json").write_text('{"files": 10, "faults": []}')
    told = {item.item: item.told for item in report_card.card(tmp_path)}
    assert told["Hostile files"] == "10 mutated files, 0 faults"
    (tmp_path / "fuzz.json").write_text("[]")
    with pytest.raises(FileError, match=r"fuzz\.json"):
        report_card.card(tmp_path)
