from __future__ import annotations

import json

import pytest

from tests.agent.openai_server import NO_NATIVE, Script, serving
from ui.cli import main

pytestmark = pytest.mark.usefixtures("clean_environment")


def test_a_dry_run_prints_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vllm", "serve", "google/medgemma-4b-it", "--tensor-parallel", "2", "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["profile"] == "medgemma"
    assert "--tensor-parallel-size" in told["command"]


def test_check_prints_a_table_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(Script([""], can=NO_NATIVE)) as url:
        assert main(["vllm", "check", url]) == 0
        table = capsys.readouterr().out
        assert main(["vllm", "check", url, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
    assert "no    native tool calls" in table
    assert "ok    images" in table
    assert told["planner"] == "guided"
    assert {check["name"]: check["works"] for check in told["checks"]}["JSON schema"] is True


def test_check_of_a_model_that_cannot_be_used_is_3(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(Script([""], can=frozenset())) as url:
        assert main(["vllm", "check", url]) == 3
    assert "Consilium cannot use it" in capsys.readouterr().out


def test_check_of_nothing_is_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vllm", "check", "http://127.0.0.1:9/v1"]) == 3
    assert "cannot be reached" in capsys.readouterr().err


def test_check_with_several_models_asks_for_one(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(Script([""], models=("one", "two"))) as url:
        assert main(["vllm", "check", url]) == 3
        assert "Choose one with --model-name" in capsys.readouterr().err
        assert main(["vllm", "check", url, "--model-name", "two"]) == 0
