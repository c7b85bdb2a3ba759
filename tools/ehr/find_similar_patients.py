"""The tool `find_similar_patients`: what became of stays in intensive care like the attached patient's, never of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from core.errors import InputError
from core.types import Finding, Table, TableRow, ToolProvenance, ToolResult
from tools.base import Accepts, Card, ToolContext, ToolSpec

if TYPE_CHECKING:
    from tools.ehr.risk.features import Table as Features
    from tools.ehr.risk.similar import Alike

_METHOD = "nearest groups of at least 10 stays by principal components of the first 48 h; exact search"


class FindSimilarPatientsParams(BaseModel):
    """Whose like to find, in which record."""

    model_config = ConfigDict(extra="forbid")

    record: str = Field(description="Handle of the health record, for example record1.")
    patient: str | None = Field(
        default=None, max_length=200, description="Which patient, for example p2, when the record holds several."
    )


SPEC = ToolSpec(
    name="find_similar_patients",
    version="1",
    description=(
        "Finds the stays in intensive care that resemble the attached patient's first 48 h and says what became of them: "
        "how many died in hospital, how many stayed longer than 7 days, beside the share among all, and how the "
        "patient differs from them. Only groups of at least ten stays are told; no other patient is shown."
    ),
    params=FindSimilarPatientsParams,
    examples=(
        "find similar patients",
        "what happened to patients like this one",
        "how did comparable patients do",
        "show me the outcomes of similar ICU stays",
        "are there patients who resemble this one",
        "look for lookalike cases in the reference cohort",
        "how many of the patients similar to him died",
        "compare this patient with similar patients",
        "what became of people with a course like hers",
        "nearest neighbours of this patient in the cohort",
        "did patients with the same picture survive",
        "what was the mortality among comparable stays",
        "retrieve patients most like mine and their outcomes",
    ),
    accepts=(Accepts(parameter="record", kinds=("record",), allow_synthetic=True, described_as="a health record (FHIR)"),),
    card=Card(
        method=_METHOD + ". Microaggregated (MDAV): the file that ships holds groups, not patients.",
        trained_on=(
            "PhysioNet/CinC Challenge 2012, sets a and b: 8,000 stays of adults of at least 48 h in four ICU types of one "
            "hospital in the USA, 2001 to 2008 (Silva et al., Comput Cardiol 2012;39:245-248)."
        ),
        performance="Read as a risk, the share of deaths among them is measured in docs/prediction.md; it is a description.",
        intended_use="Research, beside a clinician: what stays with similar recorded values led to in one old cohort.",
        known_failures=(
            "Alike in recorded values is not alike in disease: diagnoses and treatment limits are not read.",
            "One hospital, 2001 to 2008.",
            "About a hundred stays are pooled, so a rare outcome is seen a few times only; see the interval.",
        ),
    ),
    timeout_s=60.0,
)


class FindSimilarPatients:
    """The tool; the groups are read with each call."""

    @property
    def spec(self) -> ToolSpec:
        """The tool's specification."""
        return SPEC

    def run(self, params: FindSimilarPatientsParams, context: ToolContext) -> ToolResult:
        """Find the groups.

        Raises:
            UnknownHandle: there is no such artifact.
            UnknownPatient: the record holds several patients and none of them, or an unknown one, is named.
            FileError: the stored file cannot be read as FHIR.
        """
        from tools.ehr.attached import attached_patient
        from tools.ehr.risk.datasets import features_for
        from tools.ehr.risk.similar import alike, shipped_reference
        from tools.ehr.risk.tasks import load_task

        attached = attached_patient(context, params.record, params.patient)
        reference = shipped_reference()
        looked = f"{attached.searched}; {int(reference.size.sum())} stays of the reference"
        provenance = ToolProvenance(tool=SPEC.name, version=SPEC.version)
        try:
            patient = attached.stay()
            features = features_for(load_task("icu_death"), patient.known(), patient.rows)
            found = alike(reference, features)
        except InputError as error:
            return ToolResult(summary=str(error), provenance=provenance, searched=looked)
        findings = _findings(found, attached.handle)
        return ToolResult(
            summary=" ".join(item.statement for item in findings), evidence=findings, tables=_table(found, features),
            warnings=(*patient.warnings, "Alike in recorded values only; one hospital, 2001 to 2008. Not a forecast."),
            provenance=provenance, searched=looked,
        )  # fmt: skip


def _findings(found: Alike, handle: str) -> tuple[Finding, ...]:
    def percent(share: float) -> float:
        return round(100 * share, 1)

    low, high = (percent(share) for share in found.death_interval)
    rate, base, long_rate = percent(found.death_rate), percent(found.base_death_rate), percent(found.long_rate)
    group = f"{found.stays} stays of the reference in {found.groups} groups"
    return (
        Finding(
            name="stays most like this one", value=found.stays, where=group, method=_METHOD, artifact=handle,
            statement=f"The {found.stays} stays most like this patient's first 48 h were pooled from {found.groups} groups.",
        ),
        Finding(
            name="death in hospital among them", value=rate, unit="%", interval=(low, high), method="share; Wilson interval",
            artifact=handle, where=f"{found.deaths} of {found.known}",
            statement=f"Of {found.known} such stays {found.deaths} ended in death in hospital: {rate:g} % "
            f"(interval {low:g} to {high:g} %).",
        ),
        Finding(
            name="death in hospital among all", value=base, unit="%", method="share of the reference", artifact=handle,
            statement=f"Among all stays of the reference it was {base:g} %.",
        ),
        Finding(
            name="stay of more than 7 days among them", value=long_rate, unit="%", method="share of known lengths",
            artifact=handle, where=f"{found.long_stays} stays, more than 7 days",
            statement=f"A stay of more than 7 days followed in {long_rate:g} % of them ({found.long_stays} stays).",
        ),
    )  # fmt: skip


def _table(found: Alike, features: Features) -> tuple[Table, ...]:
    from tools.ehr.risk.plausible import VARIABLES

    rows = []
    for name, mean in found.means.items():
        variable, kind = name.split("|")
        known = VARIABLES.get(variable)
        text = known.text if known else {"MeanPressure": "mean pressure"}.get(variable, variable)
        own = features.x[0, features.names.index(name)] if name in features.names else float("nan")
        label = f"{text} ({'sum of 48 h' if kind == 'sum' else 'last'})" if variable != "Age" else text
        unit = known.unit if known else "mmHg"
        rows.append(TableRow(cells=(label, "not recorded" if own != own else f"{own:.4g}", f"{mean:.4g}", unit)))
    columns = ("Variable", "This patient", "Mean of the similar stays", "Unit")
    return (Table(title="This patient beside the stays most like it", columns=columns, rows=tuple(rows)),) if rows else ()
