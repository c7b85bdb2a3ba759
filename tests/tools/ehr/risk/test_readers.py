from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import FileError
from tools.ehr.readers.meds import read_meds, write_meds
from tools.ehr.risk.datasets import read_folder
from tools.ehr.risk.events import STATIC, build
from tools.ehr.risk.physionet import read_2012, read_2019, record_lines
from tools.ehr.risk.tables import Mapping, read_table

RECORD = """Time,Parameter,Value
00:00,RecordID,7
00:00,Age,61
00:00,Gender,-1
00:00,Weight,80
10:15,K,40
10:15,HR,88
09:00,HR,90
09:00,HR,90
"""


def one(tmp_path: Path, text: str = RECORD) -> Path:
    (tmp_path / "set-q").mkdir()
    (tmp_path / "set-q" / "7.txt").write_text(text)
    (tmp_path / "Outcomes-q.txt").write_text(
        "RecordID,SAPS-I,SOFA,Length_of_stay,Survival,In-hospital_death\n7,-1,3,9,-1,0\n"
    )
    return tmp_path


def test_the_original_layout_of_2012_becomes_sorted_events(tmp_path: Path) -> None:
    cohort = read_2012(one(tmp_path))
    events = cohort.events
    names = [events.vocabulary[index] for index in events.code]
    assert names == ["Age", "Weight", "HR", "HR"]
    assert events.value.tolist() == [61, 80, 90, 88]
    assert np.isnat(events.time[0])
    assert cohort.rows.outcomes["Length_of_stay"].tolist() == [9]


def test_potassium_40_is_counted_and_not_used(tmp_path: Path) -> None:
    events = read_2012(one(tmp_path)).events
    assert events.rejected["potassium outside 1 to 12 mmol/L"] == 1
    assert events.rejected["exact duplicates"] == 1


def test_a_broken_line_of_one_record_is_named(tmp_path: Path) -> None:
    folder = one(tmp_path, "Time,Parameter,Value\n00:00,Age,61\nnoon,HR,80\n")
    with pytest.raises(FileError, match=r"7\.txt, line 3: expected hh:mm,Parameter,Value"):
        list(record_lines(folder / "set-q" / "7.txt"))


def test_a_set_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="2 of 3 lines are not hh:mm,Parameter,Value"):
        read_2012(one(tmp_path, "Time,Parameter,Value\n00:00,Age,61\nnoon,HR,80\nnight,HR,70\n"))


def test_hourly_files_of_2019(tmp_path: Path) -> None:
    (tmp_path / "p000003.psv").write_text(
        "HR|O2Sat|Age|Gender|HospAdmTime|ICULOS|SepsisLabel\nNaN|97|70|1|-5|1|0\n80|NaN|70|1|-5|2|1\n"
    )
    cohort = read_2019(tmp_path)
    assert cohort.rows.outcomes["SepsisLabel"].tolist() == [0, 1]
    timed = cohort.events.where(~np.isnat(cohort.events.time))
    assert [timed.vocabulary[index] for index in timed.code] == ["SaO2", "HR"]
    assert "SepsisLabel" not in cohort.events.vocabulary


def test_a_table_is_read_by_its_mapping_and_nothing_else_of_it(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,years,sex,charges,died\n1,60,f,999,0\n2,?,m,1,1\n")
    mapping = Mapping(
        name="t", file="t.csv", subject="id", numeric=("years",), categorical=("sex",), rename={"years": "Age"},
        outcomes={"died": "died"},
    )  # fmt: skip
    cohort = read_table(tmp_path, mapping)
    assert set(cohort.events.vocabulary) == {"Age", "sex//f", "sex//m"}
    assert cohort.rows.outcomes["died"].tolist() == [0, 1]


def test_only_earlier_stays_count_as_history(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("stay,person,again\n11,5,yes\n12,5,no\n13,5,yes\n14,6,yes\n")
    mapping = Mapping(
        name="t", file="t.csv", subject="stay", patient="person", outcomes={"again": "again == yes"}, history=("again",)
    )
    events = read_table(tmp_path, mapping).events
    mine = events.where(events.code == events.vocabulary.index("PRIOR//again"))
    assert dict(zip(mine.subject.tolist(), mine.value.tolist(), strict=True)) == {11: 0, 12: 1, 13: 1, 14: 0}


def test_meds_goes_out_and_comes_back(tmp_path: Path) -> None:
    when = np.array(["2020-01-01T10:00:00", "2020-01-01T09:00:00"], dtype="datetime64[s]")
    events = build([3, 3, 3], [*when, STATIC], ["HR", "HR", "Age"], [80.0, 90.0, 50.0])
    write_meds(events, tmp_path / "data.parquet")
    again = read_meds(tmp_path).events
    assert again.value.tolist() == events.value.tolist() == [50, 90, 80]
    assert np.array_equal(again.time, events.time, equal_nan=True)


def test_a_folder_of_something_else_says_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("x")
    with pytest.raises(FileError, match="none of the layouts"):
        read_folder(tmp_path)
