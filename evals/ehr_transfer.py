"""Does GenHPF need a mapping? `python -m evals.ehr_transfer DIR [--train N] [--epochs E]` on PhysioNet 2012.

One set is written as two hospitals would: other table and column names, other names for the variables, the same values.
Trained on 1. hospital A, 2. half the patients as A and half as B, 3. hospital B (the mapped baseline: the names are those of
the test). Each is asked about the same held-out patients written as B, and written as A.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.ehr.models.compare import LENGTH, PLAIN, genhpf_labels
from tools.ehr.models.genhpf import HEADS, GenHPF, Naming, Texts, joined, write_texts
from tools.ehr.models.sequences import Sequences, sequences
from tools.ehr.risk.datasets import read_folder, sample
from tools.ehr.risk.evaluate import held_out
from tools.ehr.risk.metrics import auroc, auroc_interval
from tools.ehr.risk.tasks import load_task

Array = NDArray[np.float64]
OTHER = Naming(
    "flowsheet",
    ("label", "result", "uom"),
    {
        "Age": "years of age", "Gender": "male gender", "Height": "body height", "Weight": "body weight daily",
        "ICUType": "care unit", "Albumin": "serum albumin", "ALP": "alk phos", "ALT": "alanine transaminase",
        "AST": "aspartate transaminase", "Bilirubin": "total bilirubin", "BUN": "blood urea nitrogen",
        "Cholesterol": "total cholesterol", "Creatinine": "serum creatinine", "DiasABP": "art line diastolic",
        "FiO2": "fraction inspired oxygen", "GCS": "gcs coma total", "Glucose": "blood glucose", "HCO3": "total co2",
        "HCT": "hct packed cell volume", "HR": "pulse rate", "K": "serum potassium", "Lactate": "lactic acid",
        "MAP": "art line mean", "MechVent": "ventilator", "Mg": "serum magnesium", "Na": "serum sodium",
        "NIDiasABP": "nibp diastolic", "NIMAP": "nibp mean", "NISysABP": "nibp systolic", "PaCO2": "arterial co2 tension",
        "PaO2": "arterial oxygen tension", "pH": "blood gas ph", "Platelets": "platelet count",
        "RespRate": "breaths per minute", "SaO2": "spo2 saturation", "SysABP": "art line systolic",
        "Temp": "body temperature", "TroponinI": "cardiac troponin i", "TroponinT": "cardiac troponin t",
        "Urine": "foley output", "WBC": "leukocyte count",
    },
    PLAIN.units,
)  # fmt: skip
"""Another hospital's words: most share a word with ours, some (pulse rate, lactic acid, foley output) share none."""


def main() -> None:
    """Parse, measure, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--train", type=int, default=4000, help="stays to train on (default 4000)")
    parser.add_argument("--test", type=int, default=2404, help="held-out stays to ask about (default 2404)")
    parser.add_argument("--epochs", type=int, default=7)
    parser.add_argument("--size", type=int, default=32, help="records of a batch (default 32)")
    parser.add_argument("--step", type=float, default=12.0, help="the last value in so many hours (default 12)")
    arguments = parser.parse_args()
    part = sample(load_task("icu_death"), read_folder(arguments.data))
    records = sequences(part.cohort.events, part.rows, LENGTH, step=arguments.step)
    held = held_out(part.rows.patient)
    random = np.random.default_rng(0)
    mine = random.permutation(np.flatnonzero(~held))[: arguments.train]
    asked = random.permutation(np.flatnonzero(held))[: arguments.test]
    labels = genhpf_labels(records, part)
    print(json.dumps(transfer(records, labels, mine, asked, arguments.epochs, arguments.size)))


def transfer(
    records: Sequences,
    labels: dict[str, Array],
    mine: NDArray[np.intp],
    asked: NDArray[np.intp],
    epochs: int,
    size: int = 32,
) -> dict[str, dict[str, object]]:
    """AUROC of death with its interval by what was trained on and how the held-out patients are written.

    `labels` are per head, of all records; every head is learnt along, as in the paper.
    """
    y = labels["mortality"]
    half = len(mine) // 2
    first, second = records.take(mine[:half]), records.take(mine[half:])
    whole = records.take(mine)
    trained: dict[str, Texts] = {
        "A only": write_texts(whole, PLAIN),
        "half A, half B": joined(write_texts(first, PLAIN), write_texts(second, OTHER)),
        "B only (mapped)": write_texts(whole, OTHER),
    }
    test = records.take(asked)
    written = {"asked as A": write_texts(test, PLAIN), "asked as B": write_texts(test, OTHER)}
    out: dict[str, dict[str, object]] = {}
    for name, texts in trained.items():
        model = GenHPF({head: HEADS[head] for head in labels})
        model.fit(texts, whole.hours, {head: values[mine] for head, values in labels.items()}, epochs, size)
        out[name] = {}
        for how, texts_asked in written.items():
            z = model.predict(texts_asked, test.hours, "mortality")
            low, high = auroc_interval(y[asked], z, asked.astype(np.int64), 1000)
            out[name][how] = [round(auroc(y[asked], z), 4), round(low, 4), round(high, 4)]
    return out


if __name__ == "__main__":
    main()
