"""`deidentify`: an attached record, document or film without what identifies the patient, as a new attachment."""

from __future__ import annotations

import secrets
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from core.errors import InputError
from core.types import ArtifactKind, Finding, NewArtifact, Table, TableRow, ToolProvenance, ToolResult
from tools.base import Accepts, Card, ToolContext, ToolSpec

_KINDS: tuple[ArtifactKind, ...] = ("record", "document", "table")


class DeidentifyParams(BaseModel):
    """What to de-identify."""

    model_config = ConfigDict(extra="forbid")

    target: str = Field(description="Handle of the record or document, for example record1.")


_SPEC = ToolSpec(
    name="deidentify",
    version="1",
    description="Removes what identifies the patient (HIPAA's eighteen kinds) from an attached record or document and attaches the "
    "result. Dates move by whole weeks, so that intervals stay. Nothing leaves this machine.",
    params=DeidentifyParams,
    examples=(
        "De-identify this record",
        "Remove the patient's name and dates from the document",
        "Anonymise record1 before I share it",
        "Strip all PHI from this file",
        "Make a version without identifiers",
        "Scrub protected health information from the letter",
        "Take out names, addresses and phone numbers",
        "I need an anonymous copy of the record",
        "pseudonymise the chart",
        "redact the identifiers in doc1",
        "hide who the patient is in this record",
        "de-identified export of the notes please",
    ),
    card=Card(
        method="Rules for identifiers that have a form or a label, a linear-chain CRF for names, places and dates, and what a FHIR "
        "resource states of its patient, found again in its free text.",
        trained_on="5,000 generated notes from templates with names of many countries, and abstracts without names. No patient's note.",
        performance="Recall by category on other templates of the same author: docs/privacy.md. Not measured on real notes.",
        intended_use="Before text leaves this machine, with a person reading what is left. Not a guarantee of anonymity.",
        known_failures=(
            "Names in small letters that are no known names and stand without a title are missed at times.",
            "Rare circumstances that point to one person (a news event, an office held) are not seen.",
            "Languages other than English were not trained.",
        ),
    ),
    accepts=(Accepts("target", _KINDS, described_as="a record or a document"),),
    timeout_s=120,
)


@dataclass(frozen=True)
class Deidentify:
    """The tool."""

    @property
    def spec(self) -> ToolSpec:
        """The tool's specification."""
        return _SPEC

    def run(self, params: DeidentifyParams, context: ToolContext) -> ToolResult:
        """De-identify one attachment. The mapping back is not kept: the original is still attached."""
        from tools.text.deidentify.files import deidentify_file
        from tools.text.deidentify.mapping import Mapping

        source = context.store.get(params.target)
        if source.media_type == "application/pdf":
            raise InputError(
                f"{source.handle} is a PDF, and words cannot be taken out of one safely. `consilium text deidentify FILE` takes its text."
            )
        path = context.store.path(params.target)
        context.progress(0.1, "looking for identifiers")
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out"
            done = deidentify_file(path, Mapping(), secrets.token_bytes(32), out)
            context.check()
            kind = "record" if source.kind == "record" else "document"
            new = NewArtifact(
                kind=kind, title=f"{source.title}, without identifiers", media_type=source.media_type, of=source.handle,
                made_by=context.call_id,
            )  # fmt: skip
            artifact = context.store.add(out, new, path.suffix)
        counted = Counter(span.category for span in done.spans)
        statement = f"{done.changed} identifiers were replaced in {source.handle}; the result is {artifact.handle}."
        finding = Finding(
            name="identifiers replaced",
            value=done.changed,
            unit="",
            method="deidentify 1",
            artifact=source.handle,
            statement=statement,
        )
        rows = tuple(TableRow(cells=(category, str(n)), evidence=(1,)) for category, n in counted.most_common())
        return ToolResult(
            summary=f"{statement} A person should read it before it is shared.",
            evidence=(finding,),
            artifacts=(artifact,),
            tables=(Table(title="Identifiers replaced", columns=("kind", "number"), rows=rows),) if rows else (),
            provenance=ToolProvenance(tool=_SPEC.name, version=_SPEC.version),
        )
