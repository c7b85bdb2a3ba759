from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.ehr.risk.build import small_model, small_sample, write_2012
from tools.ehr.risk.datasets import Sample
from tools.ehr.risk.model import Model


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_2012(tmp_path_factory.mktemp("cohort") / "set")


@pytest.fixture(scope="session")
def cohort_sample(folder: Path) -> Sample:
    return small_sample(folder)


@pytest.fixture(scope="session")
def trained(cohort_sample: Sample) -> Model:
    return small_model(cohort_sample)
