"""An assistant that obeys the interface and streams scripted events: what the page is tried against."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image
from pydantic import JsonValue

from agent.conversations import Feedback, Hit
from agent.events import Event, Notice, StepFinished, StepProgress, StepStarted, TextDelta, TurnDone
from agent.library import Library
from agent.models.preflight import Check
from core.errors import InputError
from core.settings import Settings
from core.store import SessionStore
from core.types import (
    Answer,
    Artifact,
    CallRecord,
    Evidence,
    Finding,
    Location,
    NewArtifact,
    Passage,
    RecordEvent,
    SearchScope,
    Sentence,
    Table,
    TableRow,
    Turn,
)
from tools.base import Tool

HOSTILE = "<script>window.hacked=1</script><img src=x onerror='window.hacked=2'> ${window.hacked=3} {{value}}"
NOW = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Info:
    id: str
    title: str
    updated: datetime


@dataclass(frozen=True)
class Status:
    model: str = "embedded"
    endpoint: str = ""
    reachable: bool = True
    detail: str = "Runs on this machine."
    table: tuple[Check, ...] = ()


@dataclass(frozen=True)
class Case:
    artifacts: tuple[Artifact, ...]
    questions: tuple[str, ...] = ("Which vertebrae are fractured?", "What were the creatinine values?")
    note: str = "A generated case: no picture of a patient."


@dataclass(frozen=True)
class Taken:
    artifacts: tuple[Artifact, ...]
    problems: tuple[str, ...]


@dataclass
class Talk:
    owner: str
    store: SessionStore
    turns: list[Turn] = field(default_factory=list)
    title: str = ""
    scope: SearchScope = field(default_factory=SearchScope)
    feedback: dict[str, Feedback] = field(default_factory=dict)


def png(value: int = 90) -> bytes:
    rows = np.add.outer(np.arange(120), np.arange(90)) % 255
    stream = io.BytesIO()
    Image.fromarray(((rows + value) % 255).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def evidence() -> tuple[Evidence, ...]:
    text = "Background was studied. Grade 2 fractures double the risk of another one. More work is needed."
    start = text.index("Grade")
    return (
        Finding(
            id="1", name="height loss", value=31.0, unit="%", where="L1", method="Ratio of heights, Genant 1993",
            interval=(27.0, 35.0), artifact="ct1",
            location=Location(artifact="ct1", plane="sagittal", index=7, overlay="mask1"),
            statement="L1 has lost 31 % of its anterior height (Genant grade 2).",
        ),
        Passage(
            id="2", passage_id="d#0", document_id="d", text=text, span=(100, 100 + len(text)),
            quote=(100 + start, 100 + text.index(" More")), title="Fractures and their risk",
            authors=("A One", "B Two"),
            year=2019, venue="A Journal", pmid="123", corpus="starter", score=0.83, flags=("retracted",),
        ),
        RecordEvent(
            id="3", time=NOW, code="2160-0", system="LOINC", text="Creatinine", value=1.4, unit="mg/dL",
            category="observation", status="final", record="record1", source="Observation/9",
            statement="Creatinine was 1.4 mg/dL on 2026-03-04.",
        ),
        RecordEvent(
            id="4", time=None, code="x", text=HOSTILE, category="condition", record="record1", source="Condition/1",
            statement=HOSTILE,
        ),
    )  # fmt: skip


def finished(name: str, question: str, status: str = "done") -> Turn:
    calls = (
        CallRecord(id="c1", name="grade_fractures", arguments={"image": "ct1"}, status="done", seconds=2.13,
                   summary="Graded 5 vertebrae.", warnings=("Slices are 3 mm apart.",)),
        CallRecord(id="c2", name="search_literature", arguments={"query": HOSTILE}, status="failed", seconds=0.4,
                   summary="The index is damaged."),
    )  # fmt: skip
    sentences = (
        Sentence(text="L1 has lost 31 % of its anterior height [1].", evidence=("1",), verdict="supported"),
        Sentence(text="Such fractures double the risk of another one [2].", evidence=("2",), verdict="supported"),
        Sentence(text="Creatinine was 1.8 mg/dL [3][4].", evidence=("3", "4"), verdict="contradicted",
                 why="1.8 is not in the evidence, which has 1.4."),
    )  # fmt: skip
    table = Table(
        title="Vertebrae",
        columns=("Level", "Height loss", "Grade"),
        rows=(TableRow(cells=("L1", "31 %", "2"), evidence=(0,)), TableRow(cells=("L2", HOSTILE, "0"))),
    )
    answer = Answer(sentences=sentences, tables=(table,), figures=("image1",), limits=("One scan only.",))
    if status == "cancelled":
        return Turn(id=name, question=question, calls=calls[:1], error="Stopped.", started=NOW)
    return Turn(id=name, question=question, answer=answer, evidence=evidence(), calls=calls, started=NOW)


class FakeAssistant:
    """Conversations in memory, files in real stores below `folder`; `pause_s` between events."""

    def __init__(self, folder: Path, pause_s: float = 0.0) -> None:
        self._folder = folder
        self._pause = pause_s
        self._settings = Settings(home=folder)
        self._talks: dict[str, Talk] = {}
        self.originals: dict[str, Path] = {}
        self.asked: list[str] = []

    def _talk(self, owner: str, conversation: str) -> Talk:
        talk = self._talks.get(conversation)
        if talk is None or talk.owner != owner:
            raise InputError(f"There is no conversation {conversation!r}.")
        return talk

    def new_conversation(self, owner: str) -> str:
        name = f"conversation{len(self._talks) + 1}"
        self._talks[name] = Talk(owner, SessionStore(self._folder / name))
        return name

    def conversations(self, owner: str) -> tuple[Info, ...]:
        mine = [(name, talk) for name, talk in self._talks.items() if talk.owner == owner]
        return tuple(Info(n, t.title or (t.turns[0].question if t.turns else ""), NOW) for n, t in reversed(mine))

    library: Library | None = None

    @property
    def settings(self) -> Settings:
        return self._settings

    def change_settings(self, changes: Mapping[str, JsonValue]) -> None:
        self._settings = Settings(**{"home": self._folder, **dict(changes)})  # type: ignore[arg-type]

    def tools(self) -> tuple[Tool, ...]:
        return ()

    def limit_search(self, owner: str, conversation: str, scope: SearchScope) -> None:
        self._talk(owner, conversation).scope = scope

    def search_scope(self, owner: str, conversation: str) -> SearchScope:
        return self._talk(owner, conversation).scope

    def rename(self, owner: str, conversation: str, title: str) -> None:
        if not title.strip():
            raise InputError("A title has 1 to 120 characters; got 0.")
        self._talk(owner, conversation).title = title

    def search_conversations(self, owner: str, words: str) -> tuple[Hit, ...]:
        mine = [(name, talk) for name, talk in self._talks.items() if talk.owner == owner]
        said = [(name, turn.id, turn.question) for name, talk in mine for turn in talk.turns if words in turn.question]
        return tuple(Hit(conversation=name, turn=turn, around=question) for name, turn, question in said)

    def branch(self, owner: str, conversation: str, keep: int) -> str:
        talk = self._talk(owner, conversation)
        new = self.new_conversation(owner)
        self._talks[new].turns += talk.turns[:keep]
        return new

    def give_feedback(self, owner: str, conversation: str, feedback: Feedback) -> None:
        self._talk(owner, conversation).feedback[feedback.turn] = feedback

    def feedback(self, owner: str, conversation: str) -> tuple[Feedback, ...]:
        return tuple(self._talk(owner, conversation).feedback.values())

    def delete(self, owner: str, conversation: str) -> None:
        self._talk(owner, conversation)
        del self._talks[conversation]

    def turns(self, owner: str, conversation: str) -> tuple[Turn, ...]:
        return tuple(self._talk(owner, conversation).turns)

    def store(self, owner: str, conversation: str) -> SessionStore:
        return self._talk(owner, conversation).store

    def attach(self, owner: str, conversation: str, paths: Sequence[Path]) -> Taken:
        store = self._talk(owner, conversation).store
        good = [path for path in paths if path.read_bytes().startswith(b"\x89PNG")]
        new = NewArtifact(kind="radiograph", title="X-ray", media_type="image/png", shape=(120, 90))
        taken = tuple(store.add(path, new, ".png") for path in good)
        return Taken(taken, tuple(f"{path.name}: not a file that can be read." for path in paths if path not in good))

    def load_sample(self, owner: str, conversation: str) -> Case:
        store = self._talk(owner, conversation).store
        news = (
            NewArtifact(kind="volume", title="CT of the spine", media_type="application/x", modality="CT",
                        shape=(16, 90, 120), synthetic=True, warnings=("Slices are 3 mm apart.",)),
            NewArtifact(kind="mask", title="Vertebrae", media_type="application/x", of="ct1", labels=("L1",)),
            NewArtifact(kind="record", title="Record " + HOSTILE, media_type="application/fhir+json"),
            NewArtifact(kind="image", title="Sagittal slice", media_type="image/png", made_by="c1"),
        )  # fmt: skip
        return Case(tuple(store.add(png(place), new, ".png") for place, new in enumerate(news)))

    def ask(self, owner: str, conversation: str, question: str, cancelled: threading.Event | None = None) -> Iterator[Event]:
        talk = self._talk(owner, conversation)
        self.asked.append(question)
        stop = cancelled or threading.Event()
        name = f"turn{len(talk.turns) + 1}"
        done = finished(name, question)
        place = len(talk.turns)
        talk.turns.append(Turn(id=name, question=question, started=NOW))  # the contract: a turn is there once it has begun
        yield StepStarted(call_id="c1", tool="grade_fractures", arguments={"image": "ct1"})
        for part in range(1, 6):
            if stop.wait(self._pause):
                turn = finished(name, question, "cancelled")
                talk.turns[place] = turn
                yield TurnDone(turn=turn)
                return
            yield StepProgress(call_id="c1", tool="grade_fractures", fraction=part / 5, message=f"grading L{part}")
        yield StepFinished(call=done.calls[0])
        yield StepFinished(call=done.calls[1])
        yield Notice(level="warning", text="The literature could not be searched.")
        for word in ("L1 has ", "lost 31 % ", "of its height [1]. "):
            stop.wait(self._pause)
            yield TextDelta(text=word)
        talk.turns[place] = done
        yield TurnDone(turn=done)

    def original(self, owner: str, conversation: str, passage: Passage) -> Path | None:
        self._talk(owner, conversation)
        return self.originals.get(passage.document_id)

    def model_status(self) -> Status:
        return Status()

    def slice_count(self, owner: str, conversation: str, handle: str, plane: str) -> int:
        artifact = self.store(owner, conversation).get(handle)
        return {"sagittal": 16, "coronal": 90, "axial": 120}[plane] if artifact.kind in ("volume", "mask") else 1

    def draw_slice(
        self, owner: str, conversation: str, handle: str, plane: str, index: int, window: str, overlay: str | None,
        opacity: float,
    ) -> bytes:  # fmt: skip
        self.store(owner, conversation).get(handle)
        return png(index * 10)
