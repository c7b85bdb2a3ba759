from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

import prompts


@pytest.fixture
def template(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "greet.md").write_text("Hello $name.", encoding="utf-8")
    monkeypatch.setattr(prompts, "files", lambda _: tmp_path)


@pytest.mark.usefixtures("template")
def test_rendering_is_strict() -> None:
    assert prompts.load("greet", name="$you").text == "Hello $you."
    with pytest.raises(ValueError, match=r"missing \['name'\], unknown \['nmae'\]"):
        prompts.load("greet", nmae="x")


@pytest.mark.usefixtures("template")
def test_an_unknown_prompt_lists_the_prompts() -> None:
    with pytest.raises(FileNotFoundError, match=r"no prompt 'bye'\. The prompts are: greet"):
        prompts.load("bye")


@pytest.mark.usefixtures("template")
def test_the_hash_is_of_the_template_not_of_the_values() -> None:
    first, second = prompts.load("greet", name="a"), prompts.load("greet", name="b")
    assert first.template_hash == second.template_hash
    assert first.text != second.text


def test_templates_are_package_data() -> None:
    assert (files(prompts) / "templates").is_dir()
