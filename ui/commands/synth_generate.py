"""`consilium synth volume|film|train`: spines from words, and the training of what paints them."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.imaging.generation.files import GenerationReport, Order
    from tools.imaging.generation.prompt import Request


def run(arguments: argparse.Namespace) -> int:
    """Run the chosen action."""
    return _train(arguments) if arguments.kind == "train" else _generate(arguments)


def _generate(arguments: argparse.Namespace) -> int:
    from core.errors import SettingError
    from tools.imaging.generation.files import films_to, understood, volumes_to

    if getattr(arguments, "checkpoint", None):
        return _published(arguments)
    request = understood(arguments.prompt, Path(arguments.attributes) if arguments.attributes else None)
    if arguments.dry_run:
        _print_request(request, as_json=arguments.json)
        return 0
    if not arguments.out:
        raise SettingError(f"synth {arguments.kind} needs --out DIR (or --dry-run to see how the prompt is understood).")
    write = volumes_to if arguments.kind == "volume" else films_to
    report = write(Path(arguments.out), request, _order(arguments), lambda line: print(line, file=sys.stderr))
    if arguments.json:
        print(report.model_dump_json())
        return 0
    _print_report(report, request, arguments.out)
    return 0


def _published(arguments: argparse.Namespace) -> int:
    """Films by a checkpoint that a person placed: any words, nothing promised."""
    from core.errors import SettingError
    from tools.imaging.generation.models import STEPS
    from tools.imaging.generation.published import published_films

    if not arguments.prompt or not arguments.out:
        raise SettingError("synth film --checkpoint FOLDER needs --prompt TEXT and --out DIR.")
    report = published_films(
        Path(arguments.checkpoint), arguments.prompt, Path(arguments.out), arguments.seed, arguments.count or 1,
        arguments.steps or STEPS, lambda line: print(line, file=sys.stderr),
    )  # fmt: skip
    print(report.model_dump_json() if arguments.json else f"{arguments.out}: {', '.join(report.files)}. {report.statement}")
    return 0


def _order(arguments: argparse.Namespace) -> Order:
    from tools.imaging.generation.files import Order
    from tools.imaging.generation.models import DEFAULT_LOOK, STEPS

    return Order(
        seed=arguments.seed,
        count=arguments.count,
        look=arguments.look or DEFAULT_LOOK[arguments.kind],
        steps=STEPS if arguments.steps is None else arguments.steps,
        size=getattr(arguments, "size", 64),
        weights=Path(arguments.weights) if arguments.weights else None,
    )


def _print_request(request: Request, *, as_json: bool) -> None:
    """The attributes as JSON on standard output, so that they can be kept and edited; notes beside them."""
    if as_json:
        notes = {
            "views": request.views,
            "count": request.count,
            "assumed": request.assumed,
            "passed_over": request.passed_over,
        }
        print(json.dumps({"attributes": request.attributes.model_dump(), **notes}))
        return
    print(request.attributes.model_dump_json(indent=1))
    _print_notes(request)


def _print_notes(request: Request) -> None:
    for line in request.assumed:
        print(f"assumed: {line}", file=sys.stderr)
    if request.passed_over:
        print(f"not understood, passed over: {', '.join(request.passed_over)}", file=sys.stderr)


def _print_report(report: GenerationReport, request: Request, out: str) -> None:
    from tools.imaging.generation.captions import caption

    _print_notes(request)
    print(f"understood as: {caption(report.attributes, report.views)}")
    print(f"{report.look} look, seed {report.seed}: {report.statement}")
    for item in report.made:
        print(f"{out}: {', '.join(item.files)}")
    print(f"{out}: synthetic.json")


def _train(arguments: argparse.Namespace) -> int:
    from tools.imaging.generation.dataset import make_data
    from tools.imaging.generation.train import train

    def say(line: str) -> None:
        print(line, file=sys.stderr)

    make_data(Path(arguments.data), arguments.patients, arguments.seed, say)
    report = train(arguments.part, Path(arguments.data), Path(arguments.out), say)
    print(report.model_dump_json() if arguments.json else f"{report.weights}: {report.minutes} minutes")
    return 0
