"""Every model under one contract, in one table, on one split by patient: fit on some rows, log-odds for all.

The scores of each are calibrated (logistic) on a fifth of the training patients that it was not fitted on. Networks see at
most `LIMIT` training records: they are of CPU size, and the table says how many each saw.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from core.errors import InputError
from tools.ehr.models.concepts import code_counts, fit_binning, fit_concepts
from tools.ehr.models.genhpf import HEADS, GenHPF, Naming, Texts, lab_class, lab_variable, write_texts
from tools.ehr.models.ldam import Ldam
from tools.ehr.models.sans import Sans
from tools.ehr.models.sequences import Sequences, sequences
from tools.ehr.models.survival import CoxFusion
from tools.ehr.models.vgnn import Vgnn
from tools.ehr.risk.calibrate import fit as calibrate
from tools.ehr.risk.datasets import Sample
from tools.ehr.risk.evaluate import held_out
from tools.ehr.risk.metrics import Scores, score
from tools.ehr.risk.model import folds_of
from tools.ehr.risk.plausible import VARIABLES

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
LIMIT = 6000
LENGTH = 96
PLAIN = Naming(
    "chart events", ("item", "value", "unit"),
    {name: known.text for name, known in VARIABLES.items()}, {name: known.unit for name, known in VARIABLES.items()},
)  # fmt: skip


@dataclass(frozen=True)
class Task:
    """What a model is given: records as sequences and texts, features, labels; nothing of the outcome columns but y."""

    sample: Sample
    epochs: int = 4

    @cached_property
    def records(self) -> Sequences:
        """Of all rows."""
        hours = self.sample.task.window_hours
        return sequences(self.sample.cohort.events, self.sample.rows, LENGTH, hours, step=max(hours / 4, 1.0))

    @cached_property
    def texts(self) -> Texts:
        """Of all rows, in one hospital's words."""
        return write_texts(self.records, PLAIN)


Learner = Callable[[Task, Mask], Array]
"""Fit on the rows of a mask; a score per row of the sample, higher for the outcome."""


def _part(texts: Texts, mine: Mask) -> Texts:
    return Texts(texts.tokens, texts.kinds, texts.places, texts.index[mine])


def genhpf_labels(records: Sequences, sample: Sample) -> dict[str, Array]:
    """Every head's label that the set can tell, NaN where it is unknown for a record; shape (n,) each."""
    labels: dict[str, Array] = {"mortality": sample.y}
    stay = sample.rows.outcomes.get("Length_of_stay")
    if stay is not None:
        known = np.where(stay < 0, np.nan, stay)
        for head, days in (("los_3", 3), ("los_7", 7)):
            labels[head] = np.where(np.isnan(known), np.nan, known > days)
    for head in ("bilirubin", "platelets", "creatinine", "wbc"):
        labels[head] = lab_class(head, _last_mean(records, lab_variable(head)))
    return labels


def learn_genhpf(task: Task, mine: Mask, timed: bool = True) -> Array:
    """GenHPF with every head whose label the set can tell."""
    records, labels = task.records, genhpf_labels(task.records, task.sample)
    model = GenHPF({name: HEADS[name] for name in labels}, timed=timed)
    known = {name: values[mine] for name, values in labels.items()}
    model.fit(_part(task.texts, mine), records.hours[mine], known, task.epochs, size=32)
    return model.predict(task.texts, records.hours, "mortality")


def _last_mean(records: Sequences, variable: str) -> Array:
    """Mean of a variable in the last 12 h of the window: a label to learn along, not a forecast."""
    if variable not in records.vocabulary:
        return np.full(len(records), np.nan)
    mine = (records.code == records.vocabulary.index(variable) + 1) & (records.hours <= 12) & ~np.isnan(records.value)
    count = mine.sum(axis=1)
    total = np.where(mine, records.value, 0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def learn_sans(task: Task, mine: Mask, pretrained: bool = True) -> Array:
    """SANSformer, after generative summary pretraining or from nothing."""
    model = Sans()
    part = task.records.take(mine)
    if pretrained:
        model.pretrain(part, epochs=2)
    model.fit(part, task.sample.y[mine], epochs=task.epochs + 2)
    return np.asarray(model.logits(task.records)[:, -1])


def learn_vgnn(task: Task, mine: Mask) -> Array:
    """VGNN."""
    model = Vgnn()
    model.fit(task.records.take(mine), task.sample.y[mine], epochs=2 * task.epochs)
    return model.logit(task.records)


def learn_ldam(task: Task, mine: Mask) -> Array:
    """LDAM, with the task's title as the label."""
    model = Ldam((task.sample.task.title,))
    model.fit(_part(task.texts, mine), task.sample.y[mine, None], task.epochs)
    return model.predict(task.texts)[:, 0]


def learn_concepts(task: Task, mine: Mask) -> Array:
    """Concept vectors of a record's codes, into a logistic regression."""
    rows = task.sample.rows
    events = task.sample.cohort.events.until(dict(zip(rows.subject.tolist(), rows.moment, strict=True)))
    order = np.argsort(rows.subject)
    place = order[np.searchsorted(rows.subject[order], events.subject)]
    names = fit_binning(events.where(mine[place])).names(events)
    inside = mine[place]
    concepts = fit_concepts([name for name, own in zip(names, inside, strict=True) if own], place[inside], width=64)
    counts = code_counts(names, place, len(rows), concepts.names)
    counts.data = np.log1p(counts.data)
    x = concepts.of_records(counts)
    x = (x - x[mine].mean(axis=0)) / np.maximum(x[mine].std(axis=0), 1e-6)
    model = LogisticRegression(C=0.1, max_iter=300).fit(x[mine], task.sample.y[mine])
    return np.asarray(model.decision_function(x))


def learn_survival(task: Task, mine: Mask) -> Array:
    """Cox with fusion of measurements and of what was measured, on time to death where the set tells it."""
    outcomes = task.sample.rows.outcomes
    time, event = survival_of(outcomes)
    table = task.sample.table
    last = [i for i, name in enumerate(table.names) if name.endswith(("|last", "|mean", "|min", "|max", "|ratio"))]
    count = [i for i, name in enumerate(table.names) if name.endswith(("|count", "|present", "|hours_since"))]
    parts = [_standardised(table.x[:, columns], mine) for columns in (last, count or last[:1])]
    known = mine & ~np.isnan(time)
    model = CoxFusion()
    model.fit(parts[0][known], parts[1][known], time[known], event[known], max(15, 12000 // int(known.sum())))
    return model.risk(parts[0], parts[1])


def survival_of(outcomes: dict[str, Array]) -> tuple[Array, Array]:
    """(days to death or censoring, 1 for death) per row, NaN days where unknown.

    PhysioNet 2012: `Survival` is days from admission to death, -1 for those not known to have died, who are censored at
    discharge. SUPPORT2: `days` and `death`.

    Raises:
        InputError: the set has neither.
    """
    if "Survival" in outcomes:
        died = outcomes["Survival"] >= 0
        stay = np.where(outcomes["Length_of_stay"] < 0, np.nan, outcomes["Length_of_stay"])
        return np.maximum(np.where(died, outcomes["Survival"], stay), 0.5), died.astype(np.float64)
    if {"days", "death"} <= set(outcomes):
        return np.maximum(outcomes["days"], 0.5), outcomes["death"]
    raise InputError("Survival needs times: the set has no column Survival, or days and death.")


def _standardised(x: NDArray[np.float32], mine: Mask) -> NDArray[np.float32]:
    empty = np.isnan(x[mine]).all(axis=0)
    safe = np.where(empty, 0, x)
    low, middle, high = np.nanpercentile(safe[mine].astype(np.float64), [10, 50, 90], axis=0)
    z = (safe - middle) / np.maximum((high - low) / 2.5, 1e-3)
    return np.asarray(np.nan_to_num(np.clip(z, -4, 4)), dtype=np.float32)


LEARNERS: dict[str, Learner] = {
    "GenHPF": learn_genhpf,
    "GenHPF without time": lambda task, mine: learn_genhpf(task, mine, timed=False),
    "SANSformer, pretrained": learn_sans,
    "SANSformer": lambda task, mine: learn_sans(task, mine, pretrained=False),
    "VGNN": learn_vgnn,
    "LDAM": learn_ldam,
    "concept vectors": learn_concepts,
    "Cox with fusion": learn_survival,
}
"""All of them; those that a set cannot feed raise `InputError`."""


def compare_all(
    sample: Sample, names: tuple[str, ...] = tuple(LEARNERS), rounds: int = 1000, epochs: int = 4, limit: int = LIMIT
) -> tuple[dict[str, Scores], int]:
    """Figures by model on the same 30 % of patients as `evaluate.compare`, and how many records each was fitted on.

    Raises:
        InputError: the task is hourly; these models are for one moment per stay.
    """
    if sample.task.hourly:
        raise InputError(f"{sample.task.name} asks every hour; the sequence models are for one moment per stay.")
    held = held_out(sample.rows.patient)
    rest = np.flatnonzero(~held)
    if len(rest) > limit:
        rest = np.random.default_rng(0).choice(rest, limit, replace=False)
    chosen = np.zeros(len(held), bool)
    chosen[rest] = True
    aside = chosen & (folds_of(sample.rows.patient) == 0)
    mine = chosen & ~aside
    task, out = Task(sample, epochs), {}
    for name in names:
        try:
            z = LEARNERS[name](task, mine)
        except InputError:
            continue
        p = calibrate("logistic", z[aside], sample.y[aside], sample.age[aside]).probability(z, sample.age)
        out[name] = score(sample.y[held], p[held], sample.age[held], sample.rows.patient[held], rounds)
    return out, int(mine.sum())
