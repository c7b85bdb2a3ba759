"""From the model's last message to an `Answer`: sentences checked against this turn's evidence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from langchain_core.messages import AIMessage

from agent.by_strategy import CHOSE
from agent.grounding import check_answer
from agent.ledger import TurnRun
from agent.middleware import NOTHING_FOUND
from agent.strategies.parsing import without_thoughts
from core.types import Answer, Provenance, Sentence

VERSION = "0.1.0"
_FAILING = ("not_supported", "contradicted")


def build_answer(
    message: AIMessage, run: TurnRun, *, model: str, endpoint: str, strict: bool, started: datetime, seconds: float
) -> Answer:
    """Check every sentence, drop what fails in strict mode, and say what limits the answer."""
    text = without_thoughts(str(message.text))
    sentences = tuple(_said_choice(sentence, run) for sentence in check_answer(text, run.evidence))
    if message.additional_kwargs.get("abstained"):  # said by the embedded model itself, which generates no claims
        sentences = tuple(_as_told(sentence) for sentence in sentences)
    kept = tuple(s for s in sentences if s.verdict not in _FAILING) if strict else sentences
    abstained = bool(message.additional_kwargs.get("abstained")) or text.strip().startswith(NOTHING_FOUND)
    why = str(message.additional_kwargs.get("why", ""))
    if abstained and not why:
        why = _nothing(run)
    if strict and sentences and not kept and run.choice is None:
        abstained, why = True, "No sentence of the draft was supported by evidence."
    return Answer(
        sentences=kept,
        abstained=abstained,
        why=why,
        choice=run.choice,
        limits=_limits(run, sentences, kept),
        tables=tuple(run.tables),
        figures=tuple(dict.fromkeys(item.handle for item in run.artifacts if item.kind == "image")),
        provenance=Provenance(
            model=model,
            endpoint=endpoint,
            prompts=run.prompts,
            tools=tuple(run.provenance),
            artifacts={item.handle: item.sha256 for item in run.store.list()},
            started=started,
            seconds=round(seconds, 3),
            version=VERSION,
            model_use=run.use,
            strategy=run.strategy,
        ),
    )


def _said_choice(sentence: Sentence, run: TurnRun) -> Sentence:
    """The choice stands on votes: it is flagged like every sentence without evidence, and why is said."""
    if run.choice is None or not sentence.text.startswith(f"{CHOSE} {run.choice.letter}:"):
        return sentence
    why = "the model's own choice among the options; the sentences beside it are checked"
    return sentence.model_copy(update={"verdict": "not_supported", "why": why})


def _as_told(sentence: Sentence) -> Sentence:
    if sentence.evidence:
        return sentence
    return sentence.model_copy(update={"verdict": "no_evidence_needed", "why": "says why there is no answer"})


def _nothing(run: TurnRun) -> str:
    places = "; ".join(dict.fromkeys(run.searched))
    return f"Nothing was found. Searched: {places}." if places else "No tool returned evidence."


def _limits(run: TurnRun, before: Sequence[Sentence], after: Sequence[Sentence]) -> tuple[str, ...]:
    limits = []
    if len(before) > len(after):
        limits.append(f"{len(before) - len(after)} of {len(before)} sentences had no support and were removed.")
    used = {item.artifact for item in run.evidence if item.kind == "finding"}
    for artifact in run.store.list():
        if artifact.handle in used and (artifact.simulated or artifact.synthetic):
            kind = "synthetic: it was generated" if artifact.synthetic else "simulated: it was changed on purpose"
            limits.append(f"{artifact.handle} is {kind} and does not show a patient as they are.")
    limits += [run.left_out] if run.left_out else []
    limits += run.warnings
    return tuple(dict.fromkeys(limits))
