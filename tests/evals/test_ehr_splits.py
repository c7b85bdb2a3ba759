from __future__ import annotations

from pathlib import Path

from evals.ehr_splits import BANDS, one_split, summary
from tests.tools.ehr.risk.build import small_sample, write_2012


def test_a_split_has_the_figures_of_three_models_and_splits_differ(tmp_path: Path) -> None:
    part = small_sample(write_2012(tmp_path / "set", stays=500))
    found = [one_split(part, 0), one_split(part, 1)]
    assert found[0]["default"]["auroc"] != found[1]["default"]["auroc"]
    told = summary(found)
    assert set(told) == {"default", "LightGBM", "perfectly calibrated", "share of splits where the default is lower"}
    assert told["default"]["auroc"] > 0.8
    assert {f"oe {band}" for band in BANDS} <= set(told["LightGBM"])
    assert told["perfectly calibrated"]["ece"] < 0.15
