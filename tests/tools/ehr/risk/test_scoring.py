from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError
from tests.tools.ehr.risk.build import small_model, small_sample, small_task, write_2012
from tools.ehr.risk.datasets import Sample
from tools.ehr.risk.evaluate import predict
from tools.ehr.risk.model import Model
from tools.ehr.risk.scoring import score_cohort


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return small_sample(write_2012(tmp_path_factory.mktemp("set"), stays=240))


@pytest.fixture(scope="module")
def model(part: Sample) -> Model:
    return small_model(part)


def test_parts_of_any_size_give_the_numbers_of_the_whole(part: Sample, model: Model) -> None:
    whole = predict(model, part.table, part.age)
    for size in (7, 100, 1000):
        found = score_cohort(small_task(), model, part.cohort, part=size)
        assert found.subject.tolist() == part.rows.subject.tolist()
        assert np.allclose(found.probability, whole, equal_nan=True)
        assert [bool(why) for why in found.why] == np.isnan(whole).tolist()


def test_no_workers_are_refused(part: Sample, model: Model) -> None:
    with pytest.raises(InputError, match="at least 1, got 0"):
        score_cohort(small_task(), model, part.cohort, workers=0)


def test_a_cohort_of_nobody_is_named(tmp_path: Path, part: Sample, model: Model) -> None:
    nobody = type(part.cohort)("physionet2012", part.cohort.events.where(part.cohort.events.subject < 0), part.rows)
    with pytest.raises(InputError, match="No patient of this set"):
        score_cohort(small_task(), model, nobody)
