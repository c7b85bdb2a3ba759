"""Tasks as data: cohort, moment of prediction, horizon, label, exclusions. The YAML of the shipped ones is in `tasks/`.

The words are those of ACES (cohort, prediction time, window, label); the rules are comparisons on outcome columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import FileError, InputError
from tools.ehr.risk.cohort import Cohort, Rows

MIN_POSITIVES = 50
"""Below this many positives (or negatives) no model is trained and no AUROC is reported."""


class Rule(BaseModel):
    """A comparison on an outcome column; `and` adds a second one that must hold too."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    column: str
    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None
    equals: tuple[float, ...] | None = None
    also: Rule | None = Field(default=None, alias="and")

    def holds(self, rows: Rows) -> NDArray[np.bool_]:
        """Where it holds, shape (m,); unknown values never do."""
        column = rows.outcomes.get(self.column)
        if column is None:
            raise InputError(
                f"The task needs the outcome {self.column!r}; this set has {', '.join(rows.outcomes) or 'none'}."
            )
        out = ~np.isnan(column)
        for limit, compare in (
            (self.at_least, np.greater_equal),
            (self.at_most, np.less_equal),
            (self.above, np.greater),
            (self.below, np.less),
        ):
            if limit is not None:
                out &= compare(column, limit)
        if self.equals is not None:
            out &= np.isin(column, self.equals)
        return out & self.also.holds(rows) if self.also else out

    def known(self, rows: Rows) -> NDArray[np.bool_]:
        """Where the columns of the rule have a value."""
        out = ~np.isnan(rows.outcomes.get(self.column, np.full(len(rows), np.nan)))
        return out & self.also.known(rows) if self.also else out


class Recipe(BaseModel):
    """Boosting: rounds, leaves, rate, columns, rows in a leaf, random splits; logistic C; network: seeds, epochs."""

    model_config = ConfigDict(extra="forbid")

    rounds: int = 400
    leaves: int = 8
    rate: float = 0.03
    columns: float = 0.3
    min_leaf: int = 40
    random_splits: bool = True
    linear_c: float = 0.001
    network: int = 0
    epochs: int = 12


class Task(BaseModel):
    """One question that can be asked of a record at a moment."""

    model_config = ConfigDict(extra="forbid")

    name: str
    title: str
    source: str
    cohort: str
    prediction: str
    horizon: str
    label: Rule
    window_hours: float = 48
    hourly: bool = False
    exclude: tuple[Rule, ...] = ()
    comparators: tuple[str, ...] = ()
    recipe: Recipe = Recipe()


@dataclass(frozen=True)
class Labelled:
    """Rows of the cohort that the task asks about, and y in {0, 1} of shape (rows,)."""

    rows: Rows
    y: NDArray[np.float64]


def task_names() -> tuple[str, ...]:
    """The shipped tasks."""
    return tuple(sorted(item.name[:-5] for item in (files("tools.ehr.risk") / "tasks").iterdir()))


def load_task(name: str) -> Task:
    """A shipped task by name, or one from a YAML file.

    Raises:
        InputError: there is none of that name.
        FileError: the file is not a task.
    """
    if name in task_names():
        text = (files("tools.ehr.risk") / "tasks" / f"{name}.yaml").read_text()
    elif Path(name).suffix in (".yaml", ".yml") and Path(name).exists():
        text = Path(name).read_text()
    else:
        raise InputError(f"There is no task {name!r}. The tasks are: {', '.join(task_names())}; or give a YAML file.")
    try:
        return Task.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise FileError(f"{name} is not a task: {str(error)[:300]}") from error


def labelled(task: Task, cohort: Cohort) -> Labelled:
    """The rows that the task asks about, with labels; rows without a known outcome are left out."""
    rows = cohort.rows
    y = task.label.holds(rows)
    keep = task.label.known(rows)
    for rule in task.exclude:
        keep &= ~rule.holds(rows)
    there = np.isin(rows.subject, cohort.events.subjects)
    keep &= there
    return Labelled(rows.take(keep), y[keep].astype(np.float64))
