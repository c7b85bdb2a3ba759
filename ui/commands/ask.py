"""`consilium ask`: one question, or a batch of them, each in a conversation of its own."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from agent.events import Notice, StepFinished, StepStarted, TurnDone
from core.errors import ConsiliumError, FileError, InputError
from core.settings import load_settings
from core.types import Turn

if TYPE_CHECKING:
    from agent.assistant import Assistant
    from core.store import SessionStore

_OWNER = "command-line"


class Question(BaseModel):
    """A line of a batch file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = ""
    text: str
    sample: bool = False
    attach: tuple[Path, ...] = ()


def run(arguments: argparse.Namespace) -> int:
    """Answer and print; 0 even when the answer is an abstention, 3 when the endpoint failed."""
    if (arguments.question is None) == (arguments.batch is None):
        raise InputError("Give either a QUESTION or --batch F.jsonl, got both or neither.")
    batch = list(_read_batch(Path(arguments.batch))) if arguments.batch else []
    settings = load_settings(
        model=arguments.model, model_name=arguments.model_name, strategy=arguments.strategy, examples=arguments.examples
    )
    from agent.assemble import build_assistant

    with build_assistant(settings) as assistant:
        if arguments.batch:
            return _answer_batch(assistant, batch)
        return _answer_one(assistant, arguments)


def _answer_one(assistant: Assistant, arguments: argparse.Namespace) -> int:
    text = arguments.question
    if arguments.patient:
        text = f"{text} (patient {arguments.patient})"
    question = Question(text=text, sample=arguments.sample, attach=tuple(Path(path) for path in arguments.attach))
    turn, store = _ask(assistant, question, steps=not arguments.json)
    if arguments.bundle:
        from ui.bundle import write_bundle

        write_bundle(Path(arguments.bundle), turn, store)
    if arguments.json:
        print(json.dumps(as_json(turn, store), ensure_ascii=False))
    else:
        _print_turn(turn)
    return 3 if turn.error else 0


def _answer_batch(assistant: Assistant, questions: list[Question]) -> int:
    worst = 0
    for question in questions:
        try:
            turn, store = _ask(assistant, question, steps=False)
            line = {"id": question.id, **as_json(turn, store)}
            worst = max(worst, 3 if turn.error else 0)
        except ConsiliumError as error:
            line = {"id": question.id, "error": {"kind": type(error).__name__, "message": str(error)}}
            worst = max(worst, error.exit_code)
        print(json.dumps(line, ensure_ascii=False), flush=True)
    return worst


def _read_batch(path: Path) -> Iterator[Question]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"The batch file {path.name!r} cannot be read: {error}.") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield Question.model_validate_json(line)
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in fault["loc"]) or "the line"
            shape = '{"id", "text", "sample", "attach"}'
            raise FileError(f"Line {number} of {path.name!r}: {where}: {fault['msg']}. Each line is {shape}.") from error


def _ask(assistant: Assistant, question: Question, *, steps: bool) -> tuple[Turn, SessionStore]:
    conversation = assistant.new_conversation(_OWNER)
    if question.sample:
        assistant.load_sample(_OWNER, conversation)
    if question.attach:
        attached = assistant.attach(_OWNER, conversation, question.attach)
        if attached.problems and not attached.artifacts:
            raise FileError(" ".join(attached.problems))
        for problem in attached.problems:  # one bad file does not lose the others
            print(f"consilium: not attached: {problem}", file=sys.stderr)
    for event in assistant.ask(_OWNER, conversation, question.text):
        if steps:
            _print_step(event)
        if isinstance(event, TurnDone):
            return event.turn, assistant.store(_OWNER, conversation)
    raise AssertionError("a turn ends with TurnDone")


def _print_step(event: object) -> None:
    if isinstance(event, StepStarted):
        print(f"· {event.tool} ...", file=sys.stderr)
    elif isinstance(event, StepFinished):
        print(f"· {event.call.name}: {event.call.status} in {event.call.seconds:.1f} s", file=sys.stderr)
    elif isinstance(event, Notice):
        print(f"· {event.level}: {event.text}", file=sys.stderr)


def _print_turn(turn: Turn) -> None:
    if turn.error:
        print(turn.error)
    if turn.answer is None:
        return
    if turn.answer.choice:
        print(f"Choice: {turn.answer.choice.letter} ({turn.answer.choice.text})")
    for sentence in turn.answer.sentences:
        mark = "" if sentence.verdict in ("supported", "no_evidence_needed") else f"   ({sentence.verdict})"
        print(sentence.text + mark)
    if turn.answer.abstained and turn.answer.why:
        print(turn.answer.why)
    if turn.evidence:
        print("\nEvidence")
    for item in turn.evidence:
        text = f"“{item.quoted_text}” ({item.title})" if item.kind == "passage" else item.statement
        print(f"[{item.id}] {text}")
    for limit in turn.answer.limits:
        print(f"\nNote: {limit}")
    provenance = turn.answer.provenance
    if provenance and provenance.strategy and provenance.strategy.calls:
        way = provenance.strategy
        about = "about " if way.estimated else ""
        print(f"\nAsked by {way.name}: {way.calls} calls, {about}{way.prompt_tokens + way.completion_tokens} tokens")


def as_json(turn: Turn, store: SessionStore) -> dict[str, JsonValue]:
    """The object that `ask --json` prints."""
    answer = turn.answer
    artifacts: list[JsonValue] = [
        {**artifact.model_dump(mode="json"), "path": str(store.path(artifact.handle))} for artifact in store.list()
    ]
    provenance = answer.provenance if answer else None
    return {
        "answer": {
            "sentences": [
                sentence.model_dump(mode="json", include={"text", "evidence", "verdict"})
                for sentence in (answer.sentences if answer else ())
            ],
            "abstained": answer.abstained if answer else True,
            "why": answer.why if answer else turn.error,
            "choice": answer.choice.model_dump(mode="json") if answer and answer.choice else None,
        },
        "limits": list(answer.limits) if answer else [],
        "strategy": provenance.strategy.model_dump(mode="json") if provenance and provenance.strategy else None,
        "model_use": provenance.model_use.model_dump(mode="json") if provenance and provenance.model_use else None,
        "evidence": [item.model_dump(mode="json") for item in turn.evidence],
        "tool_calls": [
            call.model_dump(mode="json", include={"name", "arguments", "status", "seconds"}) for call in turn.calls
        ],
        "artifacts": artifacts,
        "model": provenance.model if provenance else "",
        "provenance": provenance.model_dump(mode="json") if provenance else {},
    }
