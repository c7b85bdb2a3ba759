"""PhysioNet/CinC Challenges 2012 (48 h of ICU stays) and 2019 (hourly, sepsis), in their original layout or as Parquet.

2012: `set-x/RECORDID.txt` with lines `hh:mm,Parameter,Value`, `Outcomes-x.txt` beside the folders. -1 means unknown.
https://physionet.org/content/challenge-2012/1.0.0/ (Silva et al., Comput Cardiol 2012;39:245-248).
2019: `pNNNNNN.psv`, one row an hour, `|` between columns. https://physionet.org/content/challenge-2019/1.0.0/
(Reyna et al., Crit Care Med 2020;48:210-217).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from core.errors import FileError
from tools.ehr.risk.cohort import Cohort, Rows, make_rows
from tools.ehr.risk.events import ANCHOR, STATIC, Events, from_columns
from tools.ehr.risk.parquet import read_columns

_STATIC_2012 = ("RecordID", "Age", "Gender", "Height", "ICUType")
_NOT_EVENTS_2019 = {"Age", "Gender", "Unit1", "Unit2", "HospAdmTime", "ICULOS", "SepsisLabel", "id", "__index_level_0__"}
_DIED = "In-hospital_death"
BROKEN = "lines that are not hh:mm,Parameter,Value"
SEPSIS_NAMES = {
    "O2Sat": "SaO2", "SBP": "SysABP", "DBP": "DiasABP", "Resp": "RespRate", "PaCO2": "PaCO2", "Alkalinephos": "ALP",
    "Bilirubin_total": "Bilirubin", "Potassium": "K", "Hct": "HCT", "SaO2": "SaO2 arterial",
    "Magnesium": "Magnesium mg/dL",
}  # fmt: skip
"""Columns of 2019 that mean the same as a variable of 2012; the others keep their name."""


def read_2012(folder: Path) -> Cohort:
    """Read stays and outcomes.

    Raises:
        FileError: there are no records, or a line cannot be read.
    """
    parquet = folder / "events.parquet"
    events = _parquet_2012(parquet) if parquet.exists() else _text_2012(folder)
    return Cohort("physionet2012", events, _outcomes_2012(folder))


def is_2012(folder: Path) -> bool:
    """Whether the folder looks like that set: the set, one of its `set-x`, or the Parquet of it."""
    if any(folder.glob("set-?/*.txt")) or any(_outcome_files(folder)):
        return True
    if (folder / "outcomes.csv").exists() and (folder / "events.parquet").exists():
        return True
    return any(_is_record(path) for path in folder.glob("*.txt"))


def _is_record(path: Path) -> bool:
    if not path.stem.isdigit():
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return file.readline().replace(" ", "").strip() == "Time,Parameter,Value"


def _text_2012(folder: Path) -> Events:
    paths = sorted(path for path in folder.glob("set-?/*.txt") if path.stem.isdigit())
    paths = paths or sorted(path for path in folder.glob("*.txt") if path.stem.isdigit())
    if not paths:
        raise FileError("No records of PhysioNet 2012 there; expected set-x/RECORDID.txt.")
    subjects, minutes, codes, values = [], [], [], []
    index: dict[str, int] = {}
    rejected: dict[str, int] = {}
    for path in paths:
        for minute, name, value in record_lines(path, rejected):
            subjects.append(int(path.stem))
            minutes.append(minute)
            codes.append(index.setdefault(name, len(index)))
            values.append(value)
    broken = rejected.get(BROKEN, 0)
    if broken > max(len(values), 1):
        raise FileError(f"{broken} of {broken + len(values)} lines are not hh:mm,Parameter,Value: is this PhysioNet 2012?")
    return _events_2012(
        np.array(subjects, np.int64), np.array(minutes, np.int64), np.array(codes, np.int32), np.array(values),
        tuple(index), rejected,
    )  # fmt: skip


def record_lines(path: Path, rejected: dict[str, int] | None = None) -> Iterator[tuple[int, str, float]]:
    """(minutes since admission, parameter, value) of one text record.

    A line that cannot be read is counted in `rejected` when that is given: one bad line must not cost a set of thousands.

    Raises:
        FileError: a line cannot be read, and `rejected` is not given.
    """
    for number, line in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), start=1):
        time, _, rest = line.partition(",")
        name, _, value = (part.strip() for part in rest.partition(","))
        if (number == 1 and time.strip().lower() == "time") or not line.strip() or name in ("", "RecordID"):
            continue
        try:
            hours, _, minutes = time.partition(":")
            at, measured = int(hours) * 60 + int(minutes), float(value)
        except ValueError as error:
            if rejected is None:
                raise FileError(f"{path.name}, line {number}: expected hh:mm,Parameter,Value, got {line[:60]!r}.") from error
            rejected[BROKEN] = rejected.get(BROKEN, 0) + 1
            continue
        if np.isfinite(measured):
            yield at, name, measured


def _parquet_2012(path: Path) -> Events:
    table = read_columns(path, ("record_id", "parameter", "value", "minute"))
    names, index = np.unique(np.asarray(table["parameter"], dtype=str), return_inverse=True)
    return _events_2012(
        table["record_id"].astype(np.int64),
        table["minute"].astype(np.int64),
        index.astype(np.int32),
        table["value"].astype(np.float64).round(4),
        tuple(str(name) for name in names),
    )


def _events_2012(
    subject: np.ndarray,
    minute: np.ndarray,
    code: np.ndarray,
    value: np.ndarray,
    names: tuple[str, ...],
    rejected: dict[str, int] | None = None,
) -> Events:
    named = np.array([bool(name) and name != "RecordID" for name in names])
    unknown = (value == -1) | np.isnan(value)
    keep = named[code] & ~unknown
    static = np.array([name in _STATIC_2012 for name in names])
    time = (ANCHOR + minute.astype("timedelta64[m]")).astype("datetime64[s]")
    time[static[code]] = STATIC
    return from_columns(subject[keep], time[keep], code[keep], value[keep], names, rejected)


def _outcome_files(folder: Path) -> list[Path]:
    """`Outcomes-x.txt` in the folder or in its sets; of a `set-x` alone, the one beside it."""
    paths = sorted(folder.glob("Outcomes-?.txt")) or sorted(folder.glob("set-?/Outcomes-?.txt"))
    if not paths and folder.name.startswith("set-"):
        paths = [path for path in (folder.parent / f"Outcomes-{folder.name[4:]}.txt",) if path.exists()]
    return paths


def _outcomes_2012(folder: Path) -> Rows:
    paths = _outcome_files(folder) or [path for path in (folder / "outcomes.csv",) if path.exists()]
    found: dict[int, dict[str, float]] = {}
    for path in paths:
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            for row in csv.DictReader(file):
                numbers = {(name or "").strip(): _number(value) for name, value in row.items() if name and name != "set"}
                record = numbers.pop("RecordID", float("nan"))
                if np.isfinite(record):
                    found[int(record)] = numbers  # a record that stands twice counts once, as last written
    names = dict.fromkeys(name for numbers in found.values() for name in numbers)
    columns = {name: np.array([numbers.get(name, np.nan) for numbers in found.values()]) for name in names}
    if _DIED in columns:  # here -1, or anything that is neither, says that it is not known
        columns[_DIED] = np.where(np.isin(columns[_DIED], (0, 1)), columns[_DIED], np.nan)
    subject = np.array(list(found), dtype=np.int64)
    moments = np.full(len(subject), ANCHOR + np.timedelta64(48, "h"))
    return make_rows(subject, moments, columns)


def _number(text: object) -> float:
    try:
        return float(str(text or "nan"))
    except ValueError:
        return float("nan")


def is_2019(folder: Path) -> bool:
    """Whether the folder looks like that set."""
    return (folder / "hours.parquet").exists() or any(folder.glob("**/p*.psv"))


def read_2019(folder: Path) -> Cohort:
    """Read hourly stays; a row of the cohort is a patient at an hour, with what was known at its end."""
    parquet = folder / "hours.parquet"
    table = read_columns(parquet, None) if parquet.exists() else _psv(folder)
    subject = table["id"].astype(np.int64)
    hour = table["ICULOS"].astype(np.int64)
    moment = (ANCHOR + (hour - 1).astype("timedelta64[h]")).astype("datetime64[s]")
    names: list[str] = []
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
    for name, column in table.items():
        static = name in ("Age", "Gender", "HospAdmTime", "Unit1", "Unit2")
        if name in _NOT_EVENTS_2019 and not static:
            continue
        value = column.astype(np.float64)
        there = ~np.isnan(value)
        if static:
            first = np.zeros(len(subject), bool)
            first[np.unique(subject, return_index=True)[1]] = True
            there &= first
        time = np.full(int(there.sum()), STATIC) if static else moment[there]
        parts.append((subject[there], time, np.full(int(there.sum()), len(names), np.int32), value[there].round(4)))
        names.append(SEPSIS_NAMES.get(name, name))
    columns = [np.concatenate([part[position] for part in parts]) for position in range(4)]
    events = from_columns(columns[0], columns[1], columns[2], columns[3], tuple(names))
    label = table["SepsisLabel"].astype(np.float64) if "SepsisLabel" in table else np.full(len(subject), np.nan)
    return Cohort("physionet2019", events, make_rows(subject, moment, {"SepsisLabel": label, "ICULOS": hour.astype(float)}))


def _psv(folder: Path) -> dict[str, np.ndarray]:
    columns: dict[str, list[float]] = {"id": []}
    for path in sorted(path for path in folder.glob("**/p*.psv") if path.stem[1:].isdigit()):
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            reader = csv.DictReader(file, delimiter="|")
            names = [(name or "").strip() for name in reader.fieldnames or ()]
            reader.fieldnames = names
            rows = [row for row in reader if np.isfinite(_number(row.get("ICULOS")))]
        before = len(columns["id"])
        for name in {*names, *columns} - {"id", ""}:  # a file may lack a column that others have
            column = columns.setdefault(name, [float("nan")] * before)
            column.extend(_number(row.get(name)) for row in rows)
        columns["id"].extend([float(path.stem[1:])] * len(rows))
    if "ICULOS" not in columns or not columns["id"]:
        raise FileError("No hourly records of PhysioNet 2019 there; expected pNNNNNN.psv with a column ICULOS.")
    return {name: np.array(values) for name, values in columns.items()}
