"""The audit log: append-only lines, each bound to the one before by a keyed hash. No words of a patient are in it.

`audit.log` holds JSON lines `{"n", "time", "event", "told", "prev", "mac"}`; `mac` is HMAC-SHA256 over the line without
it, with the key in `audit.key`, and `prev` the mac before. `audit.head` has the number and mac of the last line, so that a
cut tail is seen. Someone who can read the key can forge the log: keep a copy of the head elsewhere where that matters.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import threading
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from core.types import Frozen

_ALLOWED = re.compile(r"[A-Za-z0-9_.:+/-]{0,80}")
_FIRST = "0" * 64
_TAIL = 64 * 1024


class Verified(Frozen):
    """What the log is worth: how many lines, and every fault found."""

    lines: int
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class AuditLog:
    """One log in a folder; several processes may write."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "audit.log"
        self._head = folder / "audit.head"
        # Threads wait for each other here: the lock of the file is polled, and a turn would end a poll or two later.
        self._here = threading.Lock()
        self._lock = FileLock(folder / "audit.lock")
        self._key = _key(folder / "audit.key")

    def write(self, event: str, **told: str | int | float) -> None:
        """Append a line, on the disk when this returns.

        Args:
            event: what happened, for example "tool".
            told: codes and numbers; anything that is not a short code is refused, so that no words of a person get in.

        Raises:
            ValueError: a value is text that a person wrote.
        """
        for name, value in told.items():
            if isinstance(value, str) and not _ALLOWED.fullmatch(value):
                raise ValueError(f"The audit log takes codes and numbers; {name} is neither.")
        with self._here, self._lock:
            number, previous = self._last()
            line: dict[str, object] = {
                "n": number + 1, "time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, "told": told,
                "prev": previous,
            }  # fmt: skip
            line["mac"] = self._mac(line)
            with self._path.open("ab") as file:
                if self._torn():
                    file.write(b"\n")  # a line that a crash cut short stays, as what it is
                file.write(json.dumps(line).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            self._set_head(number + 1, str(line["mac"]))

    def digest(self, content: bytes) -> str:
        """A keyed hash: tells on this machine whether content is what was logged, and nothing of it."""
        return hmac.new(self._key, content, hashlib.sha256).hexdigest()

    def has(self, event: str, **told: str) -> bool:
        """Whether such a line is there."""
        raw = self._path.read_bytes() if self._path.exists() else b""
        entries = (_line(text) for text in raw.split(b"\n"))
        return any(e is not None and e.get("event") == event and _within(told, e.get("told")) for e in entries)

    def verify(self) -> Verified:
        """Read all of it and say what was changed, taken out, put in, reordered or cut off."""
        with self._here, self._lock:
            raw = self._path.read_bytes() if self._path.exists() else b""
            head = self._read_head()
        faults: list[str] = []
        notes: list[str] = []
        number, previous, time = 0, _FIRST, ""
        macs = {0: _FIRST}
        for place, text in enumerate(raw.split(b"\n"), start=1):
            if not text.strip():
                continue
            line = _line(text)
            if line is None:
                (notes if not text.endswith(b"}") else faults).append(
                    f"line {place} is no entry: cut short by a crash, or changed"
                )
                continue
            if not hmac.compare_digest(str(line.get("mac", "")), self._mac(line)):
                faults.append(f"line {place} was changed")
            if line.get("prev") != previous or line.get("n") != number + 1:
                faults.append(f"before line {place} entries were taken out, put in or reordered")
            if str(line.get("time", "")) < time:
                notes.append(f"at line {place} the clock went back")
            number, previous, time = int(str(line.get("n", 0))), str(line.get("mac", "")), str(line.get("time", ""))
            macs[number] = previous
        if head is not None and head[0] == number - 1 and macs.get(head[0]) == head[1]:
            notes.append("the last line was written and its head was not: the program ended there")
        elif head is not None and head != (number, previous):
            faults.append(f"the log ends at entry {number}, but {head[0]} were written: its end was cut off or replaced")
        if head is None and number:
            faults.append("audit.head is missing or was changed")
        return Verified(lines=number, faults=tuple(faults), notes=tuple(notes))

    def _last(self) -> tuple[int, str]:
        if not self._path.exists():
            return 0, _FIRST
        with self._path.open("rb") as file:
            file.seek(max(0, self._path.stat().st_size - _TAIL))
            for text in reversed(file.read().split(b"\n")):
                line = _line(text)
                if line is not None:
                    return int(str(line["n"])), str(line["mac"])
        return 0, _FIRST

    def _torn(self) -> bool:
        if not self._path.stat().st_size:
            return False
        with self._path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"

    def _mac(self, line: dict[str, object]) -> str:
        told = {name: value for name, value in line.items() if name != "mac"}
        return hmac.new(self._key, json.dumps(told, sort_keys=True).encode(), hashlib.sha256).hexdigest()

    def _set_head(self, number: int, mac: str) -> None:
        seal = hmac.new(self._key, f"{number}|{mac}".encode(), hashlib.sha256).hexdigest()
        temporary = self._head.with_suffix(".tmp")
        temporary.write_text(json.dumps([number, mac, seal]), encoding="ascii")
        temporary.replace(self._head)

    def _read_head(self) -> tuple[int, str] | None:
        try:
            number, mac, seal = json.loads(self._head.read_text(encoding="ascii"))
            right = hmac.new(self._key, f"{number}|{mac}".encode(), hashlib.sha256).hexdigest()
            return (int(number), str(mac)) if hmac.compare_digest(str(seal), right) else None
        except (OSError, ValueError, TypeError):
            return None


def _line(text: bytes) -> dict[str, object] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) and {"n", "mac", "prev"} <= set(line) else None


def _within(told: dict[str, str], line: object) -> bool:
    return isinstance(line, dict) and all(line.get(name) == value for name, value in told.items())


def _key(path: Path) -> bytes:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(32))
    except FileExistsError:
        pass
    return path.read_bytes()
