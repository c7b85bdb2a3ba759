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
    _add_keys(commands)
    _add_mcp(commands)
    _add_ask(commands)
    _add_fracture(commands)
    _add_synth(commands)
    _add_vllm(commands)
    _add_index(commands)
    _add_image_index(commands)
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


def _add_keys(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    keys = commands.add_parser("keys", help="API keys: make, list, revoke")
    actions = keys.add_subparsers(required=True, metavar="ACTION")
    create = _command(actions, "create", "make a key; it is shown this once", module="keys")
    create.add_argument("user", metavar="USER", help="whose key; the login of the page for the same conversations")
    create.add_argument("--days", type=int, metavar="N", help="days until it expires (default: never)")
    _command(actions, "list", "list the keys, never their secrets", module="keys")
    revoke = _command(actions, "revoke", "make a key useless from now on", module="keys")
    revoke.add_argument("id", metavar="ID", help="the key's id, as listed")


def _add_mcp(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    mcp = _command(commands, "mcp", "serve the tools over MCP on standard input and output")
    _add_model(mcp)


def _add_ask(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    ask = _command(commands, "ask", "ask one question, or a file of questions")
    ask.add_argument("question", nargs="?", metavar="QUESTION")
    ask.add_argument("--attach", nargs="+", default=[], metavar="PATH", help="images, folders, zips, FHIR records")
    ask.add_argument("--sample", action="store_true", help="attach the sample case")
    ask.add_argument("--patient", metavar="ID", help="which patient of a record with several")
    ask.add_argument("--batch", metavar="F.jsonl", help='lines {"id", "text", "sample", "attach"}')
    ask.add_argument("--strategy", metavar="NAME", help="how a served model is asked: auto, plain, permutation_voting, ...")
    ask.add_argument("--examples", metavar="FILE", help="solved questions, for --strategy medprompt")
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
    _add_masked_ct(grade, required=False)
    grade.add_argument("--out", metavar="DIR", help="write report.json, figures, a PDF page, DICOM SEG and SR here")
    grade.add_argument(
        "--keep-steps", action="store_true", help="also write endplates, loss maps, explanations and the synthesis"
    )
    explain = _command(
        actions, "explain", "say which neighbours a grade rests on, and what changes without each", "fracture"
    )
    _add_masked_ct(explain)
    explain.add_argument("--level", metavar="L1", help="only this level")
    _add_fracture_evaluate(actions)
    _add_fracture_train(actions)


def _add_masked_ct(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    parser.add_argument(
        "ct", nargs="?", metavar="CT", help="CT volume (NIfTI, DICOM folder or zip); a mask alone is enough for heights"
    )
    parser.add_argument(
        "--mask",
        required=required,
        metavar="SEG",
        help="vertebra labels (NIfTI); grade makes them by TotalSegmentator when absent",
    )
    parser.add_argument(
        "--numbering",
        default="auto",
        metavar="N",
        help="which level a mask value means: verse, totalsegmentator, thoracolumbar, lumbar, lumbar-up, or pairs such as "
        "20=L1,21=L2 (default: told from the values)",
    )


def _add_fracture_evaluate(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    evaluate = _command(actions, "evaluate", "score the grades and the baselines where the truth is known", "fracture")
    evaluate.add_argument("folder", nargs="?", metavar="DIR", help="masks and expert grades in the VerSe layout")
    evaluate.add_argument(
        "--simulated", type=int, metavar="N", help="N simulated fractures: of drawn spines, or of DIR's real ones"
    )
    evaluate.add_argument("--seed", type=int, default=1, metavar="S", help="of the simulation and the intervals")
    evaluate.add_argument(
        "--no-synthesis", action="store_true", help="leave the generator's rows out: masks alone, much quicker"
    )
    evaluate.add_argument(
        "--weights", metavar="DIR", help="a generator written by `fracture train` instead of the shipped one"
    )


def _add_fracture_train(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    train = _command(actions, "train", "train the generator that paints vertebrae as they were", "fracture")
    train.add_argument("--config", default="cpu", metavar="PRESET|YAML", help="cpu, gpu, tiny, or a file (default cpu)")
    train.add_argument(
        "--data", metavar="DIR", help="CT, masks and grades in the VerSe layout (default: drawn spines, sample CT)"
    )
    train.add_argument(
        "--out", required=True, metavar="DIR", help="data, checkpoint and weights; an earlier run there goes on"
    )
    train.add_argument("--device", default="cpu", help="cpu or cuda (default cpu)")
    train.add_argument(
        "--minutes", type=float, default=float("inf"), metavar="M", help="stop with a checkpoint after so long"
    )


def _add_synth(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    synth = commands.add_parser("synth", help="synthetic images, marked as such")
    actions = synth.add_subparsers(required=True, metavar="WHAT")
    healthy = _command(
        actions, "healthy", "the spine of a CT as it may have been before it fractured", module="synth_healthy"
    )
    healthy.add_argument("ct", metavar="CT", help="CT volume (NIfTI)")
    healthy.add_argument("--mask", required=True, metavar="SEG", help="vertebra labels on the CT's grid (NIfTI)")
    healthy.add_argument("--numbering", choices=("auto", "verse", "totalsegmentator"), default="auto")
    healthy.add_argument("--levels", nargs="+", metavar="L1", help="paint these (default: height loss of 20 %% or more)")
    healthy.add_argument("--out", required=True, metavar="DIR", help="write CT, mask, picture and sidecar here")
    healthy.add_argument("--weights", metavar="DIR", help="weights of `fracture train` instead of the shipped ones")


def _add_vllm(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    vllm = commands.add_parser("vllm", help="start a served model, or see what an endpoint can do")
    actions = vllm.add_subparsers(required=True, metavar="ACTION", dest="action")
    serve = _command(actions, "serve", "serve a model with the flags that its family needs", module="vllm")
    serve.add_argument("target", metavar="MODEL", help="name or folder of the model")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    serve.add_argument("--port", type=int, default=8000, help="port (default 8000)")
    serve.add_argument("--context", type=int, help="longest context in tokens (default: the profile's)")
    serve.add_argument("--dtype", help="number format of the weights (default: the profile's)")
    serve.add_argument("--images", type=int, help="most pictures in one request (default: the profile's)")
    serve.add_argument("--tool-parser", metavar="NAME", help="vLLM's parser of native tool calls (default: the profile's)")
    serve.add_argument("--chat-template", metavar="FILE", help="template instead of the model's own")
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
        "fetch": "add what PubMed finds for a query; the query is sent to NCBI",
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
    parsers["create"].add_argument(
        "--encoder", default="minilm", metavar="E", help="minilm, a sentence-transformers model, or URL#MODEL of an endpoint"
    )
    fetch = parsers["fetch"]
    fetch.add_argument("query", metavar="QUERY", help="in PubMed's own syntax")
    fetch.add_argument("--most", type=int, default=200, metavar="N", help="newest articles, at most 9999 (default 200)")
    fetch.add_argument("--email", default="", help="told to NCBI, as it asks for of frequent users")
    fetch.add_argument("--server", default="https://eutils.ncbi.nlm.nih.gov/entrez/eutils", metavar="URL")
    parsers["add"].add_argument("paths", nargs="+", metavar="PATH", help="files, globs or folders")
    parsers["add"].add_argument("--workers", type=int, default=1, metavar="N", help="processes that encode (extra ray)")
    parsers["remove"].add_argument("ids", nargs="+", metavar="ID")
    search = parsers["search"]
    search.add_argument("query", nargs="?", metavar="QUERY")
    search.add_argument("--queries", metavar="Q.jsonl", help='lines {"id", "text"}; prints one line per query')
    search.add_argument("--k", type=int, default=10, help="documents per query (default 10)")
    search.add_argument("--mode", choices=("hybrid", "bm25", "dense"), default="hybrid")
    search.add_argument(
        "--reranker", default="none", metavar="R", help="look again at the best 50: a cross-encoder, weights, or URL#MODEL"
    )
    search.add_argument("--from", dest="year_from", type=int, metavar="YEAR")
    search.add_argument("--to", dest="year_to", type=int, metavar="YEAR")
    search.add_argument("--type", nargs="+", default=[], metavar="T", help="publication types, any of them")
    search.add_argument("--mesh", nargs="+", default=[], metavar="M", help="MeSH headings, any of them")
    search.add_argument("--language", nargs="+", default=[], metavar="L")
    search.add_argument("--include-retracted", action="store_true")


def _add_image_index(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    index = commands.add_parser("image-index", help="image indexes: make, fill, search; train and run the encoder")
    actions = index.add_subparsers(required=True, metavar="ACTION")
    texts = {
        "create": "make an empty index",
        "add": "add a folder of images, with metadata.csv beside them if there is one",
        "remove": "remove pictures by key",
        "stats": "how much is in it, and whether it is whole",
        "search": "neighbours of an image, or of words",
        "embed": "write the vectors of a folder or .npz, one row per picture",
        "train": "train the small encoder on a folder",
    }
    parsers = {action: _command(actions, action, text, module="image_index") for action, text in texts.items()}
    for action, parser in parsers.items():
        parser.set_defaults(action=action)
        if action in ("embed", "train"):
            parser.add_argument("folder", metavar="DIR", help="images, or a .npz in the MedMNIST layout")
        else:
            parser.add_argument("name", metavar="NAME", help="name of the index")
        if action != "train":
            parser.add_argument("--encoder", metavar="FOLDER|URL", help="another encoder (default: the one that ships)")
    parsers["create"].add_argument("--force", action="store_true", help="empty it if it exists")
    parsers["add"].add_argument("folder", metavar="DIR")
    parsers["remove"].add_argument("keys", nargs="+", metavar="KEY")
    search = parsers["search"]
    search.add_argument("image", nargs="?", metavar="IMAGE")
    search.add_argument("--text", metavar="WORDS", help="search by a description instead")
    search.add_argument("--k", type=int, default=5, help="neighbours at most (default 5)")
    search.add_argument("--box", type=float, nargs=4, metavar="SHARE", help="only this part: left top right bottom, 0 to 1")
    parsers["embed"].add_argument("--out", required=True, metavar="E.npy")
    train = parsers["train"]
    train.add_argument("--out", required=True, metavar="FOLDER", help="weights and log; a stopped run goes on here")
    train.add_argument("--config", metavar="C.json", help="recipe (default: the one of the shipped weights)")
    train.add_argument("--device", default="cpu", choices=("cpu", "cuda"))


def _add_text(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = commands.add_parser("text", help="checks on text")
    actions = text.add_subparsers(required=True, metavar="ACTION")
    check = _command(actions, "check-answer", "judge sentences by the evidence given with them", module="text")
    check.add_argument(
        "--batch", required=True, metavar="F.jsonl", help='lines {"id", "sentence", "evidence": [text or evidence object]}'
    )
    claim = _command(
        actions, "check-claim", "whether evidence supports a claim, refutes it or does neither", module="claims"
    )
    claim.add_argument("claim", nargs="?", metavar="CLAIM", help="one statement, English or Chinese")
    claim.add_argument("--evidence", metavar="FILE", help="a text, or .jsonl with a text or object per line")
    claim.add_argument("--index", metavar="NAME", help="take what this index finds on the claim")
    claim.add_argument("--batch", metavar="F.jsonl", help='lines {"id", "claim", "evidence"}')
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
    _add_eval_retrieval(actions)
    _add_eval_questions(actions)
    trust = _command(
        actions, "trust", "planted faults caught and faithful sentences flagged, abstention, flagged sources, claims"
    )
    trust.set_defaults(package="evals")
    trust.add_argument("--seed", type=int, default=1, metavar="S")
    trust.add_argument("--dev", action="store_true", help="only the grounding sets that rules may be tuned on")
    trust.add_argument("--healthver", metavar="F.csv", help="also check_claim on these pairs (evaluation only)")
    trust.add_argument("--show", metavar="SET", help="also list the misjudged sentences of this set, such as second-dev")
    crashes = _command(actions, "crashes", "kill -9 while an index is written, and what it is worth after")
    crashes.set_defaults(package="evals")
    crashes.add_argument("--rounds", type=int, default=50, metavar="N", help="kills (default 50)")
    crashes.add_argument("--seed", type=int, default=1, metavar="S")
    images = _command(
        actions, "images", "image encoders side by side: neighbours, linear probe, robustness", module="images.run"
    )
    images.set_defaults(package="evals")
    images.add_argument("--data", required=True, metavar="DIR", help="a .npz in the MedMNIST layout, or its folder")
    images.add_argument("--split", default="test", choices=("val", "test"), help="judged on (default test)")
    images.add_argument("--encoders", nargs="*", default=[], metavar="FOLDER|URL", help="more encoders to compare")
    operating = _command(actions, "operating-point", "a threshold for a sensitivity or specificity, judged on test pictures")
    operating.set_defaults(package="evals", module="images.operating")
    operating.add_argument(
        "--data", required=True, metavar="DIR", help="a .npz in the MedMNIST layout, or a folder with one"
    )
    operating.add_argument("--sensitivity", type=float, metavar="SHARE", help="asked for on the validation pictures")
    operating.add_argument("--specificity", type=float, metavar="SHARE")
    operating.add_argument("--by", default="probe", choices=("probe", "knn"))
    operating.add_argument("--encoder", metavar="FOLDER|URL")
    concepts = _command(actions, "concepts", "the concept bottleneck beside a plain probe where a bystander misleads")
    concepts.set_defaults(package="evals", module="images.confounded")
    concepts.add_argument("--data", required=True, metavar="DIR", help="a .npz in the MedMNIST layout, or its folder")
    concepts.add_argument(
        "--topic", required=True, metavar="WORDS", help="what to look up concepts for, such as a disease on films"
    )
    concepts.add_argument("--indexes", nargs="*", metavar="NAME", help="literature indexes to propose concepts from")
    concepts.add_argument("--split", default="test", choices=("val", "test"))
    concepts.add_argument("--encoder", metavar="FOLDER|URL")
    _add_service_evals(actions)
    _add_invariance_eval(actions)
    _add_safety_evals(actions)


def _add_service_evals(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    load = _command(actions, "load", "many users at once: errors, lost messages, secrets that leak, waiting times")
    load.add_argument("--users", type=int, default=64, metavar="N", help="users at once (default 64)")
    load.add_argument("--seconds", type=float, default=300.0, metavar="S", help="for how long (default 300)")
    load.add_argument("--think", type=float, default=5.0, metavar="S", help="mean pause between questions (default 5)")
    load.add_argument("--at-once", type=int, default=32, metavar="N", help="questions answered at a time (default 32)")
    load.add_argument("--planner", choices=("native", "guided"), help="of a served model (default: what its check says)")
    load.add_argument("--seed", type=int, default=1, metavar="S")
    overhead = _command(actions, "overhead", "the service beside its endpoint called directly; idle memory; long pages")
    overhead.add_argument("--only-streams", action="store_true", help="leave out idle memory and long pages (shown as 0)")
    overhead.add_argument("--rounds", type=int, default=5, metavar="N", help="pairs of rounds (default 5)")
    for parser in (load, overhead):
        parser.set_defaults(package="evals")
        parser.add_argument("--model", default="embedded", metavar="URL|embedded", help="the endpoint (default embedded)")
        parser.add_argument("--tokens", type=int, default=256, metavar="N", help="most tokens of an answer (default 256)")


def _add_eval_questions(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    questions = _command(actions, "questions", "closed questions to a served model, with and without retrieved evidence")
    questions.set_defaults(package="evals")
    questions.add_argument("--data", required=True, metavar="FILE", help="questions in MIRAGE's layout, or JSON lines")
    questions.add_argument("--sets", nargs="+", default=[], metavar="SET", help="only these sets of the file")
    questions.add_argument("--limit", type=int, default=0, metavar="N", help="N questions of each set, drawn by --seed")
    questions.add_argument("--tools", choices=("off", "on", "both"), default="both", help="without or with retrieval")
    questions.add_argument("--k", type=int, default=8, help="passages for a question (default 8)")
    questions.add_argument("--indexes", nargs="+", metavar="NAME", help="literature indexes (default: the setting)")
    questions.add_argument("--strategy", metavar="NAME", help="auto, plain, permutation_voting, option_logprobs, ...")
    questions.add_argument("--examples", metavar="FILE", help="solved questions for medprompt; never those of --data")
    questions.add_argument("--seed", type=int, default=1, metavar="S", help="of the draw and the intervals")
    questions.add_argument("--out", metavar="DIR", help="write rows.jsonl and summary.json here")
    _add_model(questions)


def _add_invariance_eval(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    invariance = _command(
        actions, "fracture-invariance", "what must not change a height or a grade: turns, resampling, slices left out"
    )
    invariance.set_defaults(package="evals", module="fracture_invariance")
    invariance.add_argument("folder", nargs="?", metavar="DIR", help="masks and CTs in the VerSe layout")
    invariance.add_argument("--drawn", type=int, default=0, metavar="N", help="also N drawn spines")
    invariance.add_argument("--mask-only", action="store_true", help="leave the CT out")
    invariance.add_argument("--no-monotone", action="store_true", help="leave the growing compressions out")
    invariance.add_argument("--seed", type=int, default=1, metavar="S")


def _add_eval_retrieval(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    retrieval = _command(actions, "retrieval", "nDCG, recall and MRR of BM25, dense, fusion, the hybrid and reranking")
    retrieval.set_defaults(package="evals")
    retrieval.add_argument("--data", metavar="DIR", default=".", help="folder of the development collections")
    retrieval.add_argument("--work", metavar="DIR", help="keep the indexes here, to score again without encoding")
    retrieval.add_argument("--sets", nargs="+", default=["medlars", "pubmedqa", "bioasq"], metavar="SET")
    retrieval.add_argument("--distractors", type=int, default=-1, metavar="N", help="other documents (default all)")
    retrieval.add_argument("--questions", type=int, default=0, metavar="N", help="first N of each part (default all)")
    retrieval.add_argument("--reranker", default="none", metavar="R", help="also rerank by this: own, a model, URL#MODEL")
    retrieval.add_argument("--before", metavar="INDEX", help="instead compare two indexes or generations (NAME@000012)")
    retrieval.add_argument("--after", metavar="INDEX")
    retrieval.add_argument("--queries", metavar="F.jsonl", help='for --before: lines {"id", "text"}')
    retrieval.add_argument("--relevant", metavar="F.jsonl", help='for --before: lines {"id", "relevant": [ids]}')
    ingest = _command(actions, "ingest", "articles parsed and texts encoded per second", "ingest_speed")
    ingest.set_defaults(package="evals")
    ingest.add_argument("--articles", type=int, default=20_000, metavar="N", help="articles parsed (default 20,000)")
    ingest.add_argument("--texts", type=int, default=1500, metavar="N", help="texts encoded (default 1,500)")
    scale = _command(actions, "scale", "speed, memory and recall of a search at a size", "retrieval_scale")
    scale.set_defaults(package="evals")
    scale.add_argument("--passages", type=int, default=100_000, metavar="N")
    scale.add_argument("--questions", type=int, default=110, metavar="N")
    scale.add_argument("--work", metavar="DIR", help="keep the index here")


def _add_safety_evals(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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


def _add_ehr(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    ehr = commands.add_parser("ehr", help="prediction from health records")
    actions = ehr.add_subparsers(required=True, metavar="ACTION")
    importing = _ehr_action(actions, "import", "read a set and write it as MEDS Parquet")
    importing.add_argument("data", metavar="DIR")
    importing.add_argument("--out", required=True, metavar="F.parquet")
    tasks = _ehr_action(actions, "tasks", "list the tasks, or draft one from words")
    tasks.add_argument("verb", nargs="?", choices=("draft",), help="make a task from words")
    tasks.add_argument("words", nargs="?", metavar="WORDS", help='for example "a stay of more than a week"')
    tasks.add_argument("--data", metavar="DIR", help="the set that the question is asked of")
    tasks.add_argument("--out", metavar="T.yaml", help="where to write the task")
    training = _ehr_action(actions, "train", "train the default model of a task on a folder")
    training.add_argument("--out", required=True, metavar="DIR", help="where to write model.json and trees.txt")
    evaluating = _ehr_action(actions, "evaluate", "evaluate on patients the model has not seen")
    evaluating.add_argument("--all-models", action="store_true", help="every model in one table (many minutes)")
    predicting = _ehr_action(actions, "predict", "the risk card of one patient")
    predicting.add_argument("record", metavar="RECORD", help="FHIR JSON, or RECORDID.txt of PhysioNet 2012")
    predicting.add_argument("--patient", metavar="ID", help="which patient of a record with several")
    similar = _ehr_action(actions, "similar", "what became of stays like this patient's")
    similar.add_argument("record", nargs="?", metavar="RECORD", help="FHIR JSON, or RECORDID.txt of PhysioNet 2012")
    similar.add_argument("--patient", metavar="ID", help="which patient of a record with several")
    similar.add_argument("--reference", metavar="F", help="groups of your own instead of the shipped ones")
    similar.add_argument("--build", metavar="DIR", help="make groups from a set with stays in intensive care")
    similar.add_argument("--out", metavar="F", help="where --build writes them")
    making = _ehr_action(actions, "synthesize", "a synthetic cohort of a task's features, with a report")
    making.add_argument("--rows", type=int, default=1000, metavar="N", help="how many to make (default 1000)")
    making.add_argument("--weight", type=float, default=0.5, metavar="W", help="0: subgroups as they are, 1: all alike")
    making.add_argument("--seed", type=int, default=0, metavar="S")
    making.add_argument("--out", required=True, metavar="F.csv")
    for action in (training, evaluating, making):
        action.add_argument("--data", required=True, metavar="DIR", help="the set, in its original layout or as Parquet")
    for action in (training, evaluating, predicting, making):
        action.add_argument("--task", required=True, metavar="T", help="a task's name, or a YAML file")
    for action in (evaluating, predicting):
        action.add_argument("--weights", metavar="DIR", help="a model written by `ehr train` instead of the shipped one")
    for action in (importing, training, evaluating, making):
        action.add_argument("--zone", default="UTC", help="time zone of times that name none (default UTC)")
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
