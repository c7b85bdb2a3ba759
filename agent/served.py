"""What the agent's loop knows of a served model: what it reads, how much, and how it is asked."""

from __future__ import annotations

from dataclasses import dataclass

from agent.by_strategy import Ways
from agent.eyes import Eyes
from agent.window import Window


@dataclass(frozen=True)
class Served:
    """`eyes` is None for a model that reads no pictures. `patience_s`: waiting allowed in one turn, see `models.lines`."""

    eyes: Eyes | None
    window: Window
    ways: Ways
    patience_s: float = 0.0
    notes: tuple[str, ...] = ()
    """What every answer of this model is to say of it, such as which of several models was taken."""
