"""Files of one session: content-addressed, known by handle, limited in size, deleted when they expire.

On disk a session is a folder named by a random id:

    artifacts.json     descriptions, replaced atomically
    blobs/<sha256><suffix>

Neither names nor handles say anything about the patient.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from filelock import FileLock

from core.errors import FileError, TooLarge, UnknownHandle
from core.types import Artifact, ArtifactKind, NewArtifact

_PREFIX: dict[ArtifactKind, str] = {
    "mask": "mask",
    "radiograph": "xray",
    "image": "image",
    "cine": "cine",
    "record": "record",
    "document": "doc",
    "signal": "signal",
    "table": "table",
}
_MB = 1024 * 1024


def handle_prefix(new: NewArtifact) -> str:
    """Stem of a handle: what a person would call the thing, `ct` for a CT volume."""
    if new.kind == "volume":
        return {"CT": "ct", "MR": "mr"}.get(new.modality or "", "volume")
    return _PREFIX[new.kind]


class SessionStore:
    """The artifact store of one session; obeys `core.ports.ArtifactStore`. Safe to use from several threads."""

    def __init__(self, folder: Path, max_file_mb: int = 2048, max_session_mb: int = 8192) -> None:
        self._folder = folder
        self._blobs = folder / "blobs"
        self._index = folder / "artifacts.json"
        self._max_file = max_file_mb * _MB
        self._max_session = max_session_mb * _MB
        self._lock = threading.Lock()
        self._blobs.mkdir(parents=True, exist_ok=True)
        self._across = FileLock(folder / ".lock")
        self._seen: tuple[int, ...] = ()
        self._entries: dict[str, tuple[Artifact, str]] = {}
        self._refresh()

    @property
    def folder(self) -> Path:
        """The session's folder."""
        return self._folder

    @property
    def limits_mb(self) -> tuple[int, int]:
        """Largest file, and all files together."""
        return self._max_file // _MB, self._max_session // _MB

    def add(self, content: Path | bytes, new: NewArtifact, suffix: str) -> Artifact:
        """Copy content in and give it a handle.

        Args:
            content: a file or the bytes themselves.
            new: what is known of it.
            suffix: file suffix of the stored copy, with the dot, for example ".nii".

        Raises:
            TooLarge: the file or the session would pass its limit; nothing is kept.
        """
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        digest = _sha256(content)
        with self._lock, self._across:  # other processes may share the folder
            self._refresh()
            existing = self._find(digest, new)
            if existing is not None:
                return existing
            self._check_room(size)
            self._place(content, digest, suffix)
            artifact = Artifact(**new.model_dump(), handle=self._next_handle(new), sha256=digest, bytes=size)
            self._entries[artifact.handle] = (artifact, digest + suffix)
            self._write()
            return artifact

    def get(self, handle: str) -> Artifact:
        """The description of an artifact.

        Raises:
            UnknownHandle: there is none of that name; the message lists what there is.
        """
        with self._lock:
            self._refresh()
            if handle not in self._entries:
                raise UnknownHandle(handle, tuple(self._entries))
            return self._entries[handle][0]

    def path(self, handle: str) -> Path:
        """Where the content lies. Raises `UnknownHandle`."""
        self.get(handle)
        return self._blobs / self._entries[handle][1]

    def list(self) -> tuple[Artifact, ...]:
        """All artifacts in the order they came."""
        with self._lock:
            self._refresh()
            return tuple(artifact for artifact, _ in self._entries.values())

    def reload(self) -> None:
        """Take in what another process added, and sweep what one that was killed left half written."""
        with self._lock, self._across:
            self._refresh()
            for left in self._blobs.glob("tmp*"):
                left.unlink(missing_ok=True)

    def touch(self) -> None:
        """Mark the session as used now; expiry counts from here."""
        os.utime(self._folder)

    def _find(self, digest: str, new: NewArtifact) -> Artifact | None:
        for artifact, _ in self._entries.values():
            described = artifact.model_dump(exclude={"handle", "sha256", "bytes"})
            if artifact.sha256 == digest and described == new.model_dump():
                return artifact
        return None

    def _check_room(self, size: int) -> None:
        if size > self._max_file:
            raise TooLarge(f"A file may have at most {self._max_file // _MB} MB; this one has {size / _MB:.0f}.")
        used = sum(artifact.bytes for artifact, _ in self._entries.values())
        if used + size > self._max_session:
            raise TooLarge(
                f"The files of one conversation may have {self._max_session // _MB} MB together; "
                f"{used / _MB:.0f} are used and this one has {size / _MB:.0f}. Start a new conversation."
            )

    def _place(self, content: Path | bytes, digest: str, suffix: str) -> None:
        target = self._blobs / (digest + suffix)
        if target.exists():
            return
        with _removed_on_failure(self._blobs) as temporary:
            if isinstance(content, Path):
                with content.open("rb") as source:
                    shutil.copyfileobj(source, temporary, _MB)
            else:
                temporary.write(content)
            temporary.flush()
            os.fsync(temporary.fileno())
        Path(temporary.name).replace(target)

    def _next_handle(self, new: NewArtifact) -> str:
        prefix = handle_prefix(new)
        taken = sum(1 for handle in self._entries if handle.rstrip("0123456789") == prefix)
        return f"{prefix}{taken + 1}"

    def _refresh(self) -> None:
        """Read the descriptions again when another process wrote them."""
        seen = self._stamp()
        if seen != self._seen:
            self._entries = self._read() if seen else {}
            self._seen = seen

    def _read(self) -> dict[str, tuple[Artifact, str]]:
        try:
            rows = json.loads(self._index.read_text(encoding="utf-8"))
        except ValueError as error:
            raise FileError(
                "The list of this conversation's files is damaged. Delete the conversation and attach them again."
            ) from error
        return {row["artifact"]["handle"]: (Artifact.model_validate(row["artifact"]), row["blob"]) for row in rows}

    def _stamp(self) -> tuple[int, ...]:
        """What changes with every write: the file's inode, size and time; empty while there is no file."""
        try:
            state = self._index.stat()
        except FileNotFoundError:
            return ()
        return (state.st_ino, state.st_size, state.st_mtime_ns)

    def _write(self) -> None:
        rows = [{"artifact": artifact.model_dump(mode="json"), "blob": blob} for artifact, blob in self._entries.values()]
        temporary = self._index.with_suffix(".tmp")
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(rows, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._index)
        self._seen = self._stamp()


@contextmanager
def _removed_on_failure(folder: Path) -> Iterator[IO[bytes]]:
    """A temporary file that a full disk does not leave behind."""
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as temporary:
        try:
            yield temporary
        except BaseException:
            Path(temporary.name).unlink(missing_ok=True)
            raise


def remove_expired(sessions: Path, days: int, now: float | None = None) -> tuple[str, ...]:
    """Delete session folders untouched for `days` days; returns their ids."""
    if not sessions.is_dir():
        return ()
    limit = (time.time() if now is None else now) - days * 86_400
    old = [folder for folder in sessions.iterdir() if folder.is_dir() and folder.stat().st_mtime < limit]
    for folder in old:
        shutil.rmtree(folder)
    return tuple(sorted(folder.name for folder in old))


def _sha256(content: Path | bytes) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
