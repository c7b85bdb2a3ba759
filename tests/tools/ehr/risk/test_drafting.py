from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError
from tools.ehr.risk.cohort import Cohort, make_rows
from tools.ehr.risk.datasets import Sample
from tools.ehr.risk.drafting import days_of, draft
from tools.ehr.risk.events import ANCHOR, build
from tools.ehr.risk.tasks import labelled, load_task
from ui.cli import main


@pytest.mark.parametrize(
    ("words", "days"),
    [
        ("within 30 days", 30),
        ("two weeks", 14),
        ("6-month mortality", 180),
        ("a year", 365),
        ("half a year", 182.5),
        ("soon", None),
    ],
)
def test_days_are_read_from_words(words: str, days: float | None) -> None:
    assert days_of(words) == days


def support(n: int = 400, deaths: int = 180) -> Cohort:
    random = np.random.default_rng(0)
    subject = np.arange(n)
    death = (subject < deaths).astype(float)
    outcomes = {"death": death, "days": random.uniform(1, 400, n), "hospdead": (subject < deaths // 2).astype(float)}
    events = build(subject.tolist(), [ANCHOR] * n, ["Age"] * n, [60.0] * n)
    return Cohort("support2", events, make_rows(subject, np.full(n, ANCHOR), outcomes))


def test_a_question_becomes_a_task_with_its_count(cohort_sample: Sample) -> None:
    found = draft("Which patients stay more than 7 days, from the first 24 hours?", cohort_sample.cohort)
    assert found.task.label.column == "Length_of_stay"
    assert found.task.label.above == 7
    assert found.task.window_hours == 24
    assert (found.rows, found.patients) == (360, 360)
    assert found.positives == int((cohort_sample.rows.outcomes["Length_of_stay"] > 7).sum())
    assert any("moment of prediction" in text for text in found.assumed)


def test_death_with_and_without_a_time() -> None:
    cohort = support()
    early = draft("will they die within six... 180 days", cohort)
    assert early.task.title == "death within 180 days"
    days, death = cohort.rows.outcomes["days"], cohort.rows.outcomes["death"]
    assert early.positives == int(((death > 0) & (days <= 180)).sum())
    assert early.rows == int((~((death < 1) & (days < 180))).sum())  # lost before day 180: not known
    assert draft("mortality in hospital", cohort).task.label.column == "hospdead"


def test_what_the_set_cannot_tell_is_refused() -> None:
    cohort = support()
    with pytest.raises(InputError, match="cannot tell that: it has the outcomes death, days, hospdead"):
        draft("who will be readmitted within 30 days", cohort)
    with pytest.raises(InputError, match="name no outcome"):
        draft("who will win the league", cohort)


def test_too_few_positives_are_refused_with_the_count() -> None:
    with pytest.raises(InputError, match="400 rows with 10 positives; at least 50 of each class"):
        draft("death in hospital", support(deaths=20))


def test_a_number_of_days_is_asked_for(cohort_sample: Sample) -> None:
    with pytest.raises(InputError, match="of how many days"):
        draft("a long stay", cohort_sample.cohort)


def test_the_command_writes_a_task_that_the_others_read(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], cohort_sample: Sample
) -> None:
    out = tmp_path / "long.yaml"
    words = "a stay of more than a week"
    assert main(["ehr", "tasks", "draft", words, "--data", str(folder), "--out", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    again = load_task(str(out))
    assert found["positives"] == int(labelled(again, cohort_sample.cohort).y.sum())
    assert main(["ehr", "tasks", "draft", "who wins", "--data", str(folder)]) == 2
