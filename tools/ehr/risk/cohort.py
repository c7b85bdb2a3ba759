"""A cohort: events that a model may read, and rows with the outcomes that it may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from tools.ehr.risk.events import Events


@dataclass(frozen=True)
class Rows:
    """m moments at which a prediction could be made, each with what happened. Outcomes never become features.

    `subject` and `moment` have shape (m,); each column of `outcomes` too, NaN where unknown. `patient` is the person, for
    splits and intervals: it differs from `subject` where a person has several stays.
    """

    subject: NDArray[np.int64]
    moment: NDArray[np.datetime64]
    outcomes: dict[str, NDArray[np.float64]]
    patient: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.subject)

    def take(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> Rows:
        """The rows of a mask or an index."""
        outcomes = {name: column[keep] for name, column in self.outcomes.items()}
        return Rows(self.subject[keep], self.moment[keep], outcomes, self.patient[keep])


@dataclass(frozen=True)
class Stay:
    """One stay: who, from when to when (naive UTC), whether they died in hospital, the unit's type as in PhysioNet 2012."""

    person: int
    start: datetime
    end: datetime | None
    died: bool | None
    unit: int | None = None
    days_in_hospital: float | None = None


@dataclass(frozen=True)
class Cohort:
    """A set as read: `source` names the reader. `stays` are stays in intensive care, of sets of whole records."""

    source: str
    events: Events
    rows: Rows
    stays: tuple[Stay, ...] = ()


def make_rows(
    subject: NDArray[np.int64],
    moment: NDArray[np.datetime64],
    outcomes: Mapping[str, Sequence[float] | NDArray[np.float64]],
    patient: NDArray[np.int64] | None = None,
) -> Rows:
    """Rows from columns; the patient is the subject unless given."""
    columns = {name: np.asarray(column, dtype=np.float64) for name, column in outcomes.items()}
    return Rows(subject, moment.astype("datetime64[s]"), columns, subject if patient is None else patient)
