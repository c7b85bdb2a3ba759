"""The tool `predict_outcome`: the risk card of the attached patient, with the events that drove it, or why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from core.errors import InputError
from core.types import Evidence, Finding, Table, TableRow, ToolProvenance, ToolResult
from tools.base import Accepts, Card, ToolContext, ToolSpec

if TYPE_CHECKING:
    from tools.ehr.risk.card import RiskCard

_METHOD = "Boosting, logistic regression and a small network on counts, ranges and trends; calibrated on held-out patients"


class PredictOutcomeParams(BaseModel):
    """What to predict, from which record."""

    model_config = ConfigDict(extra="forbid")

    record: str = Field(description="Handle of the health record, for example record1.")
    task: Literal["icu_death", "los_over_7d"] = Field(
        default="icu_death",
        description="icu_death: death in hospital. los_over_7d: a hospital stay of more than 7 days. Both from 48 h in ICU.",
    )
    patient: str | None = Field(
        default=None, max_length=200, description="Which patient, for example p2, when the record holds several."
    )


SPEC = ToolSpec(
    name="predict_outcome",
    version="1",
    description=(
        "Estimates the risk of death in hospital, or of a stay of more than 7 days, for an adult after 48 h in intensive "
        "care, from the attached health record. Gives a calibrated probability, its interval, the base rate, the patient's "
        "subgroup, the events that drove it, and what is missing; gives no estimate for a patient unlike those it was "
        "trained on."
    ),
    params=PredictOutcomeParams,
    examples=(
        "what is the risk for this patient and why",
        "what is the patient's risk of dying in hospital",
        "how likely is death in the intensive care unit",
        "predict the mortality of this ICU patient",
        "will the patient survive the stay in intensive care",
        "what is the probability of a stay longer than seven days",
        "how long will this patient stay in hospital",
        "estimate the prognosis after 48 hours in intensive care",
        "which events drive the mortality risk",
        "should I believe the risk score for this patient",
        "compare this patient's risk with the base rate",
        "is this patient at high risk of in-hospital death",
        "predict the length of stay",
    ),
    accepts=(Accepts(parameter="record", kinds=("record",), allow_synthetic=True, described_as="a health record (FHIR)"),),
    card=Card(
        method=_METHOD
        + ". Drivers are TreeSHAP, linear and integrated-gradient contributions: the model's sensitivity, not causes.",
        trained_on=(
            "PhysioNet/CinC Challenge 2012, sets a and b: 8,000 stays of adults of at least 48 h in four ICU types of one "
            "hospital in the USA, 2001 to 2008 (Silva et al., Comput Cardiol 2012;39:245-248)."
        ),
        performance=(
            "Cross-validated by patient: AUROC 0.879 (0.870 to 0.889) for icu_death, 0.761 (0.752 to 0.772) for los_over_7d."
        ),
        intended_use="Research, beside a clinician: a second look at the recorded first 48 h of a stay in intensive care.",
        known_failures=(
            "Other hospitals, countries and years: calibration is not known there.",
            "Treatment limits and diagnoses are not read; a decision to withdraw treatment is not seen.",
            "It reads what was measured and how often: a different measuring habit moves the estimate.",
            "The Venn-Abers interval is of the calibration only, not of the model's own uncertainty.",
        ),
    ),
    timeout_s=60.0,
)


class PredictOutcome:
    """The tool; weights are read with each call (about 0.1 s)."""

    @property
    def spec(self) -> ToolSpec:
        """The tool's specification."""
        return SPEC

    def run(self, params: PredictOutcomeParams, context: ToolContext) -> ToolResult:
        """Make the card.

        Raises:
            UnknownHandle: there is no such artifact.
            UnknownPatient: the record holds several patients and none of them, or an unknown one, is named.
            FileError: the stored file cannot be read as FHIR.
        """
        from tools.ehr.attached import attached_patient
        from tools.ehr.risk.card import make_card, model_for
        from tools.ehr.risk.tasks import load_task

        attached = attached_patient(context, params.record, params.patient)
        task = load_task(params.task)
        provenance = ToolProvenance(tool=SPEC.name, version=SPEC.version)
        try:
            card = make_card(task, model_for(task), attached.stay())
        except InputError as error:
            return ToolResult(summary=str(error), provenance=provenance, searched=attached.searched)
        evidence = _evidence(card, attached.handle)
        lead = [item for item in evidence if isinstance(item, Finding)]
        summary = " ".join(item.statement for item in lead) or f"No estimate of {card.title}: {card.why}."
        return ToolResult(
            summary=summary, evidence=evidence, tables=_table(card, len(lead)),
            warnings=(*card.warnings, *_limits(card)), provenance=provenance, searched=attached.searched,
        )  # fmt: skip


def _evidence(card: RiskCard, handle: str) -> tuple[Evidence, ...]:
    if card.probability is None or card.interval is None:
        return ()
    low, high = (round(100 * value, 1) for value in card.interval)
    risk, base = round(100 * card.probability, 1), round(100 * card.base_rate, 1)
    findings = [
        Finding(
            name=card.task, value=risk, unit="%", interval=(low, high), method=f"{_METHOD}; {card.interval_method} interval",
            artifact=handle,
            statement=f"The estimated risk of {card.title} is {risk:g} % (interval {low:g} to {high:g} %).",
        ),
        Finding(
            name="base rate", value=base, unit="%", method="share of the training stays", artifact=handle,
            statement=f"Among the patients that the model was trained on, the base rate was {base:g} %.",
        ),
    ]  # fmt: skip
    if card.subgroup_oe is not None and card.subgroup_n is not None:
        ratio = round(card.subgroup_oe, 2)
        findings.append(Finding(
            name="observed/expected of the age group", value=ratio, where=f"age {card.subgroup}, n = {card.subgroup_n}",
            method="held-out patients of the training set", artifact=handle,
            statement=f"In this patient's age group ({card.subgroup}, n = {card.subgroup_n}) the ratio of observed to "
            f"expected events was {ratio:g}.",
        ))  # fmt: skip
    events = [event for driver in card.drivers for event in driver.events]
    return (*findings, *events)


def _table(card: RiskCard, offset: int) -> tuple[Table, ...]:
    rows, position = [], offset
    for driver in card.drivers:
        cited = tuple(range(position, position + len(driver.events)))
        position += len(driver.events)
        said = "; ".join(event.statement for event in driver.events) or "described with the patient"
        rows.append(TableRow(cells=(driver.variable, f"{driver.log_odds:+.2f}", said), evidence=cited))
    title = "What moved the estimate (log-odds; the model's sensitivity, not causes)"
    tables = (Table(title=title, columns=("Variable", "Moved by", "Events"), rows=tuple(rows)),) if rows else ()
    return (*tables, *_sensitivity(card), *_fairness(card), *_audit(card))


def _sensitivity(card: RiskCard) -> tuple[Table, ...]:
    rows = tuple(
        TableRow(cells=(change.variable, f"{change.last:g} {change.unit}".strip(), f"{change.value:g} {change.unit}".strip(),
                        f"{100 * change.probability:.1f} %"))
        for change in card.changes
    )  # fmt: skip
    title = "Model sensitivity, not causal: had the last 24 h stood at another value that this patient had"
    columns = ("Variable", "Last value", "Had it been", "Estimate then")
    return (Table(title=title, columns=columns, rows=rows),) if rows else ()


def _fairness(card: RiskCard) -> tuple[Table, ...]:
    def pair(ends: tuple[float, float]) -> str:
        return f"({ends[0]:.2f} to {ends[1]:.2f})"

    rows = tuple(
        TableRow(cells=(group.name, str(group.n), f"{group.auroc:.3f}", f"{group.oe:.2f} {pair(group.oe_ci)}",
                        f"{group.true_positive_rate:.2f}", f"{group.false_positive_rate:.2f}"))
        for group in card.fairness
    )  # fmt: skip
    columns = ("Group", "n", "AUROC", "Observed/expected (95 %)", "Flagged of those with it", "Flagged of those without")
    title = "By subgroup, held out in training; flagged: the fifth of highest risk"
    return (Table(title=title, columns=columns, rows=rows),) if rows and card.probability is not None else ()


def _audit(card: RiskCard) -> tuple[Table, ...]:
    if card.audit is None or card.probability is None:
        return ()
    rows = tuple(TableRow(cells=(name, value)) for name, value in card.audit.rows())
    return (Table(title="Leakage audit of the training set", columns=("Check", "AUROC or number"), rows=rows),)


def _limits(card: RiskCard) -> tuple[str, ...]:
    out = []
    if card.missing:
        out.append(f"Not recorded in the first 48 h: {', '.join(card.missing)}.")
    if card.probability is not None:
        out.append(
            "Trained on one hospital, 2001 to 2008: calibration elsewhere is not known. Not for decisions about care."
        )
    return tuple(out)
