from __future__ import annotations

import json

import pytest

from tests.agent.openai_server import NO_NATIVE, Script, serving
from tests.fakes import FixedRetriever
from ui.cli import main


def test_doctor_shows_what_the_served_model_can_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("retrieval.several.open_indexes", lambda home, names, encoder: FixedRetriever())
    with serving(Script([""], can=NO_NATIVE)) as url:
        assert main(["doctor", "--model", url, "--json"]) == 0
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["model"]["works"]
    assert "schema-guided JSON" in checks["model"]["seen"]
    assert checks["model: images"]["works"]
    assert not checks["model: native tool calls"]["works"]
    assert not checks["model: log-probabilities"]["works"]
    assert not checks["model: native tool calls"]["needed"], "what a model cannot do is shown, and no fault"
