from __future__ import annotations

import pytest

from core.errors import CallError
from tests.fakes import ToyTool
from tools.registry import Registry


def test_tools_are_found_by_name_in_order() -> None:
    registry = Registry([ToyTool(name="b"), ToyTool(name="a")])
    assert registry.names() == ("b", "a")
    assert registry.get("a").spec.name == "a"
    assert len(registry) == 2


def test_an_unknown_name_lists_the_names() -> None:
    with pytest.raises(CallError, match=r"There is no tool 'grade'\. The tools are: a, b"):
        Registry([ToyTool(name="a"), ToyTool(name="b")]).get("grade")


def test_two_of_one_name_are_an_error() -> None:
    with pytest.raises(ValueError, match="got twice: a"):
        Registry([ToyTool(name="a"), ToyTool(name="a")])
