from __future__ import annotations

from pathlib import Path

import pytest

from agent.models.endpoint import Endpoint, find_endpoint
from agent.models.preflight import Preflight, preflight
from core.settings import load_settings
from tests.agent.openai_server import ALL, COUNTS, NO_NATIVE, SCORES, Script, serving


def check(script: Script, cache: Path, *, fresh: bool = False) -> Preflight:
    with serving(script) as url:
        return preflight(Endpoint(url, "scripted"), "", cache, fresh=fresh)


@pytest.mark.parametrize(
    ("can", "planner"),
    [
        (ALL, "native"),
        (ALL - {"parallel tool calls", "images"}, "native"),
        (NO_NATIVE, "guided"),
        (frozenset({"text"}), "none"),
    ],
)
def test_each_ability_is_seen_as_it_is(can: frozenset[str], planner: str, tmp_path: Path) -> None:
    seen = check(Script([""], can=can), tmp_path)
    assert {item.name for item in seen.checks if item.works} == can | {"text"}
    assert seen.planner == planner


def test_a_server_without_images_is_quoted(tmp_path: Path) -> None:
    seen = check(Script([""], can=ALL - {"images"}), tmp_path)
    (images,) = (item for item in seen.checks if item.name == "images")
    assert "At most 0 image(s)" in images.seen


def test_what_was_seen_is_kept_for_a_day_and_asked_anew_on_request(tmp_path: Path) -> None:
    script = Script([""])
    with serving(script) as url:
        endpoint = Endpoint(url, "scripted")
        first = preflight(endpoint, "", tmp_path)
        assert preflight(endpoint, "", tmp_path) == first
        assert len(script.checks) == 10
        preflight(endpoint, "", tmp_path, fresh=True)
        assert len(script.checks) == 20
        (kept,) = tmp_path.iterdir()
        kept.write_text("{broken")
        preflight(endpoint, "", tmp_path)
        assert len(script.checks) == 30


def test_another_model_behind_the_same_name_is_checked_anew(tmp_path: Path) -> None:
    script = Script([""], card={"root": "/models/one", "max_model_len": 4096, "created": 1})
    with serving(script) as url:
        settings = load_settings(model=url)
        first = preflight(find_endpoint(settings), "", tmp_path)
        script.card = {**script.card, "created": 2}
        assert preflight(find_endpoint(settings), "", tmp_path) == first, "the time of asking is no difference"
        script.card = {"root": "/models/two", "max_model_len": 8192}
        script.can = NO_NATIVE
        second = preflight(find_endpoint(settings), "", tmp_path)
    assert (first.context, first.planner) == (4096, "native")
    assert (second.context, second.planner) == (8192, "guided")


@pytest.mark.parametrize(
    ("can", "missing"),
    [
        (ALL | SCORES | COUNTS, ()),
        (ALL, ("usage in streams", "token counts", "log-probabilities", "echoed log-probabilities")),
    ],
)
def test_scores_and_counts_are_seen_as_they_are(can: frozenset[str], missing: tuple[str, ...], tmp_path: Path) -> None:
    seen = check(Script([""], can=can), tmp_path)
    assert tuple(item.name for item in seen.checks if not item.works) == missing


def test_an_endpoint_that_cannot_answer_is_not_remembered(tmp_path: Path) -> None:
    seen = preflight(Endpoint("http://127.0.0.1:9/v1", "m"), "", tmp_path / "cache")
    assert seen.planner == "none"
    assert not (tmp_path / "cache").exists()
