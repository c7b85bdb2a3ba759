from __future__ import annotations

import pytest

from agent.planning import make_plan
from agent.routing import OUTSIDE, Router, clauses_of
from core.ports import SearchFilters, SearchOutcome
from retrieval.encoders import MiniLM
from tests.agent.phrasings import BLIND, PHRASINGS, Phrasing
from tests.agent.situations import situation
from tests.fakes import NoImages
from tools.registry import Registry, standard_tools


class _NoSearch:
    def search(self, query: str, k: int, filters: SearchFilters | None = None) -> SearchOutcome:
        raise AssertionError("planning searches nothing")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return standard_tools(_NoSearch(), NoImages())


@pytest.fixture(scope="module")
def router(registry: Registry) -> Router:
    return Router(registry, MiniLM())


def _planned(phrasing: Phrasing, router: Router) -> tuple[str, ...]:
    """The tools planned, in order; a tool asked of two scans, or of two facts, is one tool asked."""
    calls = make_plan(situation(phrasing.text, phrasing.attached), router).calls
    return tuple(dict.fromkeys(call.tool for call in calls))


@pytest.mark.parametrize("phrasings", [PHRASINGS, BLIND], ids=["known", "blind"])
def test_at_least_95_percent_of_phrasings_reach_the_right_tools(phrasings: tuple[Phrasing, ...], router: Router) -> None:
    wrong = [
        (phrasing.text, phrasing.expected, planned)
        for phrasing in phrasings
        if (planned := _planned(phrasing, router)) != tuple(dict.fromkeys(phrasing.expected))
    ]
    assert len(wrong) <= 0.05 * len(phrasings), wrong


def test_the_phrasings_are_many_and_not_the_examples(registry: Registry) -> None:
    examples = {example.lower().strip("?. ") for tool in registry for example in tool.spec.examples}
    for phrasing in (phrasing for phrasing in (*PHRASINGS, *BLIND) if phrasing.expected):
        assert phrasing.text.lower().strip("?. ") not in examples, phrasing.text
    for name in ("grade_fractures", "show_image", "search_literature", "read_record"):
        assert sum(phrasing.expected == (name,) for phrasing in PHRASINGS) >= 10
    assert sum(not phrasing.expected for phrasing in PHRASINGS) >= 30


def test_a_tools_own_examples_reach_it(registry: Registry, router: Router) -> None:
    texts = [(tool.spec.name, example) for tool in registry for example in tool.spec.examples]
    routes = router.route([text for _, text in texts])
    wrong = [(text, route.tool) for (name, text), route in zip(texts, routes, strict=True) if route.tool != name]
    assert len(wrong) <= 0.03 * len(texts), wrong


def test_probabilities_cover_every_tool_and_the_outside(registry: Registry, router: Router) -> None:
    (route,) = router.route(["Is L1 fractured?"])
    assert set(route.probabilities) == {*registry.names(), OUTSIDE}
    assert sum(route.probabilities.values()) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    ("question", "clauses"),
    [
        ("Is L1 fractured?", ["Is L1 fractured?"]),
        ("Grade ct1, and show me L1", ["Grade ct1", "show me L1"]),
        ("where is L2? show me", ["where is L2? show me"]),
        ("bread and butter", ["bread and butter"]),
        ("Grade it. Then find papers on it!", ["Grade it.", "find papers on it!"]),
    ],
)
def test_clauses(question: str, clauses: list[str]) -> None:
    assert clauses_of(question) == clauses
