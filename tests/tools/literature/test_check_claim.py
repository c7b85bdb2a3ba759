"""`check_claim` and the stance of search results: labels, quotes, flags and an honest nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.store import SessionStore
from core.types import Finding, Passage
from grounding.claims import as_statement, check_claim
from tests.fakes import FixedRetriever, passage
from tools.base import ToolContext
from tools.literature.check_claim import CheckClaim, ClaimParams
from tools.literature.search import SearchLiterature, SearchParams
from tools.literature.sources import described, warnings_of
from tools.literature.stance import by_relevance_and_stance

FOR = passage(
    "In a randomised trial of 412 women, alendronate reduced hip fractures (hazard ratio 0.53, 95 % CI 0.32 to 0.88).",
    "Trial A",
    0.9,
)
AGAINST = passage("Alendronate did not reduce hip fractures in this cohort of 900 women.", "Cohort B", 0.8)
OTHER = passage("Alendronate is swallowed with water in the morning, before any food.", "Leaflet C", 0.7)
BAD = passage("Alendronate reduced hip fractures by 90 %.", "Retracted D", 0.6).model_copy(
    update={"flags": ("retracted",), "notices": ("retracted J. 2020;1:2",)}
)


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    return ToolContext(SessionStore(tmp_path))


def test_sources_are_told_apart(context: ToolContext) -> None:
    tool = CheckClaim(FixedRetriever((FOR, AGAINST, OTHER)))
    result = tool.run(ClaimParams(claim="Alendronate reduces hip fractures"), context)
    stances = {item.title: item.stance for item in result.evidence if isinstance(item, Passage)}
    assert stances["Trial A"] == "supports"
    assert stances["Cohort B"] == "against"
    assert stances["Leaflet C"] == "neutral"
    assert [item.value for item in result.evidence if isinstance(item, Finding)].count("supports") == 1
    assert "1 support the claim, 1 speak against it, 1 do neither" in result.summary


def test_nothing_found_is_said_with_what_was_searched(context: ToolContext) -> None:
    result = CheckClaim(FixedRetriever((FOR,))).run(ClaimParams(claim="Blorptitis kills"), context)
    assert result.evidence == ()
    assert "nothing" in result.summary
    assert result.searched


def test_a_flagged_source_keeps_its_flag_everywhere(context: ToolContext) -> None:
    result = CheckClaim(FixedRetriever((BAD,))).run(ClaimParams(claim="Alendronate reduces hip fractures"), context)
    assert any("Retracted D" in warning and "J. 2020;1:2" in warning for warning in result.warnings)
    assert all("retracted" in item.statement for item in result.evidence if isinstance(item, Finding))
    assert warnings_of([FOR]) == ()


def test_search_labels_sources_and_shows_disagreement_among_the_first(context: ToolContext) -> None:
    tool = SearchLiterature(FixedRetriever((FOR, OTHER, AGAINST)))
    result = tool.run(SearchParams(query="Does alendronate reduce hip fractures?", k=2), context)
    shown = [item for item in result.evidence if isinstance(item, Passage)]
    assert {item.title: item.stance for item in shown} == {"Trial A": "supports", "Cohort B": "against"}
    assert shown[0].design == "randomised trial"
    assert [fact.value for fact in shown[0].facts] == ["412", "hazard ratio 0.53, 95 % CI 0.32 to 0.88"]


def test_design_and_facts_point_into_the_text() -> None:
    item = described(FOR)
    for fact in item.facts:
        assert fact.value.replace(" ", "") in item.text[slice(*fact.span)].replace(" ", "")
    assert by_relevance_and_stance("anything", [], 3) == ()


@pytest.mark.parametrize(
    ("claim", "evidence", "verdict"),
    [
        ("Alendronate reduced hip fractures by 47 %.", "Alendronate reduced hip fractures by 47 percent.", "supports"),
        ("Alendronate reduced hip fractures by 74 %.", "Alendronate reduced hip fractures by 47 percent.", "refutes"),
        ("Alendronate increased hip fractures.", "Alendronate reduced hip fractures by 47 percent.", "refutes"),
        ("Zinc cures the common cold.", "Alendronate reduced hip fractures by 47 percent.", "neutral"),
        ("阿仑膦酸钠使髋部骨折增加47%。", "阿仑膦酸钠使髋部骨折减少47%。", "refutes"),
        ("阿仑膦酸钠使髋部骨折减少47%。", "Alendronate reduced hip fractures by 47 %.", "neutral"),
    ],
)
def test_verdicts(claim: str, evidence: str, verdict: str) -> None:
    found = check_claim(claim, [evidence])
    assert found.verdict == verdict, found
    assert found.because


def test_no_evidence_is_neutral_and_questions_become_statements() -> None:
    assert check_claim("Anything", []).verdict == "neutral"
    assert as_statement("Does vitamin D prevent falls?") == "Vitamin D prevent falls."
    assert as_statement("Is kyphoplasty effective?") == "Kyphoplasty is effective."
    assert as_statement("What is a voxel?") == "What is a voxel?"
