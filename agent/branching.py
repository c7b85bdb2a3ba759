"""A conversation that goes on from an earlier message: its files and the agent's memory as they were then."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from langchain_core.messages import BaseMessage, HumanMessage

from agent.checkpoints import Checkpoints
from core.store import SessionStore
from core.types import NewArtifact, Turn

_IDENTIFIERS = "identifiers.json"


def branch_files(source: SessionStore, target: SessionStore, turns: Sequence[Turn], keep: int) -> None:
    """Copy what was there when the turn after the first `keep` was asked; everything when there is none.

    Files come in order, so those of that moment are the first ones and get the same handles again.
    """
    then = set(turns[keep].attached) if keep < len(turns) else None
    for artifact in source.list():
        if then is not None and artifact.handle not in then:
            continue
        path = source.path(artifact.handle)
        new = NewArtifact.model_validate(artifact.model_dump(exclude={"handle", "sha256", "bytes"}))
        target.add(path, new, "".join(path.suffixes))
    mapping = source.folder / _IDENTIFIERS
    if mapping.exists():  # the same patient gets the same stand-in names
        shutil.copy2(mapping, target.folder / _IDENTIFIERS)


def branch_memory(checkpoints: Checkpoints, source: str, target: str, turns: Sequence[Turn], keep: int) -> None:
    """Give the new conversation the model's messages up to there. Turns that failed are not in the memory."""
    kept = checkpoints.saver.get_tuple({"configurable": {"thread_id": source, "checkpoint_ns": ""}})
    if kept is None:
        return
    later = sum(turn.answer is not None for turn in turns[keep:])
    values = kept.checkpoint["channel_values"]
    cut = {**values, "messages": messages_before(values.get("messages", []), later)}
    checkpoints.saver.put(
        {"configurable": {"thread_id": target, "checkpoint_ns": ""}},
        {**kept.checkpoint, "channel_values": cut},
        kept.metadata,
        kept.checkpoint["channel_versions"],
    )


def messages_before(messages: Sequence[BaseMessage], later: int) -> list[BaseMessage]:
    """The messages without the last `later` questions and what followed them."""
    if not later:
        return list(messages)
    questions = [place for place, message in enumerate(messages) if isinstance(message, HumanMessage)]
    return list(messages[: questions[-later]]) if later <= len(questions) else []
