"""`check_claim`: what the local literature says for and against a claim."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from core.ports import AttachedSearch, Retriever, SearchFilters, narrowed
from core.quotes import in_one_line
from core.types import Evidence, Finding, Passage, Table, TableRow, Timing, ToolProvenance, ToolResult
from grounding.claims import Deciding, check_claim, stance_of
from grounding.entailment import Entailment, shipped
from tools.base import Card, ToolContext, ToolSpec
from tools.literature.sources import warnings_of, within_scope

_TOLD = {"supports": "supports", "refutes": "speaks against", "neutral": "neither supports nor contradicts"}


class ClaimParams(BaseModel):
    """The claim, and how widely to look."""

    model_config = ConfigDict(extra="forbid")

    claim: str = Field(min_length=3, max_length=1000, description="One statement, in plain words (English or Chinese).")
    k: int = Field(default=5, ge=1, le=10, description="How many sources at most.")
    year_from: int | None = Field(default=None, ge=1800, le=2100, description="Only sources of this year or later.")


_SPEC = ToolSpec(
    name="check_claim",
    version="1",
    description="Holds a claim against the local literature and says which sources support it, speak against it or do "
    "neither, with the deciding sentences. For a claim that a person brings, not for open questions.",
    params=ClaimParams,
    examples=(
        "Check the claim that vitamin D prevents fractures",
        "Is it true that synthetic images improve classifiers?",
        "Fact-check: TotalSegmentator segments over 100 structures",
        "Verify this statement: Genant grade 2 means a height loss of 25 to 40 %",
        "A colleague says that bisphosphonates cause fractures. Is that right?",
        "Does the evidence support the statement that retrieval reduces hallucinations?",
        "check whether it is correct that AUROC depends on prevalence",
        "true or false: HealthiVert-GAN was tested on VerSe2019",
        "Can you verify that calibration and discrimination are different things?",
        "I read that larger models are always better calibrated; is this claim supported?",
        "Someone told me that images never hurt a model. Is that claim backed by evidence?",
        "claim: text reports help pretraining on radiographs",
        "Is the following claim supported or refuted: kyphoplasty restores vertebral height",
        "Do studies contradict the claim that deeper networks segment better?",
    ),
    card=Card(
        method="Searches the local indexes, then compares the claim with each passage by a small trained entailment model; "
        "numbers, units, references and levels are compared explicitly. Chinese by rules alone.",
        trained_on="Generated statement families and pairs made of open abstracts: see grounding/weights/README.md.",
        performance="See docs/trust.md: macro-F1 on HealthVer's development claims against two baselines.",
        intended_use="Showing which local sources to read for and against a claim. Not a verdict on medical truth.",
        known_failures=(
            "Claims that need several sources together, or knowledge that no source states.",
            "A claim in one language and sources in another are not compared.",
            "The model is small: subtle negation and hedging are misread at times.",
        ),
    ),
    timeout_s=60,
)


@dataclass(frozen=True)
class CheckClaim:
    """The tool; it is given its retriever, and what searches attached documents."""

    retriever: Retriever
    model: Entailment | None = None
    attached: AttachedSearch | None = None

    @property
    def spec(self) -> ToolSpec:
        """The tool's specification."""
        return _SPEC

    def run(self, params: ClaimParams, context: ToolContext) -> ToolResult:
        """Search, then compare."""
        context.progress(0.1, "searching")
        filters = narrowed(SearchFilters(year_from=params.year_from), context.scope)
        retriever = self.attached.beside(self.retriever, context.store) if self.attached else self.retriever
        found = within_scope(retriever.search(params.claim, params.k, filters), context.scope)
        provenance = ToolProvenance(tool=_SPEC.name, version=_SPEC.version, index=found.index)
        if not found.passages:
            return ToolResult(
                summary=f"I found nothing on this claim. Searched: {found.searched}.",
                provenance=provenance, searched=found.searched,
            )  # fmt: skip
        context.progress(0.5, "comparing")
        model = self.model or shipped()
        stances = [stance_of(params.claim, passage.text, place, model)[0] for place, passage in enumerate(found.passages)]
        passages = tuple(_marked(p, s) for p, s in zip(found.passages, stances, strict=True))
        findings = tuple(_finding(params.claim, p, s) for p, s in zip(passages, stances, strict=True))
        verdict = check_claim(params.claim, [passage.text for passage in passages], model)
        evidence: tuple[Evidence, ...] = (*findings, *passages)
        return ToolResult(
            summary=f"{_counted(stances)} On the whole: {verdict.verdict}, because {in_one_line(verdict.because)}.",
            evidence=evidence,
            tables=(_table(passages, findings),),
            warnings=warnings_of(passages),
            timings=tuple(Timing(part=part, seconds=seconds) for part, seconds in found.timings.items()),
            provenance=provenance,
            searched=found.searched,
        )


def _marked(passage: Passage, stance: Deciding) -> Passage:
    """The passage with its stance, its deciding sentence quoted."""
    start = passage.text.find(stance.sentence)
    quote = (passage.span[0] + start, passage.span[0] + start + len(stance.sentence)) if start >= 0 else passage.quote
    told = {"supports": "supports", "refutes": "against", "neutral": "neutral"}[stance.stance]
    return passage.model_copy(update={"stance": told, "quote": quote})


def _finding(claim: str, passage: Passage, stance: Deciding) -> Finding:
    flagged = f" ({', '.join(passage.flags)})" if passage.flags else ""
    return Finding(
        name="claim_stance",
        value=stance.stance,
        method=_SPEC.card.method,
        statement=f"{passage.title}{flagged} {_TOLD[stance.stance]} the claim “{claim.strip().rstrip('.')}”.",
    )


def _counted(stances: list[Deciding]) -> str:
    numbers = [sum(stance.stance == name for stance in stances) for name in ("supports", "refutes", "neutral")]
    return (
        f"Of {len(stances)} sources, {numbers[0]} support the claim, {numbers[1]} speak against it, {numbers[2]} do neither."
    )


def _table(passages: tuple[Passage, ...], findings: tuple[Finding, ...]) -> Table:
    rows = tuple(
        TableRow(
            cells=(p.title, str(p.year or ""), p.design, str(p.stance), ", ".join(p.flags)), evidence=(len(findings) + n,)
        )
        for n, p in enumerate(passages)
    )
    return Table(title="Sources for and against", columns=("source", "year", "design", "stance", "status"), rows=rows)
