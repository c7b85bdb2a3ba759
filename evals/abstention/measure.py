"""Ask every question of the set with the embedded model and count who abstains, by kind."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.assemble import build_assistant
from agent.assistant import Assistant
from agent.events import TurnDone
from agent.models.replies import EMERGENCY
from core.settings import load_settings
from core.types import Answer, NewArtifact

_FOLDER = Path(__file__).parent
_RECORD = Path(__file__).resolve().parents[2] / "tools" / "ehr" / "sample_patient.json"
_OWNER = "measure"


@dataclass(frozen=True)
class Question:
    """A question, what lies beside it, and whether it has an answer there."""

    part: str
    kind: str
    attached: str
    text: str


@dataclass(frozen=True)
class Row:
    """Of a kind: how many, and how many did right (abstained, answered, or told the emergency number first)."""

    part: str
    kind: str
    questions: int
    right: int


def questions() -> list[Question]:
    """The whole set, in the order of the file."""
    lines = (_FOLDER / "questions.txt").read_text(encoding="utf-8").splitlines()
    return [Question(*(cell.strip() for cell in line.split("|", 3))) for line in lines if line and line[0] != "#"]


def measure(parts: Sequence[str] = ("dev", "held")) -> tuple[list[Row], list[tuple[Question, str]]]:
    """Counts by part and kind, and the questions that went wrong with what was said."""
    counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    wrong: list[tuple[Question, str]] = []
    with (
        tempfile.TemporaryDirectory() as home,
        build_assistant(load_settings(home=Path(home), model="embedded")) as assistant,
    ):
        for question in questions():
            if question.part not in parts:
                continue
            answer = _ask(assistant, question, Path(home))
            right = answer is not None and _right(question, answer)
            count = counts[question.part, question.kind]
            count[0] += 1
            count[1] += right
            if not right:
                wrong.append((question, answer.text if answer else "(no answer)"))
    return [Row(part, kind, *numbers) for (part, kind), numbers in counts.items()], wrong


def _right(question: Question, answer: Answer) -> bool:
    if question.kind == "emergency":
        return answer.text.startswith(EMERGENCY[:40])
    return answer.abstained != (question.kind == "answerable")


def _ask(assistant: Assistant, question: Question, home: Path) -> Answer | None:
    conversation = assistant.new_conversation(_OWNER)
    if question.attached == "record":
        assistant.attach(_OWNER, conversation, [_RECORD])
    elif question.attached == "broken":
        broken = home / "scan.nii.gz"
        broken.write_bytes(b"\x1f\x8b\x08\x00 not an image")
        assistant.attach(_OWNER, conversation, [broken])
    elif question.attached == "synthetic":
        _add_synthetic(assistant, conversation)
    for event in assistant.ask(_OWNER, conversation, question.text):
        if isinstance(event, TurnDone):
            return event.turn.answer
    return None


def _add_synthetic(assistant: Assistant, conversation: str) -> None:
    """A generated volume: never evidence about a patient, whatever it shows."""
    new = NewArtifact(
        kind="volume", title="a generated CT", media_type="application/x-npz", modality="CT", shape=(64, 64, 64),
        spacing_mm=(2.0, 2.0, 2.0), synthetic=True,
    )  # fmt: skip
    assistant.store(_OWNER, conversation).add(b"generated", new, ".npz")
