"""What is exported, before it has a form: turns with their sentences, references, tables and pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from core.ports import ArtifactStore
from core.types import Artifact, Evidence, Finding, Passage, RecordEvent, Sentence, Table, Turn
from ui import citing
from ui.languages import Words
from ui.render import NO_ANSWER

Format = Literal["md", "html", "docx", "pdf"]
VERDICTS = {"partly": "partly supported", "not_supported": "not supported", "contradicted": "contradicted"}
SAFETY = "Made by Consilium, a research tool beside a clinician and not a medical device. Check it before you rely on it."
_PICTURE_LIMIT = 16 * 1024 * 1024


@dataclass(frozen=True)
class Figure:
    """A picture of an answer. `mark` is SYNTHETIC or SIMULATED where the picture is not of a patient as they are."""

    handle: str
    title: str
    png: bytes
    media_type: str
    mark: str

    @property
    def caption(self) -> str:
        """Title with its mark."""
        return f"{self.mark}: {self.title}" if self.mark else self.title


@dataclass(frozen=True)
class Reference:
    """A piece of evidence under the number by which the answer cites it."""

    number: str
    told: str
    quote: str = ""
    source: str = ""


@dataclass(frozen=True)
class Said:
    """A sentence with its citations and, if it did not pass its check, the mark and the reason."""

    text: str
    cites: tuple[str, ...]
    mark: str = ""
    why: str = ""


@dataclass(frozen=True)
class Answered:
    """One turn as it is exported."""

    question: str
    asked: datetime
    sentences: tuple[Said, ...]
    note: str
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]
    limits: tuple[str, ...]
    references: tuple[Reference, ...]
    steps: tuple[str, ...]
    made: str
    feedback: str


@dataclass(frozen=True)
class Content:
    """All that a document says, and the language of its own words (headings, marks, the safety line)."""

    title: str
    turns: tuple[Answered, ...]
    attached: tuple[str, ...]
    exported: datetime
    words: Words

    @property
    def safety(self) -> str:
        """The safety line; a document has it once."""
        return self.words(SAFETY)


def content_of(
    title: str, turns: Sequence[Turn], store: ArtifactStore, feedback: Mapping[str, str], words: Words
) -> Content:
    """Collect it. `feedback` is by turn; pictures that are gone are left out."""
    known = {artifact.handle: artifact for artifact in store.list()}
    return Content(
        title=title,
        turns=tuple(_answered(turn, known, store, feedback.get(turn.id, ""), words) for turn in turns),
        attached=tuple(_attached(artifact) for artifact in known.values() if artifact.made_by is None),
        exported=datetime.now(UTC),
        words=words,
    )


def _attached(artifact: Artifact) -> str:
    mark = _mark(artifact)
    return f"{artifact.handle}: {artifact.title}{f' [{mark}]' if mark else ''}, sha256 {artifact.sha256[:16]}…"


def _mark(artifact: Artifact) -> str:
    return "SYNTHETIC" if artifact.synthetic else "SIMULATED" if artifact.simulated else ""


def _answered(turn: Turn, known: Mapping[str, Artifact], store: ArtifactStore, feedback: str, words: Words) -> Answered:
    answer = turn.answer
    return Answered(
        question=turn.question,
        asked=turn.started,
        sentences=tuple(_said(sentence, words) for sentence in answer.sentences) if answer else (),
        note=_note(turn, words),
        tables=answer.tables if answer else (),
        figures=tuple(_figures(answer.figures, known, store)) if answer else (),
        limits=answer.limits if answer else (),
        references=tuple(reference(item) for item in _cited_first(turn)),
        steps=tuple(f"{call.name}: {words(call.status)}, {call.seconds:.1f} s" for call in turn.calls),
        made=_made(turn),
        feedback=feedback,
    )


def _note(turn: Turn, words: Words) -> str:
    if turn.error:
        return turn.error
    if turn.answer is None:
        return words(NO_ANSWER)
    if turn.answer.abstained:
        return f"{words('Not answered: nothing here would support a sentence.')} {turn.answer.why}".strip()
    return ""


def _said(sentence: Sentence, words: Words) -> Said:
    mark = VERDICTS.get(sentence.verdict, "")
    missing = tuple(number for number in sentence.evidence if f"[{number}]" not in sentence.text)
    return Said(sentence.text, missing, words(mark) if mark else "", sentence.why if mark else "")


def _figures(handles: Iterable[str], known: Mapping[str, Artifact], store: ArtifactStore) -> Iterable[Figure]:
    for handle in handles:
        artifact = known.get(handle)
        if artifact is None or artifact.media_type not in ("image/png", "image/jpeg") or artifact.bytes > _PICTURE_LIMIT:
            continue
        content = store.path(handle).read_bytes()
        yield Figure(handle, artifact.title, content, artifact.media_type, _mark(artifact))


def _cited_first(turn: Turn) -> list[Evidence]:
    """Only what the answer cites, under its own numbers; all of it when nothing is cited."""
    if turn.answer is None:
        return []
    cited = {number for sentence in turn.answer.sentences for number in sentence.evidence}
    cited |= {turn.evidence[place].id for table in turn.answer.tables for row in table.rows for place in row.evidence
              if 0 <= place < len(turn.evidence)}  # fmt: skip
    return [item for item in turn.evidence if item.id in cited]


def reference(item: Evidence) -> Reference:
    """A source as a reference, a finding with its method, an entry of the record with where it stands."""
    if isinstance(item, Passage):
        return Reference(item.id, citing.citation(item), quote=item.quoted_text.strip(), source=_study(item))
    if isinstance(item, Finding):
        return Reference(item.id, item.statement, source=f"{item.method}; {item.artifact}" if item.artifact else item.method)
    assert isinstance(item, RecordEvent)  # noqa: S101 - the third and last form of evidence
    return Reference(item.id, item.statement, source=f"{item.record}: {item.source}" if item.record else item.source)


def _study(passage: Passage) -> str:
    return "; ".join(part for part in (passage.design, *passage.notices, f"corpus {passage.corpus}") if part)


def _made(turn: Turn) -> str:
    made = turn.answer.provenance if turn.answer else None
    if made is None:
        return ""
    where = f" at {made.endpoint}" if made.endpoint else ""
    return f"Model {made.model}{where}, Consilium {made.version}, {made.seconds:.1f} s"
