"""A home folder with the starter index in it, and an assistant with the embedded model."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.assemble import build_assistant
from agent.assistant import Assistant
from core.settings import load_settings
from retrieval.encoders import MiniLM
from tools.imaging.phantom import spine_phantom
from tools.imaging.volume import save_volume


@pytest.fixture
def home_with_index(starter: Path, encoder: MiniLM, clean_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(starter, load_settings().home / "indexes")
    monkeypatch.setattr("retrieval.encoders.MiniLM", lambda: encoder)


@pytest.fixture
def assistant(home_with_index: None) -> Iterator[Assistant]:
    with build_assistant(load_settings()) as built:
        yield built


@pytest.fixture(scope="session")
def spine(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("spine")
    phantom = spine_phantom(loss={"T12": (0.42, 0.18, 0.0)}, spacing_mm=(2.0, 2.0, 2.0))
    ct = phantom.ct
    ct.data[0, 0, 0] = -1000
    save_volume(ct, folder / "ct.nii")
    save_volume(phantom.mask, folder / "seg.nii")
    return [folder / "ct.nii", folder / "seg.nii"]
