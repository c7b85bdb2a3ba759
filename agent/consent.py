"""Calls that write or send wait for the person's own words.

A model that was steered by a document can name any tool, but it cannot type for the person: a call with an effect is
refused, the person is shown what it would do with a code, and only a message of theirs that says `confirm CODE` lets
exactly that call run, once.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping

from pydantic import JsonValue

_CONFIRMED = re.compile(r"^\W*(?:yes\W+)?(?:i\s+)?confirm\W+(\d{6})\W*$", re.IGNORECASE)
_MOST = 8


class Consent:
    """What a conversation's person was asked and has allowed. Lives with the session, never in a model's reach."""

    def __init__(self) -> None:
        self._waiting: dict[str, str] = {}
        self._allowed: set[str] = set()

    def hear(self, question: str) -> None:
        """A message of the person: it may confirm one waiting call; what an earlier one allowed ends."""
        self._allowed.clear()
        said = _CONFIRMED.match(question.strip())
        if said is None:
            return
        key = next((key for key, code in self._waiting.items() if secrets.compare_digest(code, said.group(1))), None)
        if key is not None:
            del self._waiting[key]
            self._allowed.add(key)

    def take(self, tool: str, arguments: Mapping[str, JsonValue]) -> bool:
        """Whether this very call was confirmed; it is used up."""
        key = _key(tool, arguments)
        if key in self._allowed:
            self._allowed.remove(key)
            return True
        return False

    def ask(self, tool: str, arguments: Mapping[str, JsonValue]) -> str:
        """The code the person must type for this call."""
        key = _key(tool, arguments)
        if key not in self._waiting:
            while len(self._waiting) >= _MOST:
                del self._waiting[next(iter(self._waiting))]
            self._waiting[key] = f"{secrets.randbelow(1_000_000):06d}"
        return self._waiting[key]


def _key(tool: str, arguments: Mapping[str, JsonValue]) -> str:
    return f"{tool}|{json.dumps(dict(arguments), sort_keys=True, ensure_ascii=False)}"
