"""`consilium synth healthy`: the spine of a CT as it may have been before its vertebrae fractured."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def run(arguments: argparse.Namespace) -> int:
    """Run the chosen action."""
    from tools.imaging.healthivert.files import synthesize_files

    report = synthesize_files(
        Path(arguments.ct),
        Path(arguments.mask),
        Path(arguments.out),
        arguments.numbering,
        levels=arguments.levels,
        weights=Path(arguments.weights) if arguments.weights else None,
    )
    if arguments.json:
        print(json.dumps(report.model_dump()))
        return 0
    if not report.painted:
        print("No graded level has a height loss of 20 % or more: nothing was painted. --levels paints any.")
        return 0
    for item in report.painted:
        print(f"{item.level:6} {item.before_mm:3d} mm -> {item.after_mm:3d} mm along the spine (synthetic)")
    print(f"{arguments.out}: {', '.join(report.files)}")
    return 0
