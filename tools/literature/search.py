"""`search_literature`: passages that bear on a question, each with its exact quote."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from core.ports import AttachedSearch, Retriever, SearchFilters, SearchOutcome, narrowed
from core.types import Passage, Timing, ToolProvenance, ToolResult
from tools.base import Accepts, Card, ToolContext, ToolSpec
from tools.literature.sources import warnings_of, within_scope
from tools.literature.stance import by_relevance_and_stance, pool_for


class SearchParams(BaseModel):
    """What to look for."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, max_length=2000, description="The question or topic, in plain words.")
    k: int = Field(default=5, ge=1, le=20, description="How many sources at most.")
    year_from: int | None = Field(default=None, ge=1800, le=2100, description="Only sources of this year or later.")
    year_to: int | None = Field(default=None, ge=1800, le=2100, description="Only sources of this year or earlier.")
    include_retracted: bool = Field(default=False, description="Also retracted sources, each flagged as such.")
    document: str | None = Field(default=None, description="Handle of an attached document to look in alone, e.g. doc1.")


_SPEC = ToolSpec(
    name="search_literature",
    version="1",
    description="Searches the local literature indexes and attached documents, and returns passages with exact quotes. "
    "Returns nothing when nothing there bears on the question; then say so, with what was searched.",
    params=SearchParams,
    examples=(
        "What does the literature say about grading vertebral fractures?",
        "Is there evidence that synthetic images improve classifiers?",
        "How is the Genant grade defined?",
        "What is RHLV?",
        "Which published systems predict outcomes from health records?",
        "Explain what calibration of a risk model means",
        "find papers on retrieval for medical question answering",
        "How well does TotalSegmentator segment CT?",
        "What F1 did HealthiVert-GAN reach on VerSe2019?",
        "Are there studies on de-identification of clinical notes?",
        "What is known about text to CT generation?",
        "Look up how AUROC should be interpreted",
        "Who showed that images can hurt a model when the text is rich?",
        "What is the best treatment for osteoporosis?",
        "How should a vertebral compression fracture be managed?",
        "Does vitamin D prevent fractures?",
        "reviews of kyphoplasty",
        "which method uses contextual attention to inpaint vertebrae",
        "what does sensitivity mean",
        "definition of a wedge fracture",
        "What causes heart failure?",
        "Who proposed masked autoencoders for chest films?",
        "what are the side effects of bisphosphonates",
        "explain pretraining on radiographs",
        "is aspirin effective for primary prevention",
        "which models read electronic health records as text",
        "recent publications on diffusion models in radiology",
        "why are bone windows wide",
        "What is a voxel?",
        "in which unit is CT density measured",
    ),
    card=Card(
        method="BM25 and sentence-vector search fused by reciprocal rank; a passage is shown only when it is near the "
        "question in meaning and the question's own words are known to the index.",
        trained_on="Nothing was trained here; the encoder is all-MiniLM-L6-v2.",
        performance="See docs/literature.md for the gate's measured accuracy on the starter corpus.",
        intended_use="Finding what the local indexes hold. Not a systematic review.",
        known_failures=(
            "Sources that are not in the local indexes are not found.",
            "Figures in the starter cards are the systems' authors' own.",
            "Questions in languages other than English are matched poorly.",
        ),
    ),
    accepts=(Accepts("document", ("document",), described_as="an attached document"),),
    timeout_s=60,
)


@dataclass(frozen=True)
class SearchLiterature:
    """The tool; it is given its retriever, and what searches attached documents."""

    retriever: Retriever
    attached: AttachedSearch | None = None

    @property
    def spec(self) -> ToolSpec:
        """The tool's specification."""
        return _SPEC

    def run(self, params: SearchParams, context: ToolContext) -> ToolResult:
        """Search once."""
        context.progress(0.1, "searching")
        filters = SearchFilters(
            year_from=params.year_from, year_to=params.year_to, include_retracted=params.include_retracted
        )
        retriever = self._where(params, context)
        found = retriever.search(params.query, pool_for(params.k), narrowed(filters, context.scope))
        found = within_scope(found, context.scope)
        context.progress(0.6, "comparing the sources with each other")
        passages = by_relevance_and_stance(params.query, found.passages, params.k)
        return ToolResult(
            summary=_summary(params, found, passages),
            evidence=passages,
            warnings=warnings_of(passages),
            timings=tuple(Timing(part=part, seconds=seconds) for part, seconds in found.timings.items()),
            provenance=ToolProvenance(tool=_SPEC.name, version=_SPEC.version, index=found.index),
            searched=found.searched,
        )

    def _where(self, params: SearchParams, context: ToolContext) -> Retriever:
        if self.attached is None:
            return self.retriever
        if params.document is not None:
            return self.attached.within(params.document, context.store)
        return self.attached.beside(self.retriever, context.store)


def _summary(params: SearchParams, found: SearchOutcome, passages: tuple[Passage, ...]) -> str:
    if not passages:
        return f"I found nothing on this. Searched: {found.searched}."
    number = len(passages)
    against = sum(passage.stance == "against" for passage in passages)
    note = f" {against} of them {'speaks' if against == 1 else 'speak'} against the first." if against else ""
    return f"{number} {'source bears' if number == 1 else 'sources bear'} on this, of {found.searched}.{note}"
