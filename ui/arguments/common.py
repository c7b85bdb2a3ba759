"""What all commands share: `--json`, the safety note, the choice of a model."""

from __future__ import annotations

import argparse
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
SAFETY = (
    "Consilium is a research tool beside a clinician, not a medical device. "
    "It never states a dose or a diagnosis as its own."
)


def command(commands: Commands, name: str, text: str, module: str = "") -> argparse.ArgumentParser:
    """A command with its help, run by `package.module`."""
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", epilog=SAFETY)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(module=module or name, package="ui.commands", action=name)
    return parser


def add_model(parser: argparse.ArgumentParser) -> None:
    """Which model answers."""
    parser.add_argument("--model", metavar="URL|embedded", help="the model: embedded, or an OpenAI-compatible endpoint")
    parser.add_argument("--model-name", metavar="ID", help="which model at the endpoint")
