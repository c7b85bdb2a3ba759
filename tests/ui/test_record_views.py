"""The risk card and the timeline, from the real tool and the real reader over the records that ship."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

import tools.ehr
from core.store import SessionStore
from core.types import Answer, CallRecord, Finding, NewArtifact, Sentence, Turn
from tools.base import ToolContext
from tools.ehr.predict_outcome import PredictOutcome, PredictOutcomeParams
from ui.risk_card import risk_html, risk_view
from ui.timeline import Drawing, reference_range, timeline_html

RECORDS = Path(tools.ehr.__file__).parent


def store_with(folder: Path, name: str, synthetic: bool = False) -> SessionStore:
    store = SessionStore(folder)
    new = NewArtifact(kind="record", title="Record", media_type="application/fhir+json", synthetic=synthetic)
    store.add(RECORDS / name, new, ".json")
    return store


def turn_of(store: SessionStore) -> Turn:
    """A turn as it is stored, made of what the tool gives."""
    result = PredictOutcome().run(PredictOutcomeParams(record="record1"), ToolContext(store))
    evidence = tuple(item.model_copy(update={"id": str(n)}) for n, item in enumerate(result.evidence, start=1))
    call = CallRecord(
        id="c1", name="predict_outcome", arguments={"record": "record1"}, status=result.status, seconds=0.1,
        summary=result.summary, warnings=result.warnings,
    )  # fmt: skip
    sentences = (Sentence(text=result.summary, verdict="supported"),)
    answer = Answer(sentences=sentences, tables=result.tables)
    return Turn(id="1", question="q", answer=answer, evidence=evidence, calls=(call,), started=datetime.now(UTC))


def drawn(page: str) -> list[Drawing]:
    return [json.loads(html.unescape(data)) for data in re.findall(r'data-drawing="([^"]*)"', page)]


@pytest.fixture(scope="module")
def icu(tmp_path_factory: pytest.TempPathFactory) -> SessionStore:
    return store_with(tmp_path_factory.mktemp("icu"), "demo_icu_patient.json")


def test_the_card_has_estimate_interval_base_rate_and_drivers(icu: SessionStore) -> None:
    turn = turn_of(icu)
    view = risk_view(turn)
    assert view is not None
    assert view.estimate is not None
    assert view.estimate.interval is not None
    assert view.base_rate is not None
    assert view.subgroup is not None
    assert len(view.drivers) >= 3
    assert all(driver.sources and driver.evidence for driver in view.drivers)
    page = risk_html(turn)
    low, high = view.estimate.interval
    assert f"{view.estimate.value:g} %" in page
    assert f"{low:g}–{high:g} %" in page
    assert page.count('class="driver"') == len(view.drivers)


def test_another_tools_share_with_an_interval_is_not_taken_for_the_estimate(icu: SessionStore) -> None:
    turn = turn_of(icu)
    told = {"name": "death in hospital among them", "value": 90.0, "unit": "%", "interval": (80.0, 95.0)}
    other = Finding(id="99", method="share", statement="Of ten, nine died.", **told)
    for evidence in ((other, *turn.evidence), (*turn.evidence, other)):
        view = risk_view(turn.model_copy(update={"evidence": evidence}))
        assert view is not None
        assert view.estimate is not None
        assert view.estimate.id == "1"


def test_every_driver_points_at_entries_that_the_timeline_draws(icu: SessionStore) -> None:
    view = risk_view(turn_of(icu))
    assert view is not None
    (drawing,) = drawn(timeline_html(icu))
    sources = {value["source"] for series in drawing["series"] for value in series["values"]}
    assert {source for driver in view.drivers for source in driver.sources} <= sources


def test_a_patient_unlike_the_training_gets_the_reason_and_no_number(tmp_path: Path) -> None:
    turn = turn_of(store_with(tmp_path, "sample_patient.json"))
    page = risk_html(turn)
    assert "No estimate" in page
    assert html.escape(turn.calls[0].summary) in page
    assert 'class="scale"' not in page


def test_no_card_without_the_tool() -> None:
    assert risk_html(None) == ""
    assert risk_html(Turn(id="1", question="q", started=datetime.now(UTC))) == ""


def test_the_timeline_has_lanes_ranges_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    (drawing,) = drawn(timeline_html(store_with(tmp_path, "sample_patient.json")))
    assert {"Osteoporosis", "Essential hypertension"} <= {item["text"] for item in drawing["problems"]}
    refuted = next(item for item in drawing["problems"] if item["text"] == "Type 2 diabetes mellitus")
    assert refuted["state"] == "refuted", "drawn as refuted, not as a problem that the patient has"
    assert any("Alendronate" in item["text"] for item in drawing["medicines"])
    haemoglobin = next(series for series in drawing["series"] if series["name"] == "Haemoglobin")
    assert (haemoglobin["low"], haemoglobin["high"], haemoglobin["unit"]) == (12, 15.5, "g/dL")
    pressure = {series["name"] for series in drawing["series"] if series["name"].startswith("Blood pressure")}
    assert pressure == {"Blood pressure, Systolic", "Blood pressure, Diastolic"}
    values = [value["source"] for series in drawing["series"] for value in series["values"]]
    assert "Observation/creatinine-error" not in values, "entered in error"


def test_a_synthetic_record_says_so_and_a_broken_one_is_a_notice(tmp_path: Path) -> None:
    assert 'data-record="record1 SYNTHETIC"' in timeline_html(
        store_with(tmp_path / "a", "sample_patient.json", synthetic=True)
    )
    store = SessionStore(tmp_path / "b")
    store.add(b"<script>", NewArtifact(kind="record", title="x", media_type="application/fhir+json"), ".json")
    assert "notice" in timeline_html(store)
    assert timeline_html(None) == ""


@pytest.mark.parametrize(
    ("told", "bounds"),
    [("12 to 15.5 g/dL", (12, 15.5)), ("-2.5 to -1", (-2.5, -1)), ("at most 5 mg/L", (None, 5)), ("below 5", (None, 5)),
     ("at least 90", (90, None)), ("negative", (None, None)), ("", (None, None))],
)  # fmt: skip
def test_ranges_are_read_as_the_record_words_them(told: str, bounds: tuple[float | None, float | None]) -> None:
    assert reference_range(told) == bounds
