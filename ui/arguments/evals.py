"""Arguments of the commands eval."""

from __future__ import annotations

from ui.arguments.common import Commands, add_model, command


def add_eval(commands: Commands) -> None:
    """Benchmarks."""
    evaluate = commands.add_parser("eval", help="benchmarks: every published figure comes from one of these")
    actions = evaluate.add_subparsers(required=True, metavar="NAME")
    _add_eval_retrieval(actions)
    _add_eval_questions(actions)
    trust = command(
        actions, "trust", "faults caught, abstention, flagged sources, claims, privacy, injection, hostile input, kills"
    )
    trust.set_defaults(package="evals")
    trust.add_argument("--seed", type=int, default=1, metavar="S")
    trust.add_argument("--dev", action="store_true", help="only the grounding sets that rules may be tuned on")
    trust.add_argument("--quick", action="store_true", help="a small sample of hostile files, requests and kills")
    trust.add_argument("--healthver", metavar="F.csv", help="also check_claim on these pairs (evaluation only)")
    trust.add_argument("--show", metavar="SET", help="also list the misjudged sentences of this set, such as second-dev")
    crashes = command(actions, "crashes", "kill -9 while an index is written, and what it is worth after")
    crashes.set_defaults(package="evals")
    crashes.add_argument("--rounds", type=int, default=50, metavar="N", help="kills (default 50)")
    crashes.add_argument("--seed", type=int, default=1, metavar="S")
    image_speed = command(actions, "image-speed", "encoder rate, search time and memory of an image index", module="speed")
    image_speed.set_defaults(package="evals.images")
    image_speed.add_argument("--pictures", type=int, default=100_000, metavar="N", help="in the index (default 100000)")
    images = command(
        actions, "images", "image encoders side by side: neighbours, linear probe, robustness", module="images.run"
    )
    images.set_defaults(package="evals")
    images.add_argument("--data", required=True, metavar="DIR", help="a .npz in the MedMNIST layout, or its folder")
    images.add_argument("--split", default="test", choices=("val", "test"), help="judged on (default test)")
    images.add_argument("--encoders", nargs="*", default=[], metavar="FOLDER|URL", help="more encoders to compare")
    operating = command(actions, "operating-point", "a threshold for a sensitivity or specificity, judged on test pictures")
    operating.set_defaults(package="evals", module="images.operating")
    operating.add_argument(
        "--data", required=True, metavar="DIR", help="a .npz in the MedMNIST layout, or a folder with one"
    )
    operating.add_argument("--sensitivity", type=float, metavar="SHARE", help="asked for on the validation pictures")
    operating.add_argument("--specificity", type=float, metavar="SHARE")
    operating.add_argument("--by", default="probe", choices=("probe", "knn"))
    operating.add_argument("--encoder", metavar="FOLDER|URL")
    concepts = command(actions, "concepts", "the concept bottleneck beside a plain probe where a bystander misleads")
    concepts.set_defaults(package="evals", module="images.confounded")
    concepts.add_argument("--data", required=True, metavar="DIR", help="a .npz in the MedMNIST layout, or its folder")
    concepts.add_argument(
        "--topic", required=True, metavar="WORDS", help="what to look up concepts for, such as a disease on films"
    )
    concepts.add_argument("--indexes", nargs="*", metavar="NAME", help="literature indexes to propose concepts from")
    concepts.add_argument("--split", default="test", choices=("val", "test"))
    concepts.add_argument("--encoder", metavar="FOLDER|URL")
    _add_xray_eval(actions)
    _add_generation_eval(actions)
    _add_service_evals(actions)
    _add_labelling_eval(actions)
    _add_invariance_eval(actions)
    _add_safety_evals(actions)
    speed = command(actions, "ehr-speed", "events read per second from Parquet and FHIR, memory, time of a prediction")
    speed.set_defaults(package="evals", module="ehr_speed", child=None)
    speed.add_argument(
        "--events", type=int, default=1_000_000, metavar="N", help="events of the Parquet (default 1,000,000)"
    )
    speed.add_argument("--fhir", metavar="DIR", help="bundles to read (default: copies of the demo patient)")
    speed.add_argument("--turns", type=int, default=3, metavar="N", help="medians of N (default 3)")


def _add_xray_eval(actions: Commands) -> None:
    xray = command(actions, "xray", "computed films: path lengths against theory, sides, speed, what the style moves")
    xray.set_defaults(package="evals")
    xray.add_argument("--ct", metavar="CT", help="CT for speed and style (default: the sample CT)")
    xray.add_argument("--held-out", nargs="+", metavar="CT", help="CTs that no style was trained on")
    xray.add_argument("--masks", nargs="+", metavar="SEG", help="vertebra labels, beside the held-out CTs: landmarks")
    xray.add_argument("--reference", metavar="FILM", help="a real film whose style is used too")
    xray.add_argument("--styles", type=int, default=3, metavar="N", help="drawn styles (default 3)")
    xray.add_argument("--voxel", type=float, default=1.0, metavar="MM", help="voxels of the phantoms (default 1)")
    xray.add_argument("--weights", metavar="F", help="style weights instead of the shipped ones")
    xray.add_argument("--out", metavar="DIR", help="write xray.json here")


def _add_generation_eval(actions: Commands) -> None:
    generation = command(
        actions, "generation", "synthetic volumes and films: what was asked against what is measured; FID, KID"
    )
    generation.set_defaults(package="evals", module="generation.run")
    generation.add_argument("--prompts", type=int, default=100, metavar="N", help="prompts of the closed loop (default 100)")
    generation.add_argument("--kind", default="both", choices=("volume", "film", "both"))
    generation.add_argument("--look", default="both", choices=("learned", "procedural", "both"))
    generation.add_argument("--steps", type=int, metavar="N", help="steps of the sampler")
    generation.add_argument("--data", metavar="DIR", help="held-out CTs with vertebra labels: also FID, KID and the others")
    generation.add_argument(
        "--pictures", type=int, default=16, metavar="N", help="patients for FID and the others (default 16)"
    )
    generation.add_argument("--seed", type=int, default=1, metavar="S")
    generation.add_argument("--out", metavar="DIR", help="write generation.json and rows.jsonl here")


def _add_service_evals(actions: Commands) -> None:
    load = command(actions, "load", "many users at once: errors, lost messages, secrets that leak, waiting times")
    load.add_argument("--users", type=int, default=64, metavar="N", help="users at once (default 64)")
    load.add_argument("--seconds", type=float, default=300.0, metavar="S", help="for how long (default 300)")
    load.add_argument("--think", type=float, default=5.0, metavar="S", help="mean pause between questions (default 5)")
    load.add_argument("--at-once", type=int, default=32, metavar="N", help="questions answered at a time (default 32)")
    load.add_argument("--planner", choices=("native", "guided"), help="of a served model (default: what its check says)")
    load.add_argument("--seed", type=int, default=1, metavar="S")
    overhead = command(actions, "overhead", "the service beside its endpoint called directly; idle memory; long pages")
    overhead.add_argument("--only-streams", action="store_true", help="leave out idle memory and long pages (shown as 0)")
    overhead.add_argument("--rounds", type=int, default=5, metavar="N", help="pairs of rounds (default 5)")
    for parser in (load, overhead):
        parser.set_defaults(package="evals")
        parser.add_argument("--model", default="embedded", metavar="URL|embedded", help="the endpoint (default embedded)")
        parser.add_argument("--tokens", type=int, default=256, metavar="N", help="most tokens of an answer (default 256)")


def _add_eval_questions(actions: Commands) -> None:
    questions = command(actions, "questions", "closed questions to a served model, with and without retrieved evidence")
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
    add_model(questions)


def _add_labelling_eval(actions: Commands) -> None:
    labelling = command(actions, "labelling", "the built-in labeller of a CT without mask against given masks")
    labelling.add_argument("folder", nargs="?", metavar="DIR", help="X_ct.nii.gz and X_seg-vert_msk.nii.gz (VerSe layout)")
    labelling.add_argument("--drawn", type=int, default=0, metavar="N", help="also N drawn spines")
    labelling.add_argument("--seed", type=int, default=1, metavar="S", help="of the first drawn spine")
    labelling.set_defaults(package="evals", module="labelling")


def _add_invariance_eval(actions: Commands) -> None:
    invariance = command(
        actions, "fracture-invariance", "what must not change a height or a grade: turns, resampling, slices left out"
    )
    invariance.set_defaults(package="evals", module="fracture_invariance")
    invariance.add_argument("folder", nargs="?", metavar="DIR", help="masks and CTs in the VerSe layout")
    invariance.add_argument("--drawn", type=int, default=0, metavar="N", help="also N drawn spines")
    invariance.add_argument("--mask-only", action="store_true", help="leave the CT out")
    invariance.add_argument("--no-monotone", action="store_true", help="leave the growing compressions out")
    invariance.add_argument("--seed", type=int, default=1, metavar="S")


def _add_eval_retrieval(actions: Commands) -> None:
    retrieval = command(actions, "retrieval", "nDCG, recall and MRR of BM25, dense, fusion, the hybrid and reranking")
    retrieval.set_defaults(package="evals")
    retrieval.add_argument("--data", metavar="DIR", default=".", help="folder of the development collections")
    retrieval.add_argument("--work", metavar="DIR", help="keep the indexes here, to score again without encoding")
    retrieval.add_argument("--sets", nargs="+", default=["medlars", "pubmedqa", "bioasq"], metavar="SET")
    retrieval.add_argument(
        "--splits", nargs="*", default=[], metavar="S", help="only these parts: test, validation, development"
    )
    retrieval.add_argument("--distractors", type=int, default=-1, metavar="N", help="other documents (default all)")
    retrieval.add_argument("--questions", type=int, default=0, metavar="N", help="first N of each part (default all)")
    retrieval.add_argument("--reranker", default="none", metavar="R", help="also rerank by this: own, a model, URL#MODEL")
    retrieval.add_argument("--before", metavar="INDEX", help="instead compare two indexes or generations (NAME@000012)")
    retrieval.add_argument("--after", metavar="INDEX")
    retrieval.add_argument("--queries", metavar="F.jsonl", help='for --before: lines {"id", "text"}')
    retrieval.add_argument("--relevant", metavar="F.jsonl", help='for --before: lines {"id", "relevant": [ids]}')
    ingest = command(actions, "ingest", "articles parsed and texts encoded per second", "ingest_speed")
    ingest.set_defaults(package="evals")
    ingest.add_argument("--articles", type=int, default=20_000, metavar="N", help="articles parsed (default 20,000)")
    ingest.add_argument("--texts", type=int, default=1500, metavar="N", help="texts encoded (default 1,500)")
    scale = command(actions, "scale", "speed, memory and recall of a search at a size", "retrieval_scale")
    scale.set_defaults(package="evals")
    scale.add_argument("--passages", type=int, default=100_000, metavar="N")
    scale.add_argument("--questions", type=int, default=110, metavar="N")
    scale.add_argument("--work", metavar="DIR", help="keep the index here")


def _add_safety_evals(actions: Commands) -> None:
    injection = command(actions, "injection", "attempts to steer the agent, with a model that obeys them", module="run")
    injection.set_defaults(package="evals.injection")
    injection.add_argument("--attempts", type=int, default=120, metavar="N", help="the first N of 120 (default all)")
    fuzz = command(actions, "fuzz", "mutated files through every reader, in processes with limits")
    fuzz.set_defaults(package="evals")
    fuzz.add_argument("--files", type=int, default=10_000, metavar="N", help="files (default 10000)")
    fuzz.add_argument("--seed", type=int, default=1, metavar="S")
    api = command(actions, "api-fuzz", "requests made from our own OpenAPI schema, right and wrong ones", module="api_fuzz")
    api.set_defaults(package="evals")
    api.add_argument("--requests", type=int, default=2000, metavar="N", help="requests (default 2000)")
    api.add_argument("--seed", type=int, default=1, metavar="S")
    restarts = command(actions, "restarts", "kill -9 under load with many users, and what is left after")
    restarts.set_defaults(package="evals")
    restarts.add_argument("--rounds", type=int, default=200, metavar="N", help="kills (default 200)")
    restarts.add_argument("--users", type=int, default=20, metavar="N", help="users at once (default 20)")
    restarts.add_argument("--seed", type=int, default=1, metavar="S")
    safety = command(actions, "safety", "de-identification, injection, hostile files and kills in one table")
    safety.set_defaults(package="evals")
    safety.add_argument("--quick", action="store_true", help="a small sample of each")
    safety.add_argument("--out", metavar="DIR", help="also write each result as NAME.json")
    private = command(actions, "deidentify", "recall of every kind of identifier, precision, clean text")
    private.set_defaults(package="evals.deidentify", module="run")
    private.add_argument("--notes", type=int, default=480, metavar="N", help="notes of each set (default 480)")
    private.add_argument("--seed", type=int, default=303, metavar="S")
    private.add_argument("--show", action="store_true", help="also list what was missed and blanked wrongly in the dev set")
