"""A page over a scripted assistant with small real volumes, a real PDF and hostile text: python -m tests.browser.scripted PORT HOME."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from agent.events import Event, StepFinished, StepProgress, StepStarted, TurnDone
from core.settings import Settings
from core.types import Answer, Artifact, Finding, Location, NewArtifact, Passage, RecordEvent, Sentence, Turn
from tests.ui.fake_assistant import HOSTILE, NOW, Case, FakeAssistant, finished, png
from tests.ui.viewer.pdf import write_pdf
from tools.imaging.slices import draw_slice, slice_count
from tools.imaging.volume import Volume, save_volume

LONG = "W" * 10_000
RTL = "\u202e desrever \u2067 الفقرة القطنية \u2069"
PDF_LINES = (
    "Methods and results.",
    "A graded fracture doubled the risk of",
    "another fracture within two years.",
    "Limits apply.",
)
QUOTE = "A graded fracture doubled the risk of\nanother fracture within two years."
_SHAPE = (48, 60, 72)


class ScriptedAssistant(FakeAssistant):
    """What it answers depends on the question: `slow` takes long, `many` makes the turn of a long conversation."""

    def load_sample(self, owner: str, conversation: str) -> Case:
        store, folder = self.store(owner, conversation), self._folder
        told = {"media_type": "application/x-nifti", "shape": _SHAPE, "spacing_mm": (1.0, 1.0, 1.5)}
        body = np.zeros(_SHAPE, np.uint8)
        for place, label in enumerate((20, 19, 18)):
            body[16:32, 20:40, 8 + 22 * place : 24 + 22 * place] = label
        z = np.arange(_SHAPE[2], dtype=np.int16)[None, None, :]
        hu = (np.where(body > 0, 400, -50).astype(np.int16) + z).astype(np.int16)
        affine = np.diag([1.0, 1.0, 1.5, 1.0])
        for name, data in (("ct", hu), ("healthy", hu + np.int16(60)), ("mask", body)):
            save_volume(Volume(data, affine), folder / f"{name}.nii")
        ct = store.add(folder / "ct.nii", NewArtifact(kind="volume", title="CT " + HOSTILE, modality="CT", **told), ".nii")
        store.add(folder / "mask.nii", NewArtifact(kind="mask", title="Vertebrae", of=ct.handle, **told), ".nii")
        made = NewArtifact(
            kind="volume", title="ct1 as it may have been", modality="CT", of=ct.handle, synthetic=True, **told
        )
        store.add(folder / "healthy.nii", made, ".nii")
        film = NewArtifact(kind="radiograph", title="Film " + LONG, media_type="image/png", modality="DX")
        files: tuple[Artifact, ...] = (store.add(png(), film, ".png"),)
        store.add(b"{}", NewArtifact(kind="record", title=RTL + HOSTILE, media_type="application/fhir+json"), ".json")
        self.originals["paper.pdf"] = write_pdf(folder / "paper.pdf", [("Title page.",), PDF_LINES])
        return Case(files, questions=("Which vertebrae are fractured?",))

    def ask(self, owner: str, conversation: str, question: str, cancelled: threading.Event | None = None) -> Iterator[Event]:
        talk, stop = self._talk(owner, conversation), cancelled or threading.Event()
        name = f"turn{len(talk.turns) + 1}"
        if question.startswith("many"):
            talk.turns.extend(_answered(f"turn{place}", f"{question} {place}") for place in range(1, 101))
            yield TurnDone(turn=talk.turns[-1])
            return
        place = len(talk.turns)
        talk.turns.append(Turn(id=name, question=question, started=NOW))
        yield StepStarted(call_id="c1", tool="grade_fractures", arguments={})
        for part in range(1, 13 if "slow" in question else 3):
            if stop.wait(0.25 if "slow" in question else 0.05):
                talk.turns[place] = finished(name, question, "cancelled")
                yield TurnDone(turn=talk.turns[place])
                return
            yield StepProgress(call_id="c1", tool="grade_fractures", fraction=part / 13, message=f"grading L{part}")
        yield StepFinished(call=finished(name, question).calls[0])
        talk.turns[place] = _answered(name, question)
        yield TurnDone(turn=talk.turns[place])

    def slice_count(self, owner: str, conversation: str, handle: str, plane: str) -> int:
        return slice_count(self.store(owner, conversation), handle, plane)

    def draw_slice(
        self, owner: str, conversation: str, handle: str, plane: str, index: int, window: str, overlay: str | None,
        opacity: float,
    ) -> bytes:  # fmt: skip
        return draw_slice(self.store(owner, conversation), handle, plane, index, window, overlay, opacity)


def _answered(name: str, question: str) -> Turn:
    text = "\n".join(PDF_LINES)
    start = text.index(QUOTE)
    evidence = (
        Finding(
            id="1", name="genant_grade", value=2, where="L1", method="six points", interval=(22.0, 30.0), artifact="ct1",
            location=Location(artifact="ct1", plane="sagittal", index=22, overlay="mask1"), statement="L1 is Genant grade 2.",
        ),
        Passage(
            id="2", passage_id="p", document_id="paper.pdf", text=text, span=(0, len(text)), quote=(start, start + len(QUOTE)),
            title="Fractures and what follows", year=2024, corpus="library", score=0.8, section="page 2",
        ),
        RecordEvent(
            id="3", time=NOW, code="x", text="Creatinine", value=1.4, unit="mg/dL", category="observation", record="record1",
            source="Observation/9", statement="Creatinine was 1.4 mg/dL on 2026-03-04.",
        ),
        Passage(
            id="4", passage_id="h", document_id="h", text=HOSTILE + RTL + LONG, span=(0, len(HOSTILE + RTL + LONG)),
            title=HOSTILE + RTL, corpus="library", score=0.5, quote=(0, len(HOSTILE)),
        ),
    )  # fmt: skip
    sentences = (
        Sentence(
            text="L1 is Genant grade 2 [1].", evidence=("1",), verdict="supported", why="numbers agree with the source"
        ),
        Sentence(text="A graded fracture doubled the risk of another [2].", evidence=("2",), verdict="supported"),
        Sentence(
            text="Creatinine was 1.8 mg/dL [3].", evidence=("3",), verdict="contradicted", why="1.8 is not in the evidence."
        ),
        Sentence(text=f"A source says {HOSTILE} {RTL} [4].", evidence=("4",), verdict="partly", why="only a part of it"),
        Sentence(text="She should rest.", verdict="not_supported", why="nothing found says so"),
        Sentence(text="These are the results.", verdict="no_evidence_needed"),
    )
    done = finished(name, question)
    return Turn(
        id=name, question=question, answer=Answer(sentences=sentences), evidence=evidence, calls=done.calls, started=NOW
    )


def serve(port: int, home: Path) -> None:
    import uvicorn
    from fastapi import FastAPI

    from ui.app import mount_page

    app = FastAPI()
    mount_page(app, ScriptedAssistant(home), Settings(home=home))
    uvicorn.run(app, port=port, log_level="error")


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
