"""A real vLLM server on CPU with a random two-layer vision-language model.

What it answers is noise, bound by schemas where we ask for them; so nothing here is about quality.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from langchain_openai import ChatOpenAI

from agent.models.endpoint import Endpoint, chat_model
from agent.models.profiles import Machine, Profile, serve_command
from agent.models.server import find_vllm, running
from core.settings import Settings

ROOT = Path(__file__).resolve().parent.parent.parent
ENVIRONMENT = ROOT / ".venv-vllm"
PROFILE = Profile(name="tiny", pattern="tiny", tool_parser="hermes", context=16384, images=4)
_WAIT_S = 600.0


@dataclass(frozen=True)
class Server:
    """How to start the server, and where it answers."""

    command: tuple[str, ...]
    url: str
    log: Path

    @contextmanager
    def started(self) -> Iterator[subprocess.Popen[bytes]]:
        with running(self.command, self.log, self.url, _WAIT_S) as process:
            yield process

    def requests_running(self) -> float:
        """VLLM's own count of requests that it works on or holds back."""
        lines = httpx.get(f"{self.url}/metrics", timeout=10).text.splitlines()
        names = ("vllm:num_requests_running", "vllm:num_requests_waiting")
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(names) and "by_reason" not in line)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Server:
    """Make the checkpoint and the command; nothing runs yet."""
    folder = tmp_path_factory.mktemp("vllm")
    python = ENVIRONMENT / "bin" / "python"
    script = ROOT / "tests" / "vllm" / "tiny_checkpoint.py"
    subprocess.run([str(python), str(script), str(folder / "tiny")], check=True, timeout=300)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    machine = Machine(port=port, cpu=True, dtype="bfloat16")
    command = serve_command(str(folder / "tiny"), PROFILE, machine, find_vllm(ENVIRONMENT))
    command += ["--served-model-name", "tiny", "--max-num-seqs", "32", "--enable-prompt-tokens-details"]
    return Server(tuple(command), f"http://127.0.0.1:{port}", folder / "server.log")


@pytest.fixture(scope="session")
def live(server: Server) -> Iterator[Server]:
    """The server, running."""
    with server.started():
        version = httpx.get(f"{server.url}/version", timeout=10).json()["version"]
        print(f"\nvLLM {version} serves the tiny model at {server.url}")
        yield server


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that does not stop by itself within thousands of tokens."""

    def long_winded(endpoint: Endpoint, chosen: Settings, *, usage: bool = False) -> ChatOpenAI:
        return chat_model(endpoint, chosen, usage=usage).model_copy(update={"extra_body": {"min_tokens": 5000}})

    monkeypatch.setattr("agent.connecting.chat_model", long_winded)
