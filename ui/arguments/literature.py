"""Arguments of the commands index and text."""

from __future__ import annotations

from ui.arguments.common import Commands, command


def add_index(commands: Commands) -> None:
    """Literature indexes."""
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
    parsers = {action: command(actions, action, text, module="index") for action, text in texts.items()}
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
        "--reranker",
        default="own",
        metavar="R",
        help="looks again at the best 50 of a hybrid search: own (default), none, a cross-encoder, weights, or URL#MODEL",
    )
    search.add_argument("--from", dest="year_from", type=int, metavar="YEAR")
    search.add_argument("--to", dest="year_to", type=int, metavar="YEAR")
    search.add_argument("--type", nargs="+", default=[], metavar="T", help="publication types, any of them")
    search.add_argument("--mesh", nargs="+", default=[], metavar="M", help="MeSH headings, any of them")
    search.add_argument("--language", nargs="+", default=[], metavar="L")
    search.add_argument("--include-retracted", action="store_true")


def add_text(commands: Commands) -> None:
    """Checks on text."""
    text = commands.add_parser("text", help="checks on text")
    actions = text.add_subparsers(required=True, metavar="ACTION")
    check = command(actions, "check-answer", "judge sentences by the evidence given with them", module="text")
    check.add_argument(
        "--batch", required=True, metavar="F.jsonl", help='lines {"id", "sentence", "evidence": [text or evidence object]}'
    )
    claim = command(actions, "check-claim", "whether evidence supports a claim, refutes it or does neither", module="claims")
    claim.add_argument("claim", nargs="?", metavar="CLAIM", help="one statement, English or Chinese")
    claim.add_argument("--evidence", metavar="FILE", help="a text, or .jsonl with a text or object per line")
    claim.add_argument("--index", metavar="NAME", help="take what this index finds on the claim")
    claim.add_argument("--batch", metavar="F.jsonl", help='lines {"id", "claim", "evidence"}')
    _add_deidentify(actions)


def _add_deidentify(actions: Commands) -> None:
    deidentify = command(actions, "deidentify", "remove what identifies the patient", module="deidentify")
    deidentify.add_argument("file", metavar="FILE", help="text, FHIR JSON or DICOM")
    deidentify.add_argument("--out", metavar="OUT", help="write the result here instead of printing it")
    deidentify.add_argument("--map", metavar="MAP.json", help="keep what stands for what (patient data)")
    deidentify.add_argument("--patient", metavar="ID", help="dates of one patient move alike in all files")
