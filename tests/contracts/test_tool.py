"""The contract of `tools/base.py`, held over every registered tool."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from core.ports import Retriever
from core.store import SessionStore
from tests.fakes import FixedRetriever, NoImages
from tools.base import Tool
from tools.registry import standard_tools
from tools.runtime import CallRequest, ToolRuntime

RETRIEVER: Retriever = FixedRetriever()
REGISTRY = standard_tools(RETRIEVER, NoImages())
every_tool = pytest.mark.parametrize("tool", list(REGISTRY), ids=REGISTRY.names())


def test_the_first_four_tools_are_registered() -> None:
    assert set(REGISTRY.names()) >= {"show_image", "grade_fractures", "search_literature", "read_record"}


@every_tool
def test_the_name_can_be_typed_by_a_model(tool: Tool) -> None:
    assert re.fullmatch(r"[a-z][a-z_]{2,40}", tool.spec.name)
    assert re.fullmatch(r"\d+(\.\d+)*", tool.spec.version)


@every_tool
def test_there_is_a_manual(tool: Tool) -> None:
    spec = tool.spec
    assert len(spec.description) > 40
    assert len(spec.examples) >= 12
    assert len({example.lower() for example in spec.examples}) == len(spec.examples)


@every_tool
def test_the_card_is_filled(tool: Tool) -> None:
    card = tool.spec.card
    for text in (card.method, card.trained_on, card.performance, card.intended_use, *card.known_failures):
        assert len(text) > 5
    assert card.known_failures


@every_tool
def test_every_parameter_is_described_and_unknown_ones_are_refused(tool: Tool) -> None:
    assert issubclass(tool.spec.params, BaseModel)
    assert tool.spec.params.model_config.get("extra") == "forbid"
    for name, field in tool.spec.params.model_fields.items():
        assert field.description, f"{tool.spec.name}.{name} has no description"


@every_tool
def test_artifact_rules_name_real_parameters_and_say_what_they_need(tool: Tool) -> None:
    for rule in tool.spec.accepts:
        assert rule.parameter in tool.spec.params.model_fields
        assert rule.described_as != "an artifact"


@every_tool
def test_the_specification_never_changes(tool: Tool) -> None:
    first, second = tool.spec, tool.spec
    assert (first.name, first.version, first.examples) == (second.name, second.version, second.examples)


@every_tool
def test_an_unknown_argument_is_refused_and_named(tool: Tool, store: SessionStore) -> None:
    outcome = ToolRuntime(REGISTRY).call(CallRequest(tool.spec.name, {"no_such_thing": 1}, "c1", store))
    assert outcome.result.status == "refused"
    assert "no_such_thing" in outcome.result.summary


@every_tool
def test_an_unknown_handle_is_refused_with_what_there_is(tool: Tool, store: SessionStore) -> None:
    for rule in tool.spec.accepts:
        arguments = {rule.parameter: "ct99"}
        outcome = ToolRuntime(REGISTRY).call(CallRequest(tool.spec.name, arguments, "c1", store))
        assert outcome.result.status == "refused"
        assert "ct99" in outcome.result.summary
        assert outcome.result.evidence == ()


@every_tool
def test_a_refused_call_leaves_no_file_behind(tool: Tool, store: SessionStore, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    ToolRuntime(REGISTRY).call(CallRequest(tool.spec.name, {"no_such_thing": 1}, "c1", store))
    assert sorted(tmp_path.rglob("*")) == before


@every_tool
def test_a_result_survives_json(tool: Tool, store: SessionStore) -> None:
    result = ToolRuntime(REGISTRY).call(CallRequest(tool.spec.name, {}, "c1", store)).result
    assert type(result).model_validate_json(result.model_dump_json()) == result
