"""A bundle is whole or refused; a replay says what comes out otherwise."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.replay import replay
from core.errors import FileError
from core.store import SessionStore
from core.types import Answer, CallRecord, Finding, NewArtifact, Sentence, ToolProvenance, ToolResult, Turn
from tests.fakes import ToyParams, ToyTool
from tools.base import ToolContext, ToolSpec
from tools.registry import Registry
from ui.bundle import read_bundle, write_bundle

Files = dict[str, bytes]


class Measuring(ToyTool):
    """Gives one finding of a fixed value."""

    def __init__(self, value: float, version: str = "1") -> None:
        super().__init__()
        object.__setattr__(self, "value", value)

    def run(self, params: ToyParams, context: ToolContext) -> ToolResult:
        value = self.value  # type: ignore[attr-defined]
        finding = Finding(name="height", value=value, unit="mm", method="toy", statement=f"The height of L1 is {value} mm.")
        return ToolResult(summary="measured", evidence=(finding,), provenance=ToolProvenance(tool="toy", version="1"))

    @property
    def spec(self) -> ToolSpec:
        return super().spec


def _turn(verdict: str = "supported") -> Turn:
    finding = Finding(id="1", name="height", value=21.5, unit="mm", method="toy", statement="The height of L1 is 21.5 mm.")
    sentence = Sentence(text="The height of L1 is 21.5 mm [1].", evidence=("1",), verdict=verdict)
    return Turn(
        id="2",
        question="How high is L1?",
        answer=Answer(sentences=(sentence,)),
        evidence=(finding,),
        calls=(CallRecord(id="c", name="toy", arguments={}, status="done", seconds=0.1),),
        started=datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.fixture
def bundle(tmp_path: Path, store: SessionStore) -> Path:
    store.add(b"a record", NewArtifact(kind="record", title="FHIR record", media_type="application/fhir+json"), ".json")
    write_bundle(tmp_path / "b.zip", _turn(), store)
    return tmp_path / "b.zip"


def test_what_was_written_is_read_back(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    told, files = read_bundle(bundle, tmp_path / "out")
    assert told.turn == _turn()
    assert files["record1"].read_bytes() == b"a record"


def _edit(files: Files, name: str, old: bytes, new: bytes) -> Files:
    assert old in files[name]
    return {**files, name: files[name].replace(old, new)}


@pytest.mark.parametrize(
    "tamper",
    [
        lambda f: _edit(f, "bundle.json", b"21.5", b"12.5"),
        lambda f: _edit(f, "files/record1.json", b"record", b"rec0rd"),
        lambda f: _edit(f, "README.txt", b"not a medical", b"a medical"),
        lambda f: {n: c for n, c in f.items() if not n.startswith("files/")},
        lambda f: {**f, "files/extra.json": b"{}"},
        lambda f: {n: c for n, c in f.items() if n != "SHA256SUMS"},
        lambda f: {**f, "bundle.json": b"{"},
    ],
)
def test_a_changed_bundle_is_refused(bundle: Path, tmp_path: Path, tamper: Callable[[Files], Files]) -> None:
    with zipfile.ZipFile(bundle) as opened:
        files = tamper({name: opened.read(name) for name in opened.namelist()})
    with zipfile.ZipFile(tmp_path / "changed.zip", "w") as changed:
        for name, content in files.items():
            changed.writestr(name, content)
    (tmp_path / "out").mkdir()
    with pytest.raises(FileError):
        read_bundle(tmp_path / "changed.zip", tmp_path / "out")


def test_a_replay_of_the_same_has_no_difference(tmp_path: Path) -> None:
    done = replay(_turn(), (), {}, Registry([Measuring(21.5)]), tmp_path / "s")
    assert (done.calls, done.evidence, done.sentences, done.differences) == (1, 1, 1, ())


def test_another_value_and_another_verdict_are_said(tmp_path: Path) -> None:
    done = replay(_turn("contradicted"), (), {}, Registry([Measuring(23.0)]), tmp_path / "s")
    assert {difference.where for difference in done.differences} >= {"[1] value", "[1] statement"}
    assert any(difference.where.startswith("verdict of") for difference in done.differences)
