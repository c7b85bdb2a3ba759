"""`consilium replay BUNDLE.zip`: the turn's tools again on its files, its sentences checked again, what differs."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from agent.assemble import build_assistant, build_registry
from agent.events import TurnDone
from agent.replay import Replayed, answers_differ, replay, restore
from core.audit import AuditLog
from core.settings import Settings, load_settings
from core.types import Turn
from ui.bundle import Bundle, read_bundle

_OWNER = "replay"


def run(arguments: argparse.Namespace) -> int:
    """Print the comparison; 1 when anything differs, 2 when the bundle was changed."""
    settings = load_settings()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "files").mkdir()
        bundle, files = read_bundle(Path(arguments.bundle), folder / "files")
        done = replay(bundle.turn, bundle.artifacts, files, build_registry(settings), folder / "session")
        if _was_embedded(bundle.turn) and bundle.turn.id == "1":
            again = _asked_again(bundle, files, settings, folder / "home")
            done = done.model_copy(update={"differences": (*done.differences, *answers_differ(bundle.turn, again))})
    log = AuditLog(settings.home)
    logged = log.has("turn", digest=log.digest(bundle.turn.model_dump_json().encode()))
    note = (
        "The audit log of this machine has this turn as it is."
        if logged
        else "This turn is not in the audit log of this machine."
    )
    _tell(done.model_copy(update={"notes": (*done.notes, note)}), arguments.json)
    return 1 if done.differences else 0


def _was_embedded(turn: Turn) -> bool:
    return bool(turn.answer and turn.answer.provenance and turn.answer.provenance.model == "embedded")


def _asked_again(bundle: Bundle, files: dict[str, Path], settings: Settings, home: Path) -> Turn:
    """The question asked again of the embedded model, in a home of its own with the same indexes."""
    home.mkdir()
    if (settings.home / "indexes").is_dir():
        (home / "indexes").symlink_to(settings.home / "indexes", target_is_directory=True)
    with build_assistant(settings.model_copy(update={"home": home, "model": "embedded"})) as assistant:
        conversation = assistant.new_conversation(_OWNER)
        restore(bundle.artifacts, files, assistant.store(_OWNER, conversation))
        for event in assistant.ask(_OWNER, conversation, bundle.turn.question):
            if isinstance(event, TurnDone):
                return event.turn
    raise AssertionError("a turn ends with TurnDone")


def _tell(done: Replayed, as_json: bool) -> None:
    if as_json:
        print(done.model_dump_json())
        return
    print(
        f"{done.calls} tool calls run again, {done.evidence} pieces of evidence and {done.sentences} sentences compared: "
        f"{len(done.differences) or 'no'} difference{'' if len(done.differences) == 1 else 's'}"
    )
    for difference in done.differences:
        print(f"  {difference.where}: was {difference.was!r}, is {difference.now!r}")
    for note in done.notes:
        print(f"  note: {note}")
