from __future__ import annotations

from pathlib import Path

from evals.ehr_deletion import deletion
from tests.tools.ehr.risk.build import small_model, small_sample, small_task, write_2012


def test_cited_events_carry_more_than_random_ones(tmp_path: Path) -> None:
    model = small_model(small_sample(write_2012(tmp_path / "train", stays=300)))
    fresh = write_2012(tmp_path / "fresh", stays=60, first=960001, seed=8)
    found = deletion(small_task(), model, fresh, 15)
    assert found["patients"] == 15
    cited, random = found["delete cited"], found["delete random"]
    assert isinstance(cited, list)
    assert isinstance(random, list)
    assert cited[-1] > random[-1]
    assert len(cited) == 6


def test_patients_of_the_training_set_are_left_out(tmp_path: Path) -> None:
    part = small_sample(write_2012(tmp_path / "train", stays=300))
    model = small_model(part)
    for path in list((tmp_path / "train" / "set-z").glob("*.txt"))[5:]:
        path.unlink()
    write_2012(tmp_path / "fresh", stays=3, first=970001, seed=3)
    for path in (tmp_path / "fresh" / "set-z").glob("*.txt"):
        path.rename(tmp_path / "train" / "set-z" / path.name)
    with (tmp_path / "train" / "Outcomes-z.txt").open("a") as file:
        file.write("\n".join((tmp_path / "fresh" / "Outcomes-z.txt").read_text().splitlines()[1:]) + "\n")
    assert deletion(small_task(), model, tmp_path / "train", 50)["patients"] == 3
    assert deletion(small_task(), model, tmp_path / "train", 50, seen=True)["patients"] == 8
