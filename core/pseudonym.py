"""Pseudonyms: a patient's or study's identifier as a keyed hash, to tell that two files belong together and nothing else."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from core.keyfile import kept_key

_LENGTH = 24


class Pseudonyms:
    """Keyed hashes (HMAC-SHA256) of identifiers. Without the key, which stays on this machine, nothing can be looked up."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def kept_in(cls, home: Path) -> Pseudonyms:
        """With the key of a home folder, made at the first use and readable by its owner only."""
        return cls(kept_key(home / "pseudonym.key"))

    def of(self, identifier: str) -> str:
        """24 hexadecimal digits; nothing for an identifier that is blank. Case and outer spaces do not matter."""
        plain = identifier.strip().casefold()
        return hmac.new(self._key, plain.encode(), hashlib.sha256).hexdigest()[:_LENGTH] if plain else ""
