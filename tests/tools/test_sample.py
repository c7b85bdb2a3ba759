"""The sample case as a user meets it: real labels, one compressed level, one record."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.store import SessionStore
from core.types import Finding
from tools.base import ToolContext
from tools.imaging.fractures.tool import GradeFractures, GradeParams
from tools.imaging.slices import volume_of
from tools.sample import LEVEL, load_sample


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def sample(store: SessionStore, cache: Path) -> SessionStore:
    load_sample(store, cache)
    return store


def test_the_twin_is_marked_and_differs_only_around_one_level(sample: SessionStore) -> None:
    marked = {artifact.handle: artifact.simulated for artifact in sample.list()}
    assert marked == {"ct1": False, "mask1": False, "ct2": True, "mask2": True, "record1": False}
    one, two = (np.asarray(volume_of(sample, handle).data) for handle in ("mask1", "mask2"))
    labels = np.asarray(volume_of(sample, "mask1").data)
    touched = set(np.unique(labels[one != two]).tolist()) - {0}
    assert len(touched) == 1


def test_only_the_compressed_level_is_graded_above_zero(sample: SessionStore) -> None:
    def grades(image: str) -> dict[str, object]:
        result = GradeFractures().run(GradeParams(image=image), ToolContext(sample))
        return {item.where: item.value for item in result.evidence if isinstance(item, Finding)}

    real, twin = grades("ct1"), grades("ct2")
    assert len(real) >= 9
    assert set(real.values()) == {0}
    assert {level for level, grade in twin.items() if grade} == {LEVEL}
    assert twin[LEVEL] == 2


def test_an_asked_level_that_cannot_be_graded_gives_its_reason_as_evidence(sample: SessionStore) -> None:
    result = GradeFractures().run(GradeParams(image="ct2", levels=["L3"]), ToolContext(sample))
    (finding,) = result.evidence
    assert isinstance(finding, Finding)
    assert (finding.name, finding.where) == ("not_graded", "L3")
    assert finding.statement.startswith("In ct2 (simulated), L3 was not graded: cut by")


def test_loading_twice_changes_nothing(sample: SessionStore, cache: Path) -> None:
    before = [artifact.handle for artifact in sample.list()]
    load_sample(sample, cache)
    assert [artifact.handle for artifact in sample.list()] == before
