from __future__ import annotations

import pytest

from agent import connecting
from agent.connecting import Connector
from core.errors import EndpointError
from core.settings import load_settings
from tests.agent.openai_server import ALL, COUNTS, NO_NATIVE, Script, serving
from tests.fakes import WordEncoder


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "_LOOK_AGAIN_S", 0.0)


@pytest.mark.usefixtures("impatient")
def test_a_model_that_changes_behind_the_endpoint_is_looked_at_anew() -> None:
    script = Script([""], card={"root": "/models/one", "max_model_len": 4096})
    with serving(script) as url:
        connector = Connector(load_settings(model=url), WordEncoder())
        first = connector.connect()
        assert connector.connect() is first
        assert len(script.checks) == 10
        script.card, script.can = {"root": "/models/two", "max_model_len": 8192}, NO_NATIVE
        second = connector.connect()
    assert "native tool calls, reads images, context of 4096" in first.abilities
    assert "schema-guided JSON, reads images, context of 8192" in second.abilities
    assert second.chat is not first.chat


@pytest.mark.usefixtures("impatient")
def test_while_the_endpoint_does_not_answer_the_last_model_is_kept() -> None:
    with serving(Script([""])) as url:
        connector = Connector(load_settings(model=url), WordEncoder())
        ready = connector.connect()
    assert connector.connect() is ready


def test_an_endpoint_that_was_never_reached_is_told() -> None:
    with pytest.raises(EndpointError, match="cannot be reached"):
        Connector(load_settings(model="http://127.0.0.1:9/v1"), WordEncoder()).connect()


def test_who_is_served_is_not_asked_before_every_turn() -> None:
    script = Script([""])
    with serving(script) as url:
        connector = Connector(load_settings(model=url), WordEncoder())
        connector.connect()
        script.models = ("another",)
        assert connector.connect().name == "scripted"


def test_pictures_are_few_enough_for_the_context() -> None:
    def pictures(**settings: object) -> int:
        with serving(Script([""], models=("qwen2.5-vl",), card={"max_model_len": 6000})) as url:
            served = Connector(load_settings(model=url, **settings), WordEncoder()).connect().served
        assert served is not None
        assert served.eyes is not None
        assert served.window.room >= served.eyes.images * served.window.image_tokens
        return served.eyes.images

    assert pictures(answer_tokens=1000) == 1
    assert pictures(context_tokens=40_000) == 8, "as many as the family takes"


def test_the_context_is_what_is_set_else_what_is_told_else_the_profiles() -> None:
    def context(card: dict[str, int], **settings: object) -> int:
        with serving(Script([""], card=card, can=ALL | COUNTS)) as url:
            served = Connector(load_settings(model=url, **settings), WordEncoder()).connect().served
        assert served is not None
        return served.window.context

    assert context({"max_model_len": 5000}, context_tokens=3000) == 3000
    assert context({"max_model_len": 5000}) == 5000
    assert context({}) == 16384
