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
    run: _Command = importlib.import_module(f"ui.commands.{arguments.module}").run
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
    parser.set_defaults(module=module or name, action=name)
    return parser


if __name__ == "__main__":
    sys.exit(main())
