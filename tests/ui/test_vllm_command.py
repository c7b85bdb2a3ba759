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


def test_check_with_several_models_takes_the_first_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(Script([""], models=("one", "two"))) as url:
        assert main(["vllm", "check", url]) == 0
        printed = capsys.readouterr().out
        assert main(["vllm", "check", url, "--model-name", "two", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert main(["vllm", "check", url, "--model-name", "three"]) == 3
        assert "It serves: one, two" in capsys.readouterr().err
    assert printed.startswith("one at ")
    assert "It also serves two; --model-name picks." in printed
    assert (told["model"], told["others"]) == ("two", [])


def test_a_family_that_vllm_no_longer_serves_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vllm", "serve", "meta-llama/Llama-3.2-11B-Vision-Instruct", "--dry-run"]) == 2
    assert "no longer (since 0.10.2)" in capsys.readouterr().err


def test_an_unknown_model_is_served_with_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vllm", "serve", "/models/ours", "--tool-parser", "hermes", "--images", "0", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "Warning: No profile knows this model." in printed
    assert "--tool-call-parser hermes" in printed
    assert "--limit-mm-per-prompt" not in printed


def test_several_machines_get_the_commands_that_join_them(capsys: pytest.CaptureFixture[str]) -> None:
    spread = ["--tensor-parallel", "8", "--pipeline-parallel", "2", "--nodes", "2", "--dry-run"]
    assert main(["vllm", "serve", "Qwen/Qwen3-VL-235B-A22B-Instruct", *spread]) == 0
    printed = capsys.readouterr().out
    assert "ray start --head --port=6379 --num-gpus=8" in printed
    assert "each of the 1 others: ray start --address=HEAD:6379 --num-gpus=8" in printed
    assert "--distributed-executor-backend ray" in printed
    assert main(["vllm", "serve", "m", "--tensor-parallel", "3", "--nodes", "2", "--dry-run"]) == 2
    assert "must divide by --nodes" in capsys.readouterr().err
