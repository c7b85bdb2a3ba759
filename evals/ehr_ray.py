"""Does a cohort get the same numbers on workers of Ray? `python -m evals.ehr_ray DIR [--task T] [--workers 2]`."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from tools.ehr.risk.card import model_for
from tools.ehr.risk.datasets import read_folder
from tools.ehr.risk.scoring import score_cohort
from tools.ehr.risk.tasks import load_task


def main() -> None:
    """Parse, score twice, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--task", default="icu_death")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    task, cohort = load_task(arguments.task), read_folder(arguments.data)
    model = model_for(task)
    started = time.perf_counter()
    alone = score_cohort(task, model, cohort)
    middle = time.perf_counter()
    spread = score_cohort(task, model, cohort, workers=arguments.workers)
    ended = time.perf_counter()
    print(json.dumps({
        "rows": len(alone.subject), "no_estimate": int(np.isnan(alone.probability).sum()),
        "same_rows": bool(np.array_equal(alone.subject, spread.subject) and alone.why == spread.why),
        "largest_difference": float(np.nanmax(np.abs(alone.probability - spread.probability))),
        "seconds_alone": round(middle - started, 1), "seconds_on_workers_with_start": round(ended - middle, 1),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
