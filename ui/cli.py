"""The command line. Only the parser lives here; a command's module is imported when it is chosen.

Exit codes: 0 done, 2 bad input, 3 needs something that the message names. Every command takes `--json`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Callable, Sequence

from ui.arguments.chat import add_ask, add_doctor, add_keys, add_mcp, add_replay, add_serve
from ui.arguments.common import SAFETY
from ui.arguments.evals import add_eval
from ui.arguments.images import add_fracture, add_image_index, add_synth
from ui.arguments.literature import add_index, add_text
from ui.arguments.models import add_vllm
from ui.arguments.records import add_ehr

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
    parser = argparse.ArgumentParser(prog="consilium", description=__doc__, epilog=SAFETY)
    parser.description = "A medical assistant that shows its work: every sentence is tied to evidence you can check."
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_serve(commands)
    add_keys(commands)
    add_mcp(commands)
    add_ask(commands)
    add_fracture(commands)
    add_synth(commands)
    add_vllm(commands)
    add_index(commands)
    add_image_index(commands)
    add_text(commands)
    add_eval(commands)
    add_ehr(commands)
    add_replay(commands)
    add_doctor(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
