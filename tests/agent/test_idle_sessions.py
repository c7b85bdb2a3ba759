from __future__ import annotations

import pytest

from agent import sessions as module
from agent.assistant import Assistant
from core.types import NewArtifact


def test_what_idle_conversations_hold_is_bounded_and_nothing_is_lost(
    assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_IDLE", 3)
    conversations = [assistant.new_conversation("me") for _ in range(6)]
    for number, conversation in enumerate(conversations):
        new = NewArtifact(kind="document", title=f"file {number}", media_type="text/plain")
        assistant.store("me", conversation).add(b"x", new, ".txt")
    assert len(assistant._sessions) == 3
    assert [assistant.store("me", c).get("doc1").title for c in conversations] == [f"file {n}" for n in range(6)]
