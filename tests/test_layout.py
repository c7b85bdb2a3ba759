"""The packages are the checkout's own, not something of the same name in site-packages."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", ["core", "grounding", "prompts", "retrieval", "tools", "agent", "ui", "evals"])
def test_package_is_in_the_checkout(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__file__ is not None
    assert Path(module.__file__).resolve().parent == ROOT / name
