"""One streamed chat completion as a client sees it, timed. The same code measures our service and a bare endpoint."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

_ROOT = Path(__file__).resolve().parent.parent
_READY_S = 300.0


@dataclass
class Streamed:
    """What came: text, our extension, tokens, and seconds until the first words and until the end."""

    text: str = ""
    extension: dict[str, Any] = field(default_factory=dict)
    tokens: int = 0
    first_s: float | None = None
    seconds: float = 0.0
    finish: str = ""
    ended: bool = False
    error: str = ""


async def stream_chat(client: httpx.AsyncClient, body: dict[str, Any] | bytes) -> Streamed:
    """Ask and read to the end. Whatever goes wrong is in `error`."""
    told = Streamed()
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    started = time.perf_counter()
    try:
        request = client.stream("POST", "chat/completions", content=content, headers={"Content-Type": "application/json"})
        async with request as reply:
            if reply.status_code != 200:
                told.error = f"{reply.status_code}: {(await reply.aread()).decode(errors='replace')[:200]}"
                return told
            async for line in reply.aiter_lines():
                if line.startswith("data: "):
                    _take(told, line[6:], started)
    except httpx.HTTPError as error:
        told.error = f"{type(error).__name__}: {error}"
    told.seconds = time.perf_counter() - started
    if not told.error and not told.ended:
        told.error = "the stream broke off"
    return told


def _take(told: Streamed, data: str, started: float) -> None:
    if data == "[DONE]":
        told.ended = True
        return
    chunk = json.loads(data)
    if "error" in chunk:
        told.error = str(chunk["error"]["message"])
        return
    for choice in chunk["choices"]:
        piece = choice["delta"].get("content") or ""
        if piece and told.first_s is None:
            told.first_s = time.perf_counter() - started
        told.text += piece
        told.finish = choice.get("finish_reason") or told.finish
    if "sentences" in chunk.get("consilium", {}):
        told.extension = chunk["consilium"]
    if chunk.get("usage"):
        told.tokens = int(chunk["usage"]["completion_tokens"])


@contextmanager
def service(home: Path, model: str, **settings: str) -> Iterator[tuple[str, int]]:
    """`consilium serve` in a process of its own; its address and process id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "CONSILIUM_HOME": str(home), "CONSILIUM_REQUESTS_PER_MINUTE": "0", **settings}
    command = [sys.executable, "-m", "ui", "serve", "--port", str(port), "--model", model]
    process = subprocess.Popen(command, cwd=_ROOT, env=environment, start_new_session=True)  # noqa: S603 - our own command
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(process, f"{url}/readyz")
        yield url, process.pid
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def search_opened(url: str) -> None:
    """Wait until the literature is open: its index is made after the start, which would fall into a measurement."""
    with httpx.Client(base_url=f"{url}/api", timeout=_READY_S) as client:
        conversation = client.post("/conversations").raise_for_status().json()["id"]
        search = f"/conversations/{conversation}/tools/search_literature"
        client.post(search, json={"query": "vertebral fracture grading"}).raise_for_status()
        client.delete(f"/conversations/{conversation}").raise_for_status()


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit("The service ended before it was ready.")
        try:
            if httpx.get(url, timeout=30.0).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise SystemExit(f"The service was not ready within {_READY_S:.0f} s.")


def resident_mb(process: int) -> float:
    """Memory that a process holds now, in MB."""
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024**2


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which that share of the values lies (nearest rank); 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))] if ordered else 0.0
