from __future__ import annotations

import pytest

from agent import slots
from tests.agent.situations import ATTACHED

SAMPLE = ATTACHED["sample"]


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("Is L1 fractured?", ["L1"]),
        ("t 12 and l-2", ["T12", "L2"]),
        ("grade L1 to L4", ["L1", "L2", "L3", "L4"]),
        ("T11-L1", ["T11", "T12", "L1"]),
        ("L2 to T12, backwards", ["T12", "L1", "L2"]),
        ("D12, as some write it", ["T12"]),
        ("the first lumbar vertebra", ["L1"]),
        ("the twelfth thoracic body", ["T12"]),
        ("L9 and C8 do not exist", []),
        ("a loss of 12 mm", []),
        ("ct1 and mask2", []),
    ],
)
def test_levels(text: str, levels: list[str]) -> None:
    assert slots.levels(text) == levels


@pytest.mark.parametrize(
    ("text", "plane", "window", "number"),
    [
        ("lateral view, bone window", "sagittal", "bone", None),
        ("transverse slice 40, soft tissue", "axial", "soft", 40),
        ("coronal, lung, slice no. 7", "coronal", "lung", 7),
        ("show it", None, None, None),
    ],
)
def test_view(text: str, plane: str | None, window: str | None, number: int | None) -> None:
    assert (slots.plane(text), slots.window(text), slots.slice_number(text)) == (plane, window, number)


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("papers since 2015", {"year_from": 2015}),
        ("before 2020", {"year_to": 2020}),
        ("published in 2019", {"year_from": 2019, "year_to": 2019}),
        ("from 2010 until 2020", {"year_from": 2010, "year_to": 2020}),
        ("2015 patients", {}),
    ],
)
def test_years(text: str, limits: dict[str, int]) -> None:
    assert slots.years(text) == limits


@pytest.mark.parametrize(
    ("text", "handles"),
    [
        ("grade ct2", ["ct2"]),
        ("CT 1 please", ["ct1"]),
        ("the simulated one", ["ct2"]),
        ("the original scan", ["ct1"]),
        ("the second ct", ["ct2"]),
        ("a third scan", []),
        ("show it", []),
    ],
)
def test_named(text: str, handles: list[str]) -> None:
    assert [artifact.handle for artifact in slots.named(text, SAMPLE)] == handles


def test_unknown_handles() -> None:
    assert slots.unknown_handles("compare ct1 with ct7 and xray3", SAMPLE) == ["ct7", "xray3"]


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("what medicines is she on", {"about": "medications"}),
        ("what was the last creatinine", {"about": "observations", "name": "creatinine", "when": "latest"}),
        ("her first egfr", {"about": "observations", "name": "egfr", "when": "first"}),
        ("any fractures in the history", {"about": "conditions", "name": "fracture"}),
        ("is she allergic to penicillin", {"about": "allergies", "name": "penicillin"}),
        ("which vaccinations are documented", {"about": "immunizations"}),
        ("what operations has the patient had", {"about": "procedures"}),
        ("summarise it", {"about": "summary"}),
        ("does she have a pacemaker", {"about": "summary", "name": "pacemaker"}),
        ("when did she break a bone", {"about": "conditions", "name": "fracture"}),
        ("her t score", {"about": "observations", "name": "t score"}),
        ("is she treated for it", {"about": "medications"}),
        ("what medicines is she on (patient nobody)", {"about": "medications", "patient": "nobody"}),
        ("medicines of patient p-17", {"about": "medications", "patient": "p-17"}),
    ],
)
def test_record_question(text: str, arguments: dict[str, str]) -> None:
    assert slots.record_question(text) == arguments
