"""A turn again: its tools on the same files, its sentences against the evidence, and what came out otherwise."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.by_strategy import CHOSE
from core.store import SessionStore
from core.types import Artifact, CallRecord, Evidence, Frozen, NewArtifact, ToolProvenance, Turn
from grounding import check_answer
from tools.registry import Registry
from tools.runtime import CallRequest, ToolRuntime

_TOLERANCE = 1e-6
_SCORES = ("score", "passage_id", "document_id")


class Difference(Frozen):
    """One thing that came out otherwise."""

    where: str
    was: str
    now: str


class Replayed(Frozen):
    """What was compared, and every difference."""

    calls: int
    evidence: int
    sentences: int
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()


def replay(
    turn: Turn, artifacts: Sequence[Artifact], files: Mapping[str, Path], registry: Registry, folder: Path
) -> Replayed:
    """Run a turn's calls again and compare.

    Args:
        turn: as stored.
        artifacts: all of its conversation, in the order they came.
        files: the content of each, by handle.
        registry: the tools to run.
        folder: where the copy of the session may live; empty.
    """
    differences: list[Difference] = []
    notes: list[str] = []
    store = SessionStore(folder)
    for artifact in artifacts:
        given = store.add(files[artifact.handle], _described(artifact), files[artifact.handle].suffix)
        if given.handle != artifact.handle:
            differences.append(Difference(where="files", was=artifact.handle, now=given.handle))
    evidence: list[Evidence] = []
    runtime = ToolRuntime(registry, audit=_unheard)
    for call in turn.calls:
        outcome = runtime.call(CallRequest(call.name, call.arguments, call.id, store))
        if call.status != outcome.record.status:
            differences.append(Difference(where=f"{call.name}: status", was=call.status, now=outcome.record.status))
        offset = len(evidence)
        evidence += [e.model_copy(update={"id": str(offset + n)}) for n, e in enumerate(outcome.result.evidence, 1)]
        made = {artifact.sha256 for artifact in outcome.result.artifacts}
        was = {artifact.sha256 for artifact in turn.artifacts if artifact.made_by == call.id}
        if made != was:
            differences.append(Difference(where=f"{call.name}: pictures made", was=_short(was), now=_short(made)))
        differences += _versions(turn, call, outcome.result.provenance)
    differences += _compared(turn.evidence, evidence)
    differences += _verdicts(turn)
    if turn.answer and turn.answer.provenance and turn.answer.provenance.model != "embedded":
        notes.append(
            f"The words of {turn.answer.provenance.model} were not asked for again: a served model may word them otherwise."
        )
    sentences = len(turn.answer.sentences) if turn.answer else 0
    return Replayed(
        calls=len(turn.calls),
        evidence=len(turn.evidence),
        sentences=sentences,
        differences=tuple(differences),
        notes=tuple(notes),
    )


def _unheard(record: CallRecord) -> None:
    """A replay is no event of the conversation."""


def _versions(turn: Turn, call: CallRecord, now: ToolProvenance) -> list[Difference]:
    provenance = turn.answer.provenance if turn.answer else None
    told = next((p for p in provenance.tools if p.tool == call.name), None) if provenance else None
    if told is None:
        return []
    pairs = (
        ("version", told.version, now.version),
        ("index", told.index, now.index),
        ("weights", _listed(told), _listed(now)),
    )
    return [Difference(where=f"{call.name}: {name}", was=was, now=is_now) for name, was, is_now in pairs if was != is_now]


def _listed(provenance: ToolProvenance) -> str:
    return json.dumps(provenance.weights, sort_keys=True)


def _compared(was: Sequence[Evidence], now: Sequence[Evidence]) -> list[Difference]:
    found = []
    if len(was) != len(now):
        found.append(Difference(where="evidence", was=f"{len(was)} pieces", now=f"{len(now)} pieces"))
    for one, two in zip(was, now, strict=False):
        before, after = one.model_dump(mode="json"), two.model_dump(mode="json")
        for name in sorted(before.keys() | after.keys()):
            if name not in _SCORES and not _same(before.get(name), after.get(name)):
                found.append(
                    Difference(where=f"[{one.id}] {name}", was=str(before.get(name))[:200], now=str(after.get(name))[:200])
                )
    return found


def _same(one: object, two: object) -> bool:
    if isinstance(one, float) or isinstance(two, float):
        return (
            isinstance(one, (int, float))
            and isinstance(two, (int, float))
            and abs(one - two) <= _TOLERANCE * max(1.0, abs(one))
        )
    return one == two


def _verdicts(turn: Turn) -> list[Difference]:
    """The check of every sentence again, against the evidence as stored."""
    if turn.answer is None:
        return []
    found = []
    for sentence in turn.answer.sentences:
        if turn.answer.abstained and not sentence.evidence:
            continue
        if turn.answer.choice and sentence.text.startswith(f"{CHOSE} {turn.answer.choice.letter}:"):
            continue  # it stands on votes and was not checked then either
        verdicts = {again.verdict for again in check_answer(sentence.text, turn.evidence)}
        if verdicts != {sentence.verdict}:
            found.append(
                Difference(where=f"verdict of {sentence.text[:60]!r}", was=sentence.verdict, now=", ".join(sorted(verdicts)))
            )
    return found


def restore(artifacts: Sequence[Artifact], files: Mapping[str, Path], store: SessionStore) -> None:
    """Put what a person had attached into an empty session, under the same handles."""
    for artifact in artifacts:
        if artifact.made_by is None:
            store.add(files[artifact.handle], _described(artifact), files[artifact.handle].suffix)


def _described(artifact: Artifact) -> NewArtifact:
    return NewArtifact(**artifact.model_dump(include=set(NewArtifact.model_fields)))


def answers_differ(was: Turn, now: Turn) -> list[Difference]:
    """What a model that does not vary says now, against what it said."""
    one = [sentence.text for sentence in was.answer.sentences] if was.answer else [was.error]
    two = [sentence.text for sentence in now.answer.sentences] if now.answer else [now.error]
    longest = max(len(one), len(two))
    pairs = zip(one + [""] * (longest - len(one)), two + [""] * (longest - len(two)), strict=True)
    return [
        Difference(where=f"sentence {n}", was=before, now=after)
        for n, (before, after) in enumerate(pairs, 1)
        if before != after
    ]


def _short(digests: set[str]) -> str:
    return ", ".join(sorted(digest[:12] for digest in digests)) or "none"
