"""A folder becomes a cohort: the set is recognised by its layout. And a cohort becomes features for a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import FileError, InputError
from tools.ehr.readers.sets import read_set
from tools.ehr.readers.stays import icu_stays
from tools.ehr.risk.cohort import Cohort, Rows
from tools.ehr.risk.events import Events
from tools.ehr.risk.features import Table, stay_features
from tools.ehr.risk.hourly import hourly_features
from tools.ehr.risk.physionet import is_2012, is_2019, read_2012, read_2019
from tools.ehr.risk.tables import Mapping, load_mapping, read_table, shipped_mappings
from tools.ehr.risk.tasks import Task, labelled

_WHOLE_SETS = ("omop", "mimic", "eicu", "meds", "fhir")
"""Sets of whole records, in which stays in intensive care have to be found."""


def read_folder(folder: Path, mapping: Path | None = None, zone: str = "UTC") -> Cohort:
    """Read whatever the folder holds: PhysioNet 2012 or 2019, a mapped table, OMOP, MIMIC, eICU, MEDS or FHIR.

    `zone` is the time zone of times that name none.

    Raises:
        FileError: it holds none of them.
        InputError: there is no such time zone.
    """
    if not folder.exists():
        raise FileError(f"{folder.name!r} is not there.")
    if mapping is not None:
        return read_table(folder, load_mapping(mapping))
    if folder.is_dir() and is_2012(folder):
        return read_2012(folder)
    if folder.is_dir() and is_2019(folder):
        return read_2019(folder)
    table = _known_table(folder)
    if table is not None:
        return read_table(folder, table)
    found = read_set(folder, zone)
    if found is not None:
        return found
    known = "set-x/*.txt, *.psv, OMOP, MIMIC or eICU tables, MEDS Parquet, FHIR JSON, "
    known += ", ".join(m.file for m in shipped_mappings())
    raise FileError(f"{folder.name!r} holds none of the layouts that are known: {known}. A mapping file reads other tables.")


def _known_table(folder: Path) -> Mapping | None:
    for mapping in shipped_mappings():
        if any((folder / name).exists() for name in mapping.names):
            return mapping
    return None


def age_of(events: Events, rows: Rows) -> NDArray[np.float64]:
    """Age in years per row, NaN where the record does not have it."""
    out = np.full(len(rows), np.nan)
    if "Age" not in events.vocabulary:
        return out
    mine = events.where(events.code == events.vocabulary.index("Age"))
    if not len(mine):
        return out
    place = np.clip(np.searchsorted(mine.subject, rows.subject), 0, len(mine) - 1)
    return np.where(mine.subject[place] == rows.subject, mine.value[place], np.nan)


def features_for(task: Task, events: Events, rows: Rows) -> Table:
    """The features that the task's models read; nothing after a row's moment is looked at."""
    if task.hourly:
        return hourly_features(events, rows, task.window_hours)
    return stay_features(events, rows, task.window_hours)


@dataclass(frozen=True)
class Sample:
    """A task on a set, ready for training or evaluation. All have the same number of rows."""

    task: Task
    cohort: Cohort
    rows: Rows
    table: Table
    y: NDArray[np.float64]
    age: NDArray[np.float64]


def sample(task: Task, cohort: Cohort, wanted: Sequence[str] = ()) -> Sample:
    """Label the rows and build their features. Rare flags are left out, but for the `wanted` ones (a trained model's).

    Raises:
        InputError: the set has no outcomes for the task, or no rows are left.
    """
    if task.source == "physionet2012" and cohort.source in _WHOLE_SETS:
        cohort = icu_stays(cohort)
    part = labelled(task, cohort)
    if not len(part.rows):
        raise InputError(f"{task.name}: no patient of this set fits the task ({task.cohort}) and has a known outcome.")
    table = features_for(task, cohort.events, part.rows)
    return Sample(task, cohort, part.rows, drop_rare(table, frozenset(wanted)), part.y, age_of(cohort.events, part.rows))


def drop_rare(table: Table, wanted: frozenset[str], least: int = 40) -> Table:
    """Without flags that fewer than `least` rows have; a small set keeps all, for the model aligns by name."""
    if len(table.x) < 2000:
        return table
    there = np.isfinite(table.x) & (table.x != 0)
    common = there.sum(axis=0) >= least
    keep = np.flatnonzero(common | np.array([name in wanted for name in table.names]))
    return Table(table.x[:, keep], tuple(table.names[i] for i in keep), tuple(table.codes[i] for i in keep))
