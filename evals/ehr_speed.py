"""Reading and predicting: events per second from Parquet and FHIR, memory, and the time of one prediction. `eval ehr-speed`.

Parquet: events drawn at random in the layout of MEDS. FHIR: `--fhir DIR`, or the demo patient under other names. Each
reading is done in a process of its own, whose greatest resident memory is what is told; medians of `--turns`. Every figure
is told by the clock and, with `_cpu`, by processor time of all threads, which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tools.ehr.readers.fhir_set import read_fhir_set
from tools.ehr.readers.meds import read_meds, write_meds
from tools.ehr.risk.card import make_card, model_for
from tools.ehr.risk.cohort import make_rows
from tools.ehr.risk.datasets import age_of, features_for
from tools.ehr.risk.demo import bundle
from tools.ehr.risk.evaluate import predict
from tools.ehr.risk.events import ANCHOR, STATIC, Events, build
from tools.ehr.risk.patient import PatientRecord
from tools.ehr.risk.plausible import VARIABLES
from tools.ehr.risk.tasks import load_task

LIMITS = {"parquet_events_per_s": 300_000, "fhir_events_per_s": 30_000, "prediction_ms": 100, "parquet_mb": 1024}


def run(arguments: argparse.Namespace) -> int:
    """Measure, print a table or JSON."""
    if arguments.child:
        print(json.dumps(_read(arguments.child, Path(arguments.folder))))
        return 0
    found = measure(arguments.events, arguments.turns, Path(arguments.fhir) if arguments.fhir else None)
    if arguments.json:
        print(json.dumps(found))
        return 0
    for name, value in found.items():
        limit = f"   (goal {LIMITS[name]:,})" if name in LIMITS else ""
        print(f"{name:28} {value:12,.1f}{limit}")
    return 0


def measure(events: int, turns: int, fhir: Path | None) -> dict[str, float]:
    """All figures; times are of this machine as it was."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        write_meds(drawn(events, max(1, events // 5000)), place / "events.parquet")
        parquet = [_in_child("parquet", place) for _ in range(turns)]
        folder = fhir or _bundles(place / "fhir")
        bundles = [_in_child("fhir", folder) for _ in range(turns)]
    return _summary("parquet", parquet) | _summary("fhir", bundles) | _predictions(turns)


def _summary(kind: str, turns: list[tuple[float, float, float, float]]) -> dict[str, float]:
    return {
        f"{kind}_events": turns[0][0],
        f"{kind}_events_per_s": statistics.median(n / wall for n, wall, _, _ in turns),
        f"{kind}_events_per_s_cpu": statistics.median(n / cpu for n, _, cpu, _ in turns),
        f"{kind}_mb": max(turn[3] for turn in turns),
    }


def _in_child(kind: str, folder: Path) -> tuple[float, float, float, float]:
    command = [sys.executable, "-m", "evals.ehr_speed", "--child", kind, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own command
    events, seconds, processor, megabytes = json.loads(done.stdout)
    return events, seconds, processor, megabytes


def _read(kind: str, folder: Path) -> tuple[int, float, float, float]:
    """Events, seconds, processor seconds and the greatest resident memory in MB; libraries are loaded before."""
    import polars  # noqa: F401

    started, begun = time.perf_counter(), time.process_time()
    cohort = read_fhir_set(folder) if kind == "fhir" else read_meds(folder)
    seconds, processor = time.perf_counter() - started, time.process_time() - begun
    return len(cohort.events), seconds, processor, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def drawn(events: int, subjects: int, hours: float = 48.0, seed: int = 0) -> Events:
    """Random events of the models' variables: values in the middle of their range, times within `hours` of admission."""
    random = np.random.default_rng(seed)
    names = [name for name in VARIABLES if name not in ("Age", "Gender", "Height", "ICUType")]
    code = random.integers(0, len(names), events)
    low, high = (np.array([getattr(VARIABLES[name], end) for name in names]) for end in ("low", "high"))
    value = np.round(low[code] + (0.1 + 0.2 * random.uniform(size=events)) * (high - low)[code], 3)
    time_of = ANCHOR + (random.uniform(0, hours * 3600, events)).astype("timedelta64[s]")
    who = random.integers(0, subjects, events)
    static = [(0, STATIC, "Age", 61.0), (0, STATIC, "Gender", 1.0), (0, STATIC, "ICUType", 3.0)]
    return build(
        [*who.tolist(), *(row[0] for row in static)], np.concatenate([time_of, [row[1] for row in static]]),
        [*(names[index] for index in code), *(row[2] for row in static)], [*value.tolist(), *(row[3] for row in static)],
    )  # fmt: skip


def _bundles(folder: Path, copies: int = 60) -> Path:
    folder.mkdir()
    text = json.dumps(bundle())
    for number in range(copies):
        own = text.replace('"id": "', f'"id": "{number}-').replace("Patient/", f"Patient/{number}-")
        (folder / f"{number}.json").write_text(own)
    return folder


def _predictions(turns: int) -> dict[str, float]:
    """Milliseconds of one probability, and of a whole card, for records of 10,000 and 200,000 events."""
    task = load_task("icu_death")
    model = model_for(task)
    out = {}
    for size, suffix in ((10_000, ""), (200_000, "_200k")):
        events = drawn(size, 1)
        rows = make_rows(np.zeros(1, np.int64), np.array([ANCHOR + np.timedelta64(48, "h")]), {})
        record = PatientRecord(events, rows)
        times: dict[str, list[tuple[float, float]]] = {"prediction": [], "card": []}
        for _ in range(max(turns, 3) + 1):
            started, begun = time.perf_counter(), time.process_time()
            predict(model, features_for(task, record.known(), rows), age_of(events, rows))
            middle, mid = time.perf_counter(), time.process_time()
            make_card(task, model, record)
            times["prediction"].append((middle - started, mid - begun))
            times["card"].append((time.perf_counter() - middle, time.process_time() - mid))
        for kind, taken in times.items():
            out[f"{kind}{suffix}_ms"] = 1000 * statistics.median(wall for wall, _ in taken[1:])
            out[f"{kind}{suffix}_ms_cpu"] = 1000 * statistics.median(cpu for _, cpu in taken[1:])
    return out


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--child", choices=("parquet", "fhir"), required=True)
    raise SystemExit(run(parser.parse_args()))
