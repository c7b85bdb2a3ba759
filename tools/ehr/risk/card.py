"""The risk card of one patient: probability, interval, base rate, subgroup, drivers as events, what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from core.errors import FileError, InputError, MissingRequirement
from core.types import RecordEvent
from tools.ehr.risk.audit import LeakageAudit, OddsGap, Subgroup
from tools.ehr.risk.counterfactual import sensitivities
from tools.ehr.risk.datasets import age_of, features_for
from tools.ehr.risk.evaluate import shipped_model
from tools.ehr.risk.events import Events
from tools.ehr.risk.explain import drivers
from tools.ehr.risk.metrics import AGE_BANDS, band_name
from tools.ehr.risk.model import Model, load_model
from tools.ehr.risk.patient import PatientRecord, from_record, from_text, source_of
from tools.ehr.risk.plausible import VARIABLES
from tools.ehr.risk.population import refusals
from tools.ehr.risk.tasks import Task, load_task

_CORE = ("GCS", "HR", "MAP", "NIMAP", "Urine", "Creatinine", "BUN", "Lactate", "WBC", "Platelets", "Na", "K", "Temp", "pH")


COMPARATORS: dict[str, tuple[str, ...]] = {
    "icu_death": (
        "On the same held-out stays (docs/prediction.md): this model AUROC 0.881, counts only 0.733, SAPS-I 0.660, "
        "SOFA 0.643.",
    ),
}
"""What simpler scores reach, measured on one split by patient: `consilium ehr evaluate` prints it."""


class CardDriver(BaseModel):
    """A variable, how it moved the estimate (log-odds, before calibration), and the events behind it."""

    model_config = ConfigDict(frozen=True)

    variable: str
    log_odds: float
    events: tuple[RecordEvent, ...]


class CardChange(BaseModel):
    """What the model would say had an actionable variable stood at another value of its own range for the last 24 h."""

    model_config = ConfigDict(frozen=True)

    variable: str
    unit: str
    last: float
    value: float
    probability: float


class RiskCard(BaseModel):
    """All that is said of one estimate. `probability` is None where the model abstains, and `why` says why."""

    model_config = ConfigDict(frozen=True)

    task: str
    title: str
    prediction: str
    probability: float | None
    interval: tuple[float, float] | None
    interval_method: str = "Venn-Abers"
    base_rate: float
    trained_n: int
    subgroup: str
    subgroup_n: int | None
    subgroup_rate: float | None
    subgroup_oe: float | None
    drivers: tuple[CardDriver, ...]
    changes: tuple[CardChange, ...]
    fairness: tuple[Subgroup, ...]
    equalised_odds: dict[str, OddsGap]
    audit: LeakageAudit | None
    comparators: tuple[str, ...]
    missing: tuple[str, ...]
    why: str
    warnings: tuple[str, ...]
    cross_validated: dict[str, object]

    def as_text(self) -> str:
        """For a terminal."""
        lines = [f"{self.title}, asked {self.prediction}"]
        if self.probability is None or self.interval is None:
            lines.append(f"No estimate: {self.why}.")
        else:
            low, high = self.interval
            lines.append(
                f"Estimate {100 * self.probability:.1f} % ({self.interval_method} {100 * low:.1f} to {100 * high:.1f} %)"
            )
        lines.append(f"Base rate {100 * self.base_rate:.1f} % of {self.trained_n} stays in training")
        if self.subgroup_n is not None:
            lines.append(f"Age {self.subgroup}: n {self.subgroup_n}, observed/expected {self.subgroup_oe}")
        for driver in self.drivers:
            lines.append(f"  {driver.log_odds:+.2f}  {driver.variable}")
            lines += [f"         {event.statement}" for event in driver.events]
        if self.changes:
            lines.append("Model sensitivity, not causal: had the last 24 h stood at another value that this patient had,")
        for change in self.changes:
            then = f"{100 * change.probability:.1f} %"
            lines.append(f"  {change.variable} {change.value:g} {change.unit} (last {change.last:g}): {then}")
        if self.audit is not None:
            lines.append("Leakage audit of the training set: " + "; ".join(f"{k} {v}" for k, v in self.audit.rows()))
        lines += list(self.comparators)
        if self.missing:
            lines.append(f"Not recorded: {', '.join(self.missing)}")
        return "\n".join([*lines, *self.warnings])


def model_for(task: Task, weights: Path | None = None) -> Model:
    """The model of a task: from a folder, or the shipped one.

    Raises:
        MissingRequirement: none ships for the task.
    """
    model = load_model(weights) if weights else shipped_model(task.name)
    if model is None:
        raise MissingRequirement(
            f"A model for {task.name}",
            f"consilium ehr train --task {task.name} --data DIR --out WEIGHTS, then --weights WEIGHTS",
        )
    return model


def make_card(task: Task, model: Model, record: PatientRecord) -> RiskCard:
    """The card. Only events up to the moment of prediction are read."""
    known = record.known()
    table = features_for(task, known, record.rows)
    age = age_of(known, record.rows)
    why = refusals(model, table, age)[0]
    if np.isnan(age[0]):
        why = why or "the age is not recorded, and the model was trained on adults of known age"
    elif age[0] < 18:
        why = why or f"age {age[0]:g}: the models are for adults"
    probability = None if why else float(model.probability(table, age)[0])
    interval = None
    if probability is not None:
        low, high = model.calibrator.interval(float(model.logit(table.align(model.meta.features))[0]))
        # The pair is of the score alone; a recalibration by age may lie beside it.
        interval = (round(min(low, high, probability), 4), round(max(low, high, probability), 4))
    band = next((band_name(low, high) for low, high in AGE_BANDS if low <= age[0] < high), "")
    group = model.meta.bands.get(band)
    found = [] if why else drivers(model, table, known)
    return RiskCard(
        task=task.name, title=task.title, prediction=task.prediction,
        probability=None if probability is None else round(probability, 4), interval=interval,
        base_rate=round(model.meta.base_rate, 4), trained_n=model.meta.n, subgroup=band,
        subgroup_n=int(group["n"]) if group else None, subgroup_rate=group["rate"] if group else None,
        subgroup_oe=group["oe"] if group else None,
        drivers=tuple(
            CardDriver(
                variable=VARIABLES[item.code].text if item.code in VARIABLES else item.code,
                log_odds=round(item.contribution, 3),
                events=tuple(event for i in item.cited if (event := source_of(record, i, known)) is not None),
            )
            for item in found
        ),
        changes=() if why else _changes(task, model, known, record),
        fairness=tuple(model.meta.fairness),
        equalised_odds=model.meta.equalised_odds, audit=model.meta.audit, comparators=COMPARATORS.get(task.name, ()),
        missing=_missing(record), why=why, warnings=record.warnings, cross_validated=model.meta.cross_validated,
    )  # fmt: skip


def _changes(task: Task, model: Model, known: Events, record: PatientRecord) -> tuple[CardChange, ...]:
    return tuple(
        CardChange(
            variable=change.variable, unit=VARIABLES[change.code].unit, last=round(change.last, 2),
            value=round(change.value, 2), probability=round(change.after, 4),
        )
        for change in sensitivities(task, model, known, record.rows)
    )  # fmt: skip


def _missing(record: PatientRecord) -> tuple[str, ...]:
    known = record.known()
    have = {known.vocabulary[index] for index in np.unique(known.code)}
    pressure = {"MAP", "NIMAP", "SysABP", "NISysABP"} & have
    return tuple(VARIABLES[name].text for name in _CORE if name not in have and not (name in ("MAP", "NIMAP") and pressure))


def card_of_file(task_name: str, path: Path, weights: Path | None = None, patient: str | None = None) -> RiskCard:
    """The card of a patient in a file: a text record of PhysioNet 2012, or FHIR."""
    task = load_task(task_name)
    if task.source != "physionet2012":
        raise InputError(f"{task.name} is for cohorts: a card of one patient is made for icu_death and los_over_7d.")
    return make_card(task, model_for(task, weights), record_of_file(path, patient))


def record_of_file(path: Path, patient: str | None = None) -> PatientRecord:
    """One patient of a file: a text record of PhysioNet 2012, or FHIR."""
    if not path.exists():
        raise FileError(f"{path.name!r} is not there.")
    if path.suffix == ".txt":
        return from_text(path)
    from tools.ehr.fhir import read_fhir
    from tools.ehr.timeline import choose_patient, facts_of

    record = read_fhir(path)
    person = choose_patient(record, patient)
    return from_record(person, facts_of(record, person), "")
