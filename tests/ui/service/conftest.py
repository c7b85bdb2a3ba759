"""The service on a real port of loopback, in this process: the same application that `consilium serve` runs."""

from __future__ import annotations

import io
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import pytest
import uvicorn
from openai import OpenAI
from PIL import Image

from agent.assemble import build_assistant
from agent.assistant import Assistant
from core.settings import Settings, load_settings
from ui.service.app import build_service


@dataclass(frozen=True)
class Service:
    """A running service."""

    url: str
    assistant: Assistant
    clients: dict[str, OpenAI] = field(default_factory=dict)

    def openai(self, key: str = "none") -> OpenAI:
        """A plain client of the `openai` package, closed with the service."""
        if key not in self.clients:
            self.clients[key] = OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0, timeout=60)
        return self.clients[key]

    def http(self, key: str = "") -> httpx.Client:
        """A plain HTTP client."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)


@contextmanager
def serving(settings: Settings) -> Iterator[Service]:
    """Serve on a free port; `settings.host` decides who may call, the socket is on loopback in any case."""
    with build_assistant(settings) as assistant, socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(build_service(assistant, settings), log_level="warning", timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive(), "the service ended"
                time.sleep(0.01)
            running = Service(f"http://127.0.0.1:{listening.getsockname()[1]}", assistant)
            yield running
        finally:
            for client in running.clients.values():
                client.close()
            server.should_exit = True
            thread.join(20)


def home_in(folder: Path, indexes: Path) -> Path:
    """A home folder with the starter index in it."""
    shutil.copytree(indexes, folder / "home" / "indexes")
    return folder / "home"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, starter: Path) -> Iterator[Service]:
    """With the embedded model, open on loopback; shared by a module's tests, which use conversations of their own."""
    home = home_in(tmp_path_factory.mktemp("service"), starter)
    with serving(load_settings(home=home, requests_per_minute=0, max_request_mb=1)) as running:
        yield running


def radiograph_png(seed: int = 0) -> bytes:
    """A grey picture in which something is to be seen."""
    pixels = np.random.default_rng(seed).normal(120, 30, (256, 200)).clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()
