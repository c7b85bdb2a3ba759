"""Arguments of the commands serve, ask, replay, API keys, MCP, doctor."""

from __future__ import annotations

import argparse

from ui.arguments.common import Commands, add_model, command


def add_serve(commands: Commands) -> None:
    """The page."""
    serve = command(commands, "serve", "open the page on this machine")
    serve.add_argument("--host", help="address to listen on (default 127.0.0.1; others need --login)")
    serve.add_argument("--port", type=int, help="port (default 7860)")
    serve.add_argument("--login", metavar="USER:PASS", help="ask for this login")
    _add_strategy(serve)
    add_model(serve)


def _add_strategy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--strategy", metavar="NAME", help="how a served model is asked: auto, plain, ...")
    parser.add_argument("--examples", metavar="FILE", help="solved questions, for --strategy medprompt")


def add_keys(commands: Commands) -> None:
    """API keys."""
    keys = commands.add_parser("keys", help="API keys: make, list, revoke")
    actions = keys.add_subparsers(required=True, metavar="ACTION")
    create = command(actions, "create", "make a key; it is shown this once", module="keys")
    create.add_argument("user", metavar="USER", help="whose key; the login of the page for the same conversations")
    create.add_argument("--days", type=int, metavar="N", help="days until it expires (default: never)")
    command(actions, "list", "list the keys, never their secrets", module="keys")
    revoke = command(actions, "revoke", "make a key useless from now on", module="keys")
    revoke.add_argument("id", metavar="ID", help="the key's id, as listed")


def add_mcp(commands: Commands) -> None:
    """The tools over MCP."""
    mcp = command(commands, "mcp", "serve the tools over MCP on standard input and output")
    add_model(mcp)


def add_ask(commands: Commands) -> None:
    """One question."""
    ask = command(commands, "ask", "ask one question, or a file of questions")
    ask.add_argument("question", nargs="?", metavar="QUESTION")
    ask.add_argument("--attach", nargs="+", default=[], metavar="PATH", help="images, folders, zips, FHIR records")
    ask.add_argument("--sample", action="store_true", help="attach the sample case")
    ask.add_argument("--patient", metavar="ID", help="which patient of a record with several")
    ask.add_argument("--batch", metavar="F.jsonl", help='lines {"id", "text", "sample", "attach"}')
    _add_strategy(ask)
    ask.add_argument("--bundle", metavar="OUT.zip", help="also write the turn with everything needed to check it")
    add_model(ask)


def add_replay(commands: Commands) -> None:
    """A turn again, and the audit log."""
    replay = command(commands, "replay", "run a turn of `ask --bundle` again and say what comes out otherwise")
    replay.add_argument("bundle", metavar="BUNDLE.zip")
    report = commands.add_parser("report", help="reporting checklists")
    reports = report.add_subparsers(required=True, metavar="ACTION")
    card = command(reports, "card", "MI-CLAIM-GEN, filled from what was measured")
    card.set_defaults(package="evals", module="report_card")
    card.add_argument("--results", metavar="DIR", help="what `eval NAME --json` printed, as NAME.json")
    audit = commands.add_parser("audit", help="the audit log")
    actions = audit.add_subparsers(required=True, metavar="ACTION")
    command(actions, "verify", "check that no entry was changed, taken out or cut off", module="audit")


def add_doctor(commands: Commands) -> None:
    """What works here."""
    doctor = command(commands, "doctor", "what works here, what is missing, how to get it")
    add_model(doctor)
