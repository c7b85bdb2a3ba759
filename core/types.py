"""The contracts between rooms: frozen pydantic models, no behaviour beyond reading themselves.

Evidence is what an answer stands on. It has three forms, told apart by `kind`:

* `Finding`: a measurement on an image or record, made by a tool.
* `Passage`: a span of a source text.
* `RecordEvent`: a line of the patient's record.

A tool returns evidence with an empty `id`; the turn's ledger numbers it (`"1"`, `"2"`, ...), and the answer's
sentences cite those numbers.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

ArtifactKind = Literal["volume", "mask", "radiograph", "image", "cine", "record", "document", "signal", "table"]
Plane = Literal["sagittal", "coronal", "axial"]
Verdict = Literal["supported", "partly", "not_supported", "contradicted", "no_evidence_needed"]
Stance = Literal["supports", "against", "neutral"]
CallStatus = Literal["done", "refused", "failed", "timeout", "cancelled"]
ErrorKind = Literal["", "stopped", "interrupted", "busy", "endpoint", "input", "fault"]


class Frozen(BaseModel):
    """Immutable, and unknown fields are an error: a typo in a contract must not pass silently."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NewArtifact(Frozen):
    """What is known of a file before the store gives it a handle and a hash.

    Arrays are kept in RAS order (axis 0 left to right, 1 posterior to anterior, 2 inferior to superior);
    `shape` is in voxels and `spacing_mm` in millimetres per voxel along the same axes. For 2-D images
    `shape` is (rows, columns) and `spacing_mm` (row, column), or empty when the file does not tell.
    """

    kind: ArtifactKind
    title: str = Field(description="What to call it on screen; never an identifier of the patient.")
    media_type: str
    modality: str | None = Field(default=None, description="DICOM modality code: CT, MR, CR, DX, ...")
    body_part: str | None = None
    view: str | None = Field(default=None, description="Radiographs: AP, PA, LATERAL, ...")
    shape: tuple[int, ...] = ()
    spacing_mm: tuple[float, ...] = ()
    orientation: str | None = Field(default=None, description="Axis codes as read, for example LPS.")
    labels: tuple[str, ...] = Field(default=(), description="Masks: names of the structures present, for example L1.")
    of: str | None = Field(default=None, description="Handle of the image that this one belongs to.")
    patient: str = Field(default="", description="Pseudonym: a keyed hash that tells one patient's files together.")
    study: str = Field(default="", description="Pseudonym of the study.")
    synthetic: bool = Field(default=False, description="Generated: not a picture of a patient.")
    simulated: bool = Field(default=False, description="A real image that was changed on purpose.")
    made_by: str | None = Field(default=None, description="Id of the tool call that made it.")
    warnings: tuple[str, ...] = ()


class Artifact(NewArtifact):
    """A file of this session. `handle` is all that a model ever sees of it; never a path."""

    handle: str
    sha256: str
    bytes: int


class Location(Frozen):
    """Where on an image a finding can be seen: a slice index of the RAS array along the plane's normal."""

    artifact: str
    plane: Plane
    index: int
    overlay: str | None = None


class Finding(Frozen):
    """A measurement and the sentence that states it."""

    kind: Literal["finding"] = "finding"
    id: str = ""
    name: str
    value: float | int | str | None = None
    unit: str = ""
    where: str = Field(default="", description="Level, side, region: for example L1.")
    interval: tuple[float, float] | None = None
    method: str
    artifact: str = Field(default="", description="Handle of the image or record measured.")
    location: Location | None = None
    statement: str = Field(description="One sentence that may be quoted as it stands.")


class StudyFact(Frozen):
    """Something a passage states of its study (n, an effect with its interval); [start, end) in the passage's text."""

    name: str
    value: str
    span: tuple[int, int]


class Passage(Frozen):
    """A span of a source text. `span` and `quote` are [start, end) offsets into the stored document."""

    kind: Literal["passage"] = "passage"
    id: str = ""
    passage_id: str
    document_id: str
    text: str
    span: tuple[int, int]
    quote: tuple[int, int] | None = Field(default=None, description="The sentence inside `span` that bears on the question.")
    title: str
    authors: tuple[str, ...] = ()
    year: int | None = None
    venue: str | None = None
    pmid: str | None = None
    doi: str | None = None
    pmcid: str | None = None
    section: str | None = None
    corpus: str
    score: float
    flags: tuple[str, ...] = Field(default=(), description="retracted, concern, preprint, ...")
    types: tuple[str, ...] = Field(default=(), description="Publication types, as PubMed names them.")
    notices: tuple[str, ...] = Field(default=(), description="Retractions, concerns and corrections, with date where known.")
    design: str = Field(default="", description="Study design, from the types or the words.")
    facts: tuple[StudyFact, ...] = ()
    stance: Stance | None = Field(default=None, description="Towards the draft answer or the claim asked about.")

    @property
    def quoted_text(self) -> str:
        """The quoted sentence, or the whole passage when no sentence is singled out."""
        if self.quote is None:
            return self.text
        start = self.span[0]
        return self.text[self.quote[0] - start : self.quote[1] - start]


class RecordEvent(Frozen):
    """A line of the patient's record, as it stands in the source."""

    kind: Literal["event"] = "event"
    id: str = ""
    time: datetime | None
    code: str
    system: str = ""
    text: str
    value: float | str | None = None
    unit: str = ""
    category: str = Field(default="", description="medication, condition, observation, procedure, ...")
    status: str = ""
    record: str = Field(default="", description="Handle of the record.")
    source: str = Field(description="Where in the record: resource type and id, or file and row.")
    statement: str = Field(description="One sentence that may be quoted as it stands.")


Evidence = Annotated[Finding | Passage | RecordEvent, Field(discriminator="kind")]


class TableRow(Frozen):
    """Cells of one row and the positions, in the result's evidence, of what the row rests on."""

    cells: tuple[str, ...]
    evidence: tuple[int, ...] = ()


class Table(Frozen):
    """A small table to show beside an answer."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]


class Timing(Frozen):
    """Seconds spent in one named part of a call."""

    part: str
    seconds: float


class ToolProvenance(Frozen):
    """Enough to run the call again."""

    tool: str
    version: str
    parameters: dict[str, JsonValue] = {}
    inputs: dict[str, str] = Field(default={}, description="Handle to sha256 of what was read.")
    weights: dict[str, str] = Field(default={}, description="File to sha256 of the weights used.")
    index: str = ""
    seed: int | None = None


class ToolResult(Frozen):
    """What every tool returns, success or not; a failure is a result with a status, never an exception."""

    status: CallStatus = "done"
    summary: str
    evidence: tuple[Evidence, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    tables: tuple[Table, ...] = ()
    warnings: tuple[str, ...] = ()
    timings: tuple[Timing, ...] = ()
    provenance: ToolProvenance
    searched: str = Field(default="", description="Where was looked, for an honest 'I found nothing'.")


class Sentence(Frozen):
    """One sentence of an answer, the evidence it cites and what the check said of it."""

    text: str
    evidence: tuple[str, ...] = ()
    verdict: Verdict
    why: str = ""


class CallRecord(Frozen):
    """A tool call as shown in Steps and in `ask --json`."""

    id: str
    name: str
    arguments: dict[str, JsonValue]
    status: CallStatus
    seconds: float
    summary: str = ""
    warnings: tuple[str, ...] = ()


class ModelUse(Frozen):
    """What was asked of a served model. `estimated`: the endpoint did not tell all counts of tokens."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    estimated: bool = False


class StrategyUse(ModelUse):
    """How the model was asked for its answer, why in this way, and what that alone took."""

    name: str
    why: str
    votes: dict[str, float] = Field(default={}, description="By option: counts, or shares of probability.")
    unparsed: int = Field(default=0, description="Replies that named no option.")
    failed: int = Field(default=0, description="Calls without a reply.")
    seed: int | None = None


class SearchScope(Frozen):
    """Where a person lets literature be looked for in a conversation; holds whatever the model asks. Empty: everywhere."""

    corpora: tuple[str, ...] = ()
    year_from: int | None = None
    year_to: int | None = None
    designs: tuple[str, ...] = ()
    without_preprints: bool = False
    without_retracted: bool = False

    def lets_through(self, passage: Passage) -> bool:
        """Whether a passage, with its design and flags told, may be shown."""
        if self.designs and passage.design not in self.designs:
            return False
        return not (self.without_preprints and "preprint" in passage.flags) and not (
            self.without_retracted and "retracted" in passage.flags
        )

    @property
    def told(self) -> str:
        """The limits in words, empty when there are none."""
        years = f"years {self.year_from or ''} to {self.year_to or ''}" if self.year_from or self.year_to else ""
        left_out = ["preprints"] * self.without_preprints + ["retracted sources"] * self.without_retracted
        parts = [years, ", ".join(self.designs), f"without {' and '.join(left_out)}" if left_out else ""]
        return "; ".join(part for part in parts if part)


class Choice(Frozen):
    """The option of a closed question that the model chose. The choice itself is not checked against evidence."""

    letter: str
    text: str
    votes: dict[str, float] = Field(default={})
    tied: tuple[str, ...] = ()


class Provenance(Frozen):
    """Enough to replay a turn."""

    model: str
    endpoint: str = ""
    prompts: dict[str, str] = Field(default={}, description="Template name to hash.")
    tools: tuple[ToolProvenance, ...] = ()
    artifacts: dict[str, str] = Field(default={}, description="Handle to sha256.")
    started: datetime
    seconds: float
    version: str
    model_use: ModelUse | None = Field(default=None, description="Of the whole turn, the strategy's part included.")
    strategy: StrategyUse | None = None


class Answer(Frozen):
    """The answer to one question: sentences tied to evidence, or an abstention that says why."""

    sentences: tuple[Sentence, ...]
    abstained: bool = False
    why: str = ""
    choice: Choice | None = None
    limits: tuple[str, ...] = ()
    tables: tuple[Table, ...] = Field(default=(), description="Row evidence are positions in Turn.evidence.")
    figures: tuple[str, ...] = Field(default=(), description="Handles of pictures to show.")
    provenance: Provenance | None = None

    @property
    def text(self) -> str:
        """The sentences as running text."""
        return " ".join(s.text for s in self.sentences)


class Turn(Frozen):
    """One question and all that came of it: what the page shows, and what a restart brings back."""

    id: str
    question: str
    attached: tuple[str, ...] = Field(default=(), description="Handles that came with the question.")
    answer: Answer | None = Field(default=None, description="None while running or when interrupted.")
    evidence: tuple[Evidence, ...] = ()
    calls: tuple[CallRecord, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    error: str = ""
    error_kind: ErrorKind = Field(default="", description="What kind of error; empty without one, or in older turns.")
    started: datetime
