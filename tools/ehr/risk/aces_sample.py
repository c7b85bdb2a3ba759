"""A task file of ACES on a MEDS set, ready for training: every trigger that fits becomes a subject of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.errors import FileError, InputError
from tools.ehr.readers.meds import is_meds, read_meds, read_raw_meds
from tools.ehr.readers.stays import static_of
from tools.ehr.risk.aces import load_aces
from tools.ehr.risk.aces_query import Extracted, extract
from tools.ehr.risk.cohort import Cohort, make_rows
from tools.ehr.risk.datasets import Sample, age_of, drop_rare, features_for
from tools.ehr.risk.events import STATIC, Events, from_columns
from tools.ehr.risk.parquet import write_columns
from tools.ehr.risk.tasks import Rule, Task

MOST = 20_000_000
"""Events over all rows: a trigger at every event of long records would copy each record thousands of times."""
WINDOW = 48.0
"""Hours before the index time that features look at; what holds for the whole record is read as well."""


def extracted(file: Path, folder: Path, predicates: Path | None = None, zone: str = "UTC") -> Extracted:
    """The cohort of a task file in a MEDS set.

    Raises:
        FileError: the set is not MEDS, or the file is not a task.
    """
    task = load_aces(file, predicates)
    if not is_meds(folder):
        raise FileError(
            f"A task of ACES names the codes of a MEDS set, and {folder.name!r} is none; `ehr import` makes one."
        )
    return extract(task, read_raw_meds(folder, zone))


def write_labels(found: Extracted, path: Path) -> None:
    """Write as labels of MEDS: subject_id, prediction_time, boolean_value."""
    time = found.index.astype("datetime64[s]").astype("datetime64[us]")
    columns = {"subject_id": found.subject, "prediction_time": time, "boolean_value": found.label > 0.5}
    write_columns(path, columns)


def aces_sample(file: Path, folder: Path, predicates: Path | None = None, zone: str = "UTC") -> Sample:
    """Rows, labels and features of a task file.

    Raises:
        FileError: the set is not MEDS, or the file is not a task.
        InputError: the task has no label, nothing fits it, or its rows would be too many.
    """
    found = extracted(file, folder, predicates, zone)
    if not len(found.subject) or np.isnan(found.label).all():
        raise InputError(f"{file.name}: {len(found.subject)} triggers fit, and a task needs some and a label to be learnt.")
    events = _own(read_meds(folder, zone).events, found)
    moments = found.index.astype("datetime64[s]")
    rows = make_rows(np.arange(len(found.index)), moments, {"label": found.label}, found.subject)
    task = Task(
        name=file.stem, title=file.stem.replace("_", " "), source="aces", cohort=f"triggers of {file.name}",
        prediction="the task's index time", horizon="the label's window", label=Rule(column="label", at_least=1),
        window_hours=WINDOW,
    )  # fmt: skip
    table = drop_rare(features_for(task, events, rows), frozenset())
    return Sample(task, Cohort("meds", events, rows), rows, table, found.label, age_of(events, rows))


def _own(events: Events, found: Extracted) -> Events:
    """For each row what was known at its index time: the last `WINDOW` hours, static events and the age."""
    people, starts = np.unique(events.subject, return_index=True)
    ends = np.append(starts[1:], len(events))
    vocabulary = tuple(dict.fromkeys((*events.vocabulary, "Age", "Gender")))
    parts, total = [], 0
    for row, (subject, index) in enumerate(zip(found.subject, found.index.astype("datetime64[s]"), strict=True)):
        place = int(np.searchsorted(people, subject))
        mine = slice(starts[place], ends[place])
        time, code, value = events.time[mine], events.code[mine], events.value[mine]
        keep = np.isnat(time) | ((time <= index) & (time > index - np.timedelta64(int(WINDOW * 3600), "s")))
        told = static_of(events.vocabulary, time, code, index, None)
        total += int(keep.sum())
        if total > MOST:
            raise InputError(f"The task's triggers are too many: more than {MOST:,} events in the windows of its rows.")
        parts.append((
            np.full(int(keep.sum()) + len(told), row, np.int64),
            np.concatenate([time[keep], np.full(len(told), STATIC)]),
            np.concatenate([code[keep], [vocabulary.index(name) for name, _ in told]]).astype(np.int32),
            np.concatenate([value[keep], [amount for _, amount in told]]),
        ))  # fmt: skip
    subject, time, code, value = (np.concatenate([part[position] for part in parts]) for position in range(4))
    return from_columns(subject, time, code, value, vocabulary)
