"""Arguments of the commands ehr."""

from __future__ import annotations

import argparse

from ui.arguments.common import Commands, command


def add_ehr(commands: Commands) -> None:
    """Health records."""
    ehr = commands.add_parser("ehr", help="prediction from health records")
    actions = ehr.add_subparsers(required=True, metavar="ACTION")
    importing = _ehr_action(actions, "import", "read a set and write it as MEDS Parquet")
    importing.add_argument("data", metavar="DIR")
    importing.add_argument("--out", required=True, metavar="F.parquet")
    tasks = _ehr_action(actions, "tasks", "list the tasks, or draft one from words")
    tasks.add_argument("verb", nargs="?", choices=("draft", "aces"), help="make one from words, or count an ACES file")
    tasks.add_argument("words", nargs="?", metavar="WORDS|T.yaml", help='for example "a stay of more than a week"')
    tasks.add_argument("--data", metavar="DIR", help="the set that the question is asked of")
    tasks.add_argument("--out", metavar="T.yaml", help="where to write the task (aces: labels.parquet)")
    training = _ehr_action(actions, "train", "train the default model of a task on a folder")
    training.add_argument("--out", required=True, metavar="DIR", help="where to write model.json and trees.txt")
    evaluating = _ehr_action(actions, "evaluate", "evaluate on patients the model has not seen")
    evaluating.add_argument("--all-models", action="store_true", help="every model in one table (many minutes)")
    evaluating.add_argument("--records", type=int, default=6000, metavar="N", help="the networks see N of the records")
    predicting = _ehr_action(actions, "predict", "the risk card of one patient")
    predicting.add_argument("record", metavar="RECORD", help="FHIR JSON, or RECORDID.txt of PhysioNet 2012")
    predicting.add_argument("--patient", metavar="ID", help="which patient of a record with several")
    similar = _ehr_action(actions, "similar", "what became of stays like this patient's")
    similar.add_argument("record", nargs="?", metavar="RECORD", help="FHIR JSON, or RECORDID.txt of PhysioNet 2012")
    similar.add_argument("--patient", metavar="ID", help="which patient of a record with several")
    similar.add_argument("--reference", metavar="F", help="groups of your own instead of the shipped ones")
    similar.add_argument("--build", metavar="DIR", help="make groups from a set with stays in intensive care")
    similar.add_argument("--out", metavar="F", help="where --build writes them")
    embedding = _ehr_action(actions, "embed", "vectors of a CLMBR model at given moments, and what few patients teach")
    embedding.add_argument("--data", required=True, metavar="MEDS", help="a MEDS set with the model's own codes")
    embedding.add_argument("--labels", required=True, metavar="F.parquet", help="subject_id, prediction_time, boolean_value")
    embedding.add_argument(
        "--weights", required=True, metavar="DIR", help="config.json, model.safetensors, dictionary.msgpack"
    )
    embedding.add_argument("--out", metavar="F.npy", help="where to write the vectors, a row per label")
    making = _ehr_action(actions, "synthesize", "a synthetic cohort of a task's features, with a report")
    making.add_argument("--rows", type=int, default=1000, metavar="N", help="how many to make (default 1000)")
    making.add_argument("--weight", type=float, default=0.5, metavar="W", help="0: subgroups as they are, 1: all alike")
    making.add_argument("--seed", type=int, default=0, metavar="S")
    making.add_argument("--out", required=True, metavar="F.csv")
    scoring = _ehr_action(actions, "score", "a probability for every patient of a set")
    scoring.add_argument("--out", required=True, metavar="F.csv")
    scoring.add_argument("--workers", type=int, default=1, metavar="N", help="processes of Ray (default 1: none)")
    for action in (training, evaluating, making, scoring):
        action.add_argument("--data", required=True, metavar="DIR", help="the set, in its original layout or as Parquet")
    for action in (training, evaluating, predicting, making, scoring):
        action.add_argument("--task", required=True, metavar="T", help="a task's name, or a YAML file")
    for action in (tasks, training, evaluating):
        action.add_argument("--predicates", metavar="P.yaml", help="of an ACES task: what the set calls its events")
    for action in (evaluating, predicting, scoring):
        action.add_argument("--weights", metavar="DIR", help="a model written by `ehr train` instead of the shipped one")
    for action in (importing, training, evaluating, making, scoring, embedding):
        action.add_argument("--zone", default="UTC", help="time zone of times that name none (default UTC)")
    for action in (importing, training, evaluating, making, scoring):
        action.add_argument("--mapping", metavar="M.yaml", help="what the columns of a table mean")


def _ehr_action(actions: Commands, name: str, text: str) -> argparse.ArgumentParser:
    parser = command(actions, name, text, module="ehr")
    parser.set_defaults(action=name)
    return parser
