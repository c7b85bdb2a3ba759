"""Folders of PhysioNet 2012 and 2019 as people have them: `ehr evaluate` answers, or says what is wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.tools.ehr.risk.build import small_model, small_sample, small_task, write_2012
from tools.ehr.risk.datasets import read_folder, sample
from tools.ehr.risk.evaluate import evaluate
from tools.ehr.risk.model import Model
from tools.ehr.risk.physionet import BROKEN, read_2012, read_2019

OUTCOMES = "Outcomes-z.txt"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return small_model(small_sample(write_2012(tmp_path_factory.mktemp("train"), seed=1)))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_2012(tmp_path_factory.mktemp("plain"), stays=120, seed=2)


def copied(plain: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(plain, tmp_path / "set"))


def figures(folder: Path, model: Model) -> dict[str, object]:
    return evaluate(sample(small_task(), read_folder(folder), model.meta.features), model).scores.as_json()


def windows_line_ends(folder: Path) -> None:
    for path in (*(folder / "set-z").glob("*.txt"), folder / OUTCOMES):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def byte_order_marks(folder: Path) -> None:
    for path in (*(folder / "set-z").glob("*.txt"), folder / OUTCOMES):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())


def an_extra_column(folder: Path) -> None:
    path = folder / OUTCOMES
    path.write_text("\n".join(f"{line},{'ward' if not index else 7}" for index, line in enumerate(path.read_text().split())))


def outcomes_twice(folder: Path) -> None:
    path = folder / OUTCOMES
    path.write_text(path.read_text() + path.read_text().split("\n", 1)[1])


def outcomes_inside_the_set(folder: Path) -> None:
    shutil.move(folder / OUTCOMES, folder / "set-z" / OUTCOMES)


def outcomes_of_nobody(folder: Path) -> None:
    with (folder / OUTCOMES).open("a") as file:
        file.write("99999999,5,2,5,-1,0\n")


def other_files(folder: Path) -> None:
    (folder / "set-z" / "README.txt").write_text("hello")
    (folder / "set-z" / ".DS_Store").write_bytes(b"\0\1")


def lines_that_are_none(folder: Path) -> None:
    with next((folder / "set-z").glob("*.txt")).open("a") as file:
        file.write("garbage\n\n01:00,HR\nnoon,HR,80\n13:00,HR,abc\n14:00,HR,nan\n")


def decimals_everywhere(folder: Path) -> None:
    head, *rows = (folder / OUTCOMES).read_text().split()
    (folder / OUTCOMES).write_text("\n".join([head, *(",".join(f"{cell}.0" for cell in row.split(",")) for row in rows)]))


CHANGES = (
    windows_line_ends, byte_order_marks, an_extra_column, outcomes_twice, outcomes_inside_the_set, outcomes_of_nobody,
    other_files, lines_that_are_none, decimals_everywhere,
)  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: str(change.__name__))
def test_what_says_the_same_gives_the_same_figures(plain: Path, tmp_path: Path, model: Model, change: object) -> None:
    folder = copied(plain, tmp_path)
    assert callable(change)
    change(folder)
    assert figures(folder, model) == figures(plain, model)


def test_one_set_alone_finds_the_outcomes_beside_it(plain: Path, model: Model) -> None:
    assert figures(plain / "set-z", model) == figures(plain, model)


def test_bad_lines_are_counted(plain: Path, tmp_path: Path) -> None:
    folder = copied(plain, tmp_path)
    lines_that_are_none(folder)
    assert read_2012(folder).events.rejected[BROKEN] == 3


def test_minus_one_and_nothing_are_no_outcome(plain: Path, tmp_path: Path, model: Model) -> None:
    folder = copied(plain, tmp_path)
    head, *rows = (folder / OUTCOMES).read_text().split()
    rows[:7] = [row.rsplit(",", 1)[0] + (",-1" if index % 2 else ",") for index, row in enumerate(rows[:7])]
    (folder / OUTCOMES).write_text("\n".join([head, *rows]))
    assert figures(folder, model)["n"] == 113


def test_one_patient_has_a_brier_score_and_no_auroc(plain: Path, tmp_path: Path, model: Model) -> None:
    folder = copied(plain, tmp_path)
    for path in sorted((folder / "set-z").glob("*.txt"))[1:]:
        path.unlink()
    found = figures(folder, model)
    assert (found["n"], found["auroc"], found["auroc_ci"], found["ece"]) == (1, None, [None, None], None)
    assert isinstance(found["brier"], float)
    assert json.loads(json.dumps(found)) == found


def test_all_of_one_class_says_why_there_is_no_auroc(plain: Path, tmp_path: Path, model: Model) -> None:
    folder = copied(plain, tmp_path)
    head, *rows = (folder / OUTCOMES).read_text().split()
    (folder / OUTCOMES).write_text("\n".join([head, *(row for row in rows if row.endswith(",0"))]))
    found = evaluate(sample(small_task(), read_folder(folder), model.meta.features), model)
    assert np.isnan(found.scores.auroc)
    assert "only 0 rows of the rarer class" in found.note
    assert found.scores.oe == 0


def test_hourly_files_may_lack_a_column_that_others_have(tmp_path: Path) -> None:
    (tmp_path / "p000001.psv").write_text("HR|Age|ICULOS|SepsisLabel\n80|70|1|0\n")
    (tmp_path / "p000002.psv").write_text("Temp|Age|ICULOS|SepsisLabel\r\n37|60|1|1\r\n36.5|60|2|1\r\n")
    cohort = read_2019(tmp_path)
    assert cohort.rows.outcomes["SepsisLabel"].tolist() == [0, 1, 1]
    named = [
        (int(who), cohort.events.vocabulary[code])
        for who, code in zip(cohort.events.subject, cohort.events.code, strict=True)
    ]
    assert sorted(named) == [(1, "Age"), (1, "HR"), (2, "Age"), (2, "Temp"), (2, "Temp")]
