from __future__ import annotations

from evals.ehr_fewshot import shots
from tools.ehr.risk.datasets import Sample


def test_more_patients_teach_more(cohort_sample: Sample) -> None:
    found = shots(cohort_sample, draws=3, rounds=20)
    assert set(found) == {"features", "concept vectors"}
    for rows in found.values():
        assert [row["k"] for row in rows] == [1, 2, 4, 8, 16, 32, 64]
        assert float(str(rows[-1]["auroc"])) > float(str(rows[0]["auroc"]))
        assert float(str(rows[-1]["auroc"])) > 0.7
