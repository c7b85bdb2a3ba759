"""Task files of ACES. What es-aces 0.7.3 itself extracts from 14 real files was compared once; docs/prediction.md has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from core.errors import FileError, InputError
from tools.ehr.risk.aces import duration, is_aces, load_aces
from tools.ehr.risk.aces_query import Extracted, extract
from tools.ehr.risk.aces_sample import aces_sample, extracted, write_labels
from tools.ehr.risk.events import STATIC, Events, build

DEATH = """
description: in-hospital death
predicates:
  admission: {code: {regex: "^ADMISSION//.*"}}
  discharge: {code: {any: [DISCHARGE]}}
  death: {code: DEATH}
  end_of_stay: {expr: "or(discharge, death)"}
trigger: admission
windows:
  input:
    start: null
    end: trigger + 24h
    start_inclusive: true
    end_inclusive: true
    index_timestamp: end
    has: {_ANY_EVENT: "(2, None)"}
  gap:
    start: trigger
    end: start + 2 days
    start_inclusive: false
    end_inclusive: true
    has: {end_of_stay: "(None, 0)"}
  target: {start: gap.end, end: start -> end_of_stay, start_inclusive: false, end_inclusive: true, label: death}
"""
Line = tuple[int, str | None, str, float | None]
STAYS: list[Line] = [
    (1, None, "SEX//male", None), (1, "2020-01-01T10:00", "ADMISSION//A", None), (1, "2020-01-01T12:00", "HR", 80),
    (1, "2020-01-05T10:00", "DEATH", None),
    (2, "2020-01-01T10:00", "ADMISSION//B", None), (2, "2020-01-01T12:00", "HR", 60),
    (2, "2020-01-06T10:00", "DISCHARGE", None),
    (3, "2020-01-01T10:00", "ADMISSION//B", None), (3, "2020-01-02T12:00", "DISCHARGE", None),
    (4, "2020-01-01T10:00", "ADMISSION//B", None), (4, "2020-01-09T10:00", "DISCHARGE", None),
]  # fmt: skip


def events(lines: list[Line] = STAYS) -> Events:
    times = [STATIC if time is None else np.datetime64(time, "s") for _, time, _, _ in lines]
    values = [float("nan") if value is None else float(value) for *_, value in lines]
    return build([who for who, *_ in lines], times, [code for _, _, code, _ in lines], values)


def task_file(tmp_path: Path, text: str = DEATH) -> Path:
    path = tmp_path / "t.yaml"
    path.write_text(text)
    return path


def run(tmp_path: Path, text: str, lines: list[Line] = STAYS) -> Extracted:
    return extract(load_aces(task_file(tmp_path, text)), events(lines))


def test_a_stay_is_asked_where_every_window_holds(tmp_path: Path) -> None:
    found = run(tmp_path, DEATH)
    # 3 was discharged in the gap; 4 has one moment in the input window and two are asked for.
    assert found.subject.tolist() == [1, 2]
    assert found.label.tolist() == [1, 0]
    assert found.index.astype("datetime64[s]").tolist() == [np.datetime64("2020-01-02T10:00", "s").item()] * 2
    start, end = found.windows["target"]
    assert (end - start).tolist() == [2 * 86400, 3 * 86400]


def test_who_has_not_the_demographics_is_left_out(tmp_path: Path) -> None:
    found = run(tmp_path, DEATH + "patient_demographics: {male: {code: SEX//male}}\n")
    assert found.subject.tolist() == [1]


def test_values_and_both_at_one_moment(tmp_path: Path) -> None:
    text = """
predicates:
  fast: {code: HR, value_min: 80, value_min_inclusive: true}
  low: {code: MAP, value_max: 65}
  shock: {expr: "and(fast, low)"}
trigger: shock
windows:
  before: {start: "end <- fast", end: trigger, start_inclusive: false, end_inclusive: false, index_timestamp: end}
"""
    lines: list[Line] = [
        (1, "2020-01-01T09:00", "HR", 80), (1, "2020-01-01T09:00", "MAP", 65), (1, "2020-01-01T10:00", "HR", 79.9),
        (1, "2020-01-01T10:00", "MAP", 50), (1, "2020-01-01T11:00", "HR", 90), (1, "2020-01-01T11:00", "MAP", 64),
    ]  # fmt: skip
    found = run(tmp_path, text, lines)
    assert found.trigger.astype("datetime64[s]").tolist() == [np.datetime64("2020-01-01T11:00", "s").item()]
    start, end = found.windows["before"]
    assert (end - start).tolist() == [7200]
    assert np.isnan(found.label).all()


def test_the_bound_event_may_be_the_first_moment_only_where_it_is_inclusive(tmp_path: Path) -> None:
    text = """
predicates: {a: {code: A}}
trigger: a
windows:
  w: {start: trigger, end: start -> a, start_inclusive: true, end_inclusive: %s}
"""
    lines: list[Line] = [(1, "2020-01-01", "A", None), (1, "2020-01-03", "A", None)]
    start, end = run(tmp_path, text % "true", lines).windows["w"]
    assert (end - start).tolist() == [0, 0]
    start, end = run(tmp_path, text % "false", lines).windows["w"]
    assert (end - start).tolist() == [2 * 86400]


def test_what_the_task_leaves_open_comes_from_the_set(tmp_path: Path) -> None:
    text = DEATH.replace('{code: {regex: "^ADMISSION//.*"}}', "???")
    with pytest.raises(FileError, match="admission are left open"):
        load_aces(task_file(tmp_path, text))
    own = tmp_path / "p.yaml"
    own.write_text("predicates: {admission: {code: ADMISSION//B}}\n")
    assert extract(load_aces(task_file(tmp_path, text), own), events()).subject.tolist() == [2]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("trigger: admission", "trigger: nothing", "undefined predicates: nothing"),
        ("or(discharge, death)", "not(death)", "an expression is or"),
        ("code: DEATH", "code: {like: D}", "a code is text"),
        ("label: death", "label: died", "undefined predicates: died"),
        ("start_inclusive: true", "inclusive: 1", "not a task of ACES"),
    ],
)
def test_a_wrong_task_is_named(tmp_path: Path, old: str, new: str, why: str) -> None:
    with pytest.raises(FileError, match=why):
        load_aces(task_file(tmp_path, DEATH.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("start: gap.end", "start: gap.middle", "refers to 'gap.middle'"),
        ("start: trigger\n", "start: target.end\n", "in a circle"),
        ("trigger + 24h", "trigger + a while", "'a while' is not a time"),
        ("start -> end_of_stay", "start -> nothing", "'nothing', which is not defined"),
    ],
)
def test_a_boundary_that_means_nothing_is_named(tmp_path: Path, old: str, new: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        run(tmp_path, DEATH.replace(old, new, 1))


def test_durations() -> None:
    assert [duration(text) for text in ("24h", "7 days", "1 day 2 hours", "1 days, 90 minutes", "6570d")] == [
        86400, 604800, 93600, 91800, 567648000,
    ]  # fmt: skip
    with pytest.raises(ValueError, match="not a time"):
        duration("3 moons")


def meds(folder: Path, patients: int = 120) -> Path:
    """Stays whose death the heart rate foretells."""
    random = np.random.default_rng(0)
    lines: list[Line] = []
    for who in range(patients):
        ill = float(random.uniform() < 0.45)
        lines += [(who, "2020-01-01T10:00", "ADMISSION//A", None), (who, "1950-01-01", "MEDS_BIRTH", None)]
        for hour in range(11, 20):
            lines.append((who, f"2020-01-01T{hour}:00", "LOINC//8867-4", float(round(80 + 40 * ill + random.normal(0, 9)))))
        lines.append((who, "2020-01-04T11:00", "LOINC//8867-4", 300.0))  # after the index time
        lines.append((who, "2020-01-05T10:00", "DEATH" if ill else "DISCHARGE", None))
    found = events(lines)
    folder.mkdir()
    pl.DataFrame({
        "subject_id": found.subject, "time": found.time.astype("datetime64[us]"),
        "code": np.array(found.vocabulary)[found.code], "numeric_value": found.value.astype(np.float32),
        "unit": np.where(np.isnan(found.value), "", "/min"),
    }).write_parquet(folder / "0.parquet")  # fmt: skip
    return folder


def test_a_task_of_aces_becomes_features_that_do_not_see_the_future(tmp_path: Path) -> None:
    folder, file = meds(tmp_path / "meds"), task_file(tmp_path)
    part = aces_sample(file, folder)
    assert len(part.y) == 120
    assert 0.3 < part.y.mean() < 0.6
    assert part.age.tolist() == [70.0] * 120
    highest = part.table.x[:, part.table.names.index("HR|max")]
    assert highest.max() < 200
    write_labels(extracted(file, folder), tmp_path / "l.parquet")
    labels = pl.read_parquet(tmp_path / "l.parquet")
    assert labels.columns == ["subject_id", "prediction_time", "boolean_value"]
    assert labels["boolean_value"].sum() == part.y.sum()


def test_only_meds_has_codes_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match="names the codes of a MEDS set"):
        extracted(task_file(tmp_path), tmp_path / "empty")
    assert is_aces(task_file(tmp_path))
    assert not is_aces(tmp_path / "none.yaml")
