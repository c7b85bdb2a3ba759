from __future__ import annotations

from pathlib import Path

import numpy as np

from evals.ehr_speed import _bundles, _read, drawn
from tools.ehr.readers.meds import write_meds


def test_drawn_events_are_read_back_whole(tmp_path: Path) -> None:
    events = drawn(2000, 3)
    assert len(events) == 2003
    assert not events.rejected
    write_meds(events, tmp_path / "e.parquet")
    number, seconds, processor, megabytes = _read("parquet", tmp_path)
    assert number == 2003
    assert min(seconds, processor) > 0
    assert megabytes > 10


def test_copies_of_the_demo_patient_are_different_people(tmp_path: Path) -> None:
    one, two = _read("fhir", _bundles(tmp_path / "a", 1))[0], _read("fhir", _bundles(tmp_path / "b", 2))[0]
    assert two == 2 * one > 100
    assert np.isfinite(one)
