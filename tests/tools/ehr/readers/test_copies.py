"""FHIR, OMOP and MEDS copies of the same people give the same timeline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError
from tests.tools.ehr.readers.copies import PEOPLE, facts, write_fhir, write_meds, write_omop
from tools.ehr.risk.datasets import read_folder
from tools.ehr.risk.events import Events


def timeline(events: Events) -> list[tuple[int, str, str, str]]:
    rows = zip(events.subject, events.time, events.code, events.value, strict=True)
    return sorted((int(who), str(when), events.vocabulary[code], f"{value:.3f}") for who, when, code, value in rows)


def test_three_copies_give_one_timeline(tmp_path: Path) -> None:
    fhir = read_folder(write_fhir(tmp_path / "fhir"))
    omop = read_folder(write_omop(tmp_path / "omop"), zone="Europe/Amsterdam")
    meds = read_folder(write_meds(tmp_path / "meds"))
    assert (fhir.source, omop.source, meds.source) == ("fhir", "omop", "meds")
    assert timeline(fhir.events) == timeline(omop.events) == timeline(meds.events)
    assert len(fhir.events) == len(facts()) + 2 * len(PEOPLE)


def test_units_arrive_as_the_variables_own(tmp_path: Path) -> None:
    events = read_folder(write_fhir(tmp_path / "fhir")).events
    creatinine = events.value[events.code == events.vocabulary.index("Creatinine")]
    temperature = events.value[events.code == events.vocabulary.index("Temp")]
    assert creatinine.min() >= 60 / 88.42
    assert creatinine.max() <= 300 / 88.42
    assert temperature.min() > 35.5
    assert temperature.max() < 39.5


def test_times_are_moved_by_their_zone_on_both_sides_of_summer_time(tmp_path: Path) -> None:
    events = read_folder(write_omop(tmp_path / "omop"), zone="Europe/Amsterdam").events
    drug = events.time[events.code == events.vocabulary.index("RxNorm//860975")]
    condition = events.time[events.code == events.vocabulary.index("SNOMED//44054006")]
    assert set(drug.astype(str)) == {"2024-04-02T06:30:00"}
    assert set(condition.astype(str)) == {"2024-03-26T08:00:00"}


def test_an_unknown_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no time zone 'Mars/Base'"):
        read_folder(write_omop(tmp_path / "omop"), zone="Mars/Base")


def test_order_and_duplicates_do_not_matter(tmp_path: Path) -> None:
    folder = write_omop(tmp_path / "omop")
    first = read_folder(folder).events
    path = folder / "measurement.csv"
    header, *rows = path.read_text().splitlines()
    mixed = list(np.random.default_rng(0).permutation([*rows, *rows[:7]]))
    path.write_text("\n".join([header, *mixed]) + "\n")
    again = read_folder(folder).events
    assert timeline(first) == timeline(again)
    assert again.rejected["exact duplicates"] == 7
