"""What a reader could not use."""

from __future__ import annotations

from core.types import Frozen


class Skipped(Frozen):
    """A file, or one place in it, that was not read, and why. `line` is 1-based; None for the whole file."""

    file: str
    reason: str
    line: int | None = None

    def __str__(self) -> str:
        where = f"{self.file}, line {self.line}" if self.line else self.file
        return f"{where}: {self.reason}"
