"""Uploads read in a process of their own, with limits of time, memory and files, that can be killed.

A reader that crashes, hangs or eats memory takes that process down and nothing else. The process works on the session's own
folder: the store's index is replaced atomically, so that a kill leaves it as it was; what lies there half written is swept.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import signal
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from core.errors import ConsiliumError
from core.pseudonym import Pseudonyms
from core.store import SessionStore
from core.types import Artifact, Frozen

_MB = 1024 * 1024
_FILES = 512
_GRACE_S = 5.0
_OUT_OF_MEMORY = 9


@dataclass(frozen=True)
class Limits:
    """What one upload may take."""

    seconds: float = 300.0
    memory_mb: int = 12_288
    file_mb: int = 4096


class WorkerTaken(Frozen):
    """What the process took in, and one message per file that could not be."""

    artifacts: tuple[Artifact, ...] = ()
    problems: tuple[str, ...] = ()


_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tools.intake"])


def read_in_worker(
    paths: Sequence[Path], store: SessionStore, limits: Limits, cancelled: threading.Event | None = None,
    pseudonyms: Pseudonyms | None = None,
) -> WorkerTaken:  # fmt: skip
    """Read files into the store from a process with limits.

    One that passes a limit is killed; the files that it had taken in until then stay, and a message tells of the rest.
    """
    before = {artifact.handle for artifact in store.list()}
    receiver, sender = _CONTEXT.Pipe(duplex=False)
    scratch = tempfile.mkdtemp(prefix="consilium-upload-")
    worker = _CONTEXT.Process(
        target=_work,
        args=(sender, [str(path) for path in paths], str(store.folder), store.limits_mb, limits, scratch, pseudonyms),
        daemon=True,
    )
    worker.start()
    sender.close()
    try:
        told = _wait(receiver, worker, limits, cancelled or threading.Event())
    finally:
        if worker.is_alive():
            worker.kill()
        worker.join()
        receiver.close()
        shutil.rmtree(scratch, ignore_errors=True)
        store.reload()
    if isinstance(told, WorkerTaken):
        return told
    kept = tuple(artifact for artifact in store.list() if artifact.handle not in before)
    return WorkerTaken(artifacts=kept, problems=(told,))


def _wait(
    receiver: Connection, worker: multiprocessing.process.BaseProcess, limits: Limits, cancelled: threading.Event
) -> WorkerTaken | str:
    waited = 0.0
    while waited < limits.seconds:
        if receiver.poll(0.1):
            try:
                return WorkerTaken.model_validate_json(receiver.recv_bytes())
            except EOFError:
                worker.join(_GRACE_S)
                return _why(worker.exitcode, limits)
        if cancelled.is_set():
            return "Reading the files was stopped."
        waited += 0.1
    return f"Reading took longer than {limits.seconds:g} s and was stopped: the rest could not be used."


def _why(code: int | None, limits: Limits) -> str:
    if code in (_OUT_OF_MEMORY, -signal.SIGKILL):
        return f"Reading needed more than {limits.memory_mb} MB of memory and was stopped: the file could not be used."
    return "Reading ended unexpectedly: a file is damaged in a way that broke its reader, and could not be used."


def _work(
    sender: Connection, paths: list[str], folder: str, sizes: tuple[int, int], limits: Limits, scratch: str,
    pseudonyms: Pseudonyms | None,
) -> None:  # fmt: skip
    """In the process: limit it, read, tell."""
    tempfile.tempdir = scratch
    soft = limits.memory_mb * _MB
    resource.setrlimit(resource.RLIMIT_AS, (soft, soft))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_mb * _MB, limits.file_mb * _MB))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, _FILES))
    resource.setrlimit(resource.RLIMIT_CPU, (int(limits.seconds) + 1, int(limits.seconds) + 2))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from tools.intake import read_files

    try:
        taken = read_files([Path(path) for path in paths], SessionStore(Path(folder), *sizes), pseudonyms)
        told = WorkerTaken(artifacts=taken.artifacts, problems=taken.problems)
    except MemoryError:
        os._exit(_OUT_OF_MEMORY)  # what was taken in until then is in the store
    except ConsiliumError as error:
        told = WorkerTaken(problems=(str(error),))
    sender.send_bytes(told.model_dump_json().encode())
    sender.close()
