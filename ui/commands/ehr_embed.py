"""`consilium ehr embed`: vectors of a CLMBR-style model, and EHRSHOT's few-shot figures with them."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path


def embed(arguments: argparse.Namespace) -> int:
    """Write the vectors and print what k patients of each class teach a logistic regression on them."""
    import numpy as np

    from core.errors import InputError
    from tools.ehr.models.clmbr import load_clmbr, representations
    from tools.ehr.models.fewshot import few_shot, logistic
    from tools.ehr.readers.meds import read_raw_meds
    from tools.ehr.risk.evaluate import held_out
    from tools.ehr.risk.parquet import read_columns

    model = load_clmbr(Path(arguments.weights))
    labels = read_columns(Path(arguments.labels), ("subject_id", "prediction_time", "boolean_value"))
    subject = labels["subject_id"].astype(np.int64)
    events = read_raw_meds(Path(arguments.data), arguments.zone)
    vectors = representations(model, events, subject, labels["prediction_time"].astype("datetime64[s]"))
    read = ~np.isnan(vectors[:, 0])
    if not read.any():
        raise InputError(
            "No event of the set is in the model's dictionary before a label. Its codes are the model's own, for example "
            f"{', '.join(list(model.dictionary.codes)[:3])}; the set's are {', '.join(events.vocabulary[:3])}."
        )
    if arguments.out:
        np.save(arguments.out, vectors)
    y, patient = labels["boolean_value"].astype(np.float64)[read], subject[read]
    shots = few_shot(logistic(vectors[read], y), y, patient, held_out(patient))
    told = {"labels": len(subject), "without_a_vector": int((~read).sum()), "shots": [asdict(shot) for shot in shots]}
    if arguments.json:
        print(json.dumps(told))
        return 0
    print(f"{told['labels']} labels, {told['without_a_vector']} without an event that the model knows (NaN)")
    for shot in shots:
        low, high = shot.auroc_ci
        print(
            f"k {shot.k:>3}: AUROC {shot.auroc:.3f} ({low:.3f}-{high:.3f}), AUPRC {shot.auprc:.3f}, Brier {shot.brier:.4f}"
        )
    return 0
