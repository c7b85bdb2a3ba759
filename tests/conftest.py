"""Every test runs with a clean environment, a home of its own, and no network but loopback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket

# One thread each: two workers that each take both cores wait for each other more than they compute, and sums change their
# order with the number of threads. Before anything imports NumPy or PyTorch; servers that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.store import SessionStore
from retrieval.encoders import MiniLM
from retrieval.starter import open_starter

_LOOPBACK = {"127.0.0.1", "::1", "localhost", "0.0.0.0"}  # noqa: S104


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("CONSILIUM_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CONSILIUM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in _LOOPBACK:
            raise AssertionError(f"A test tried to reach {address!r}; tests use loopback only.")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def no_loop_left() -> Iterator[None]:
    """Gradio makes an event loop current where there is none and never closes it; the next `asyncio.run` would drop it."""
    yield
    policy = asyncio.get_event_loop_policy()
    with contextlib.suppress(RuntimeError):  # none is set
        loop = policy.get_event_loop()
        if not loop.is_running():
            loop.close()
            policy.set_event_loop(None)


@pytest.fixture
def store(tmp_path: Path) -> SessionStore:
    return SessionStore(tmp_path / "session")


@pytest.fixture(scope="session")
def encoder() -> MiniLM:
    """The encoder, whose weights are read once for all tests."""
    return MiniLM()


@pytest.fixture(scope="session")
def starter(tmp_path_factory: pytest.TempPathFactory, encoder: MiniLM) -> Path:
    """The folder of indexes with the starter index in it, built once; copy it to write."""
    home = tmp_path_factory.mktemp("starter")
    open_starter(home, encoder)
    return home / "indexes"
