"""A secret key that stays in a home folder: made at the first use, readable by its owner only."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

KEY_BYTES = 32


def kept_key(path: Path) -> bytes:
    """The key in a file, 32 random bytes. Of several processes that begin at once, all get the same one."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, whole = tempfile.mkstemp(dir=path.parent)  # created with mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
        with contextlib.suppress(FileExistsError):  # another process was first, and its key holds
            os.link(whole, path)
    finally:
        os.unlink(whole)
    return path.read_bytes()
