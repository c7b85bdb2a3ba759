"""A whole cohort scored in parts by one function: one after another here, or side by side on workers of Ray."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError, MissingRequirement
from tools.ehr.risk.cohort import Cohort, Rows
from tools.ehr.risk.datasets import age_of, features_for
from tools.ehr.risk.events import Events
from tools.ehr.risk.model import Model
from tools.ehr.risk.population import refusals
from tools.ehr.risk.tasks import Task

PART = 500
"""Subjects of a part: features of so many take some tens of MB."""


@dataclass(frozen=True)
class Scored:
    """n rows: subject, moment, probability (NaN where there is no estimate) and why not, all of shape (n,)."""

    subject: NDArray[np.int64]
    moment: NDArray[np.datetime64]
    probability: NDArray[np.float64]
    why: tuple[str, ...]


def score_cohort(task: Task, model: Model, cohort: Cohort, workers: int = 1, part: int = PART) -> Scored:
    """Score every row whose subject has events, in the order of subjects.

    Raises:
        InputError: no row has events, or `workers` is not positive.
        MissingRequirement: more than one worker, and Ray is not installed.
    """
    if workers < 1:
        raise InputError(f"--workers must be at least 1, got {workers}.")
    parts = _parts(cohort, part)
    done = list(_here(task, model, parts) if workers == 1 else _on_ray(task, model, parts, workers))
    if not done:
        raise InputError("No patient of this set has events before a moment of prediction.")
    columns = [np.concatenate([getattr(each, name) for each in done]) for name in ("subject", "moment", "probability")]
    return Scored(columns[0], columns[1], columns[2], tuple(why for each in done for why in each.why))


def score_part(task: Task, model: Model, events: Events, rows: Rows) -> Scored:
    """One part; nothing after a row's moment is read."""
    table, age = features_for(task, events, rows), age_of(events, rows)
    why = tuple(refusals(model, table, age))
    probability = np.where([bool(text) for text in why], np.nan, model.probability(table, age))
    return Scored(rows.subject, rows.moment, probability, why)


def _parts(cohort: Cohort, size: int) -> Iterator[tuple[Events, Rows]]:
    events = cohort.events
    subjects = np.intersect1d(events.subjects, cohort.rows.subject)
    for start in range(0, len(subjects), size):
        mine = subjects[start : start + size]
        low, high = np.searchsorted(events.subject, mine[0]), np.searchsorted(events.subject, mine[-1], side="right")
        inside = np.zeros(len(events), bool)
        inside[low:high] = np.isin(events.subject[low:high], mine)
        keep = np.flatnonzero(np.isin(cohort.rows.subject, mine))
        rows = cohort.rows.take(keep[np.argsort(cohort.rows.subject[keep], kind="stable")])
        yield events.where(inside), rows


def _here(task: Task, model: Model, parts: Iterator[tuple[Events, Rows]]) -> Iterator[Scored]:
    for events, rows in parts:
        yield score_part(task, model, events, rows)


def _on_ray(task: Task, model: Model, parts: Iterator[tuple[Events, Rows]], workers: int) -> Iterator[Scored]:
    """At most two parts a worker are under way, so that memory does not grow with the cohort."""
    try:
        import ray
    except ImportError as error:
        raise MissingRequirement("Ray, which scores on several workers,", "pip install 'consilium[ray]'") from error
    mine = not ray.is_initialized()
    if mine:
        ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        remote, shared = ray.remote(score_part), ray.put(model)
        under_way: list[object] = []
        for events, rows in parts:
            if len(under_way) >= 2 * workers:
                yield ray.get(under_way.pop(0))
            under_way.append(remote.remote(task, shared, events, rows))
        for waiting in under_way:
            yield ray.get(waiting)
    finally:
        if mine:
            ray.shutdown()
