from __future__ import annotations

import numpy as np

from evals.ehr_transfer import OTHER, transfer
from tests.tools.ehr.models.test_genhpf import records
from tools.ehr.models.compare import PLAIN
from tools.ehr.models.sequences import Sequences
from tools.ehr.risk.plausible import VARIABLES


def test_the_other_hospital_names_every_variable_differently() -> None:
    assert set(OTHER.names) == set(VARIABLES)
    assert all(OTHER.names[name] != PLAIN.names[name] for name in VARIABLES)
    assert OTHER.columns != PLAIN.columns


def test_three_trainings_are_asked_about_the_same_patients_in_two_ways() -> None:
    part, y = records(120)
    named = Sequences(part.code, part.value, part.hours, ("HR", "Creatinine"))
    found = transfer(named, {"mortality": y}, np.arange(80), np.arange(80, 120), epochs=1)
    assert list(found) == ["A only", "half A, half B", "B only (mapped)"]
    assert all(set(row) == {"asked as A", "asked as B"} for row in found.values())
