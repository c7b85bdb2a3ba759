"""Tables with a mapping file: one row a stay, or one row an event.

A mapping is YAML. Wide: `subject`, `patient`, `numeric`, `categorical`, `diagnoses`, `rename`, `outcomes`, `history`. Long:
`subject`, `time`, `code`, `value`. A column that is named nowhere is not read, so an outcome cannot slip in as a feature.
"""

from __future__ import annotations

import csv
from importlib.resources import files
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import FileError
from tools.ehr.risk.cohort import Cohort, Rows, make_rows
from tools.ehr.risk.events import ANCHOR, STATIC, Events, build, from_columns
from tools.ehr.risk.parquet import read_columns

_MISSING = {"", "?", "nan", "NA", "null", "None"}


class Mapping(BaseModel):
    """What each column of a table means. `outcomes` maps a name to a column, read as a number or as `column == text`."""

    model_config = ConfigDict(extra="forbid")

    name: str
    file: str
    also: tuple[str, ...] = ()
    subject: str
    patient: str = ""
    time: str = ""
    code: str = ""
    value: str = ""
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    diagnoses: tuple[str, ...] = ()
    rename: dict[str, str] = {}
    values: dict[str, dict[str, float]] = {}
    outcomes: dict[str, str] = {}
    history: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the table's file may have."""
        return (self.file, *self.also)


def load_mapping(path: Path) -> Mapping:
    """Read a mapping file.

    Raises:
        FileError: it is not YAML, or a field is wrong.
    """
    try:
        return Mapping.model_validate(yaml.safe_load(path.read_text()))
    except (yaml.YAMLError, ValidationError, OSError) as error:
        raise FileError(f"{path.name} is not a mapping: {str(error)[:300]}") from error


def shipped_mappings() -> tuple[Mapping, ...]:
    """Mappings of public tables that ship."""
    folder = files("tools.ehr.risk") / "mappings"
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".yaml"))
    return tuple(Mapping.model_validate(yaml.safe_load((folder / name).read_text())) for name in names)


def read_table(folder: Path, mapping: Mapping) -> Cohort:
    """Read the table that a mapping describes."""
    path = next((folder / name for name in mapping.names if (folder / name).exists()), folder)
    if path.is_dir():
        raise FileError(f"{folder.name!r} holds no {' or '.join(mapping.names)}, which the mapping {mapping.name} reads.")
    table = _strings(path)
    wanted = {mapping.subject, *mapping.numeric, *mapping.categorical, *mapping.diagnoses}
    absent = sorted(name for name in wanted if name and name not in table)
    if absent:
        raise FileError(f"{path.name} lacks the columns {', '.join(absent)}, which the mapping {mapping.name} names.")
    return _long(table, mapping) if mapping.code else _wide(table, mapping)


def _strings(path: Path) -> dict[str, NDArray[np.str_]]:
    if path.suffix == ".parquet":
        return {name: column.astype(str) for name, column in read_columns(path, None).items()}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{path.name} cannot be read as CSV: {error}") from error
    if not rows:
        raise FileError(f"{path.name} is empty.")
    width = len(rows[0])
    uneven = next((number for number, row in enumerate(rows, 1) if len(row) != width), None)
    if uneven:
        raise FileError(f"{path.name}, line {uneven}: {len(rows[uneven - 1])} cells where the header has {width}.")
    return {name: np.array([row[index] for row in rows[1:]]) for index, name in enumerate(rows[0])}


def _numbers(column: NDArray[np.str_]) -> NDArray[np.float64]:
    out = np.full(len(column), np.nan)
    for index, text in enumerate(column):
        try:
            out[index] = float(text)
        except ValueError:
            continue
    return out


def _ids(column: NDArray[np.str_]) -> NDArray[np.int64]:
    try:
        return column.astype(np.float64).astype(np.int64)
    except ValueError:
        return np.unique(column, return_inverse=True)[1].astype(np.int64)


def _wide(table: dict[str, NDArray[np.str_]], mapping: Mapping) -> Cohort:
    subject = _ids(table[mapping.subject])
    patient = _ids(table[mapping.patient]) if mapping.patient else subject
    parts: list[tuple[NDArray[np.int64], list[str] | NDArray[np.str_], NDArray[np.float64]]] = []
    for name in mapping.numeric:
        values = mapping.values.get(name)
        number = np.array([values.get(t, np.nan) for t in table[name]]) if values else _numbers(table[name])
        there = ~np.isnan(number)
        parts.append((subject[there], np.full(int(there.sum()), mapping.rename.get(name, name)), number[there]))
    for name in mapping.categorical:
        there = ~np.isin(table[name], list(_MISSING))
        label = np.char.add(mapping.rename.get(name, name) + "//", table[name][there])
        parts.append((subject[there], label, np.full(int(there.sum()), np.nan)))
    for name in mapping.diagnoses:
        there = ~np.isin(table[name], list(_MISSING))
        short = np.array([text.split(".")[0] for text in table[name][there]])
        parts.append((subject[there], np.char.add("ICD9//", short), np.full(len(short), np.nan)))
        if name == mapping.diagnoses[0]:
            parts.append((subject[there], np.char.add("ICD9 first//", short), np.full(len(short), np.nan)))
    outcomes = {name: _outcome(table, rule) for name, rule in mapping.outcomes.items()}
    if mapping.history:
        parts += _history(subject, patient, [(name, outcomes[name]) for name in mapping.history])
    columns = [np.concatenate([np.asarray(part[index]) for part in parts]) for index in range(3)]
    names, code = np.unique(columns[1], return_inverse=True)
    time = np.full(len(code), STATIC)
    events = from_columns(columns[0], time, code.astype(np.int32), columns[2], tuple(str(name) for name in names))
    return Cohort(mapping.name, events, make_rows(subject, np.full(len(subject), ANCHOR), outcomes, patient))


def _outcome(table: dict[str, NDArray[np.str_]], rule: str) -> NDArray[np.float64]:
    name, _, text = (part.strip() for part in rule.partition("=="))
    if name not in table:
        return np.full(len(next(iter(table.values()))), np.nan)
    return (table[name] == text).astype(np.float64) if text else _numbers(table[name])


def _history(
    subject: NDArray[np.int64], patient: NDArray[np.int64], outcomes: list[tuple[str, NDArray[np.float64]]]
) -> list[tuple[NDArray[np.int64], NDArray[np.str_], NDArray[np.float64]]]:
    """What earlier stays of the same person showed; stays are in the order of their numbers, and only earlier ones count."""
    order = np.lexsort((subject, patient))
    people = patient[order]
    first = np.append(True, people[1:] != people[:-1])
    start = np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    rank = np.arange(len(order)) - start
    parts = [(subject[order], np.full(len(order), "PRIOR//stays"), rank.astype(np.float64))]
    for name, column in outcomes:
        sorted_column = np.nan_to_num(column[order])
        total = np.cumsum(sorted_column) - sorted_column
        before = total - total[start]
        parts.append((subject[order], np.full(len(order), f"PRIOR//{name}"), before))
        parts.append((subject[order][rank > 0], np.full(int((rank > 0).sum()), f"PRIOR//last {name}"),
                      sorted_column[np.flatnonzero(rank > 0) - 1]))  # fmt: skip
    return parts


def _long(table: dict[str, NDArray[np.str_]], mapping: Mapping) -> Cohort:
    subject = _ids(table[mapping.subject])
    time = _times(table[mapping.time]) if mapping.time else np.full(len(subject), STATIC)
    value = _numbers(table[mapping.value]) if mapping.value else np.full(len(subject), np.nan)
    names = [mapping.rename.get(str(name), str(name)) for name in table[mapping.code]]
    events = build(subject.tolist(), time, names, value.tolist())
    return Cohort(mapping.name, events, _ends(events))


def _times(column: NDArray[np.str_]) -> NDArray[np.datetime64]:
    out = np.full(len(column), STATIC)
    for index, text in enumerate(column):
        try:
            moment = np.datetime64(str(text).strip().replace(" ", "T").removesuffix("Z"), "s")
        except ValueError as error:
            raise FileError(f"Row {index + 2}: {str(text)[:40]!r} is not a time (ISO 8601 without offset).") from error
        out[index] = moment
    return out


def _ends(events: Events) -> Rows:
    """A row per subject, at the last event: such data has no outcomes of its own."""
    dated = events.where(~np.isnat(events.time))
    subjects, last = np.unique(dated.subject[::-1], return_index=True)
    return make_rows(subjects, dated.time[::-1][last], {})
