"""The table of docs/scaling.md from its formula: questions, turns, tokens, GPUs and workers for so many clinicians."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

_ROOM = 0.6


@dataclass(frozen=True)
class Use:
    """How people use it. Shares are 0 to 1, `peak` is over the busiest hour's mean."""

    active: float = 0.2
    questions_an_hour: float = 6.0
    peak: float = 2.0
    calls: float = 2.0
    read: float = 4000.0
    written: float = 350.0
    seconds: float = 12.0
    cached: float = 0.5


@dataclass(frozen=True)
class Need:
    """What so many people need at the peak."""

    users: int
    questions_per_s: float
    turns: float
    written_per_s: float
    read_per_s: float
    gpus: int


def need(users: int, use: Use, written_per_gpu: float, read_per_gpu: float) -> Need:
    """The formula of docs/scaling.md; rates in tokens per second."""
    questions = users * use.active * use.questions_an_hour / 3600.0 * use.peak
    written = questions * use.calls * use.written
    read = questions * use.calls * use.read * (1.0 - use.cached)
    gpus = max(1, math.ceil(max(written / written_per_gpu, read / read_per_gpu) / _ROOM))
    return Need(users, questions, questions * use.seconds, written, read, gpus)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m evals.capacity", description=__doc__)
    parser.add_argument("--users", type=int, nargs="+", default=[100, 1000, 3000, 10000])
    parser.add_argument("--written", type=float, default=2000.0, help="tokens/s that one GPU writes, measured by you")
    parser.add_argument("--read", type=float, default=15000.0, help="tokens/s that one GPU reads, measured by you")
    parser.add_argument("--peak", type=float, default=Use.peak, help="peak over the busiest hour's mean")
    arguments = parser.parse_args(argv)
    print(
        "| clinicians | questions/s | turns at a time | written tokens/s | read tokens/s | GPUs |\n|---|---|---|---|---|---|"
    )
    for users in arguments.users:
        row = need(users, Use(peak=arguments.peak), arguments.written, arguments.read)
        print(
            f"| {row.users:,} | {row.questions_per_s:.2f} | {row.turns:.1f} | {row.written_per_s:,.0f} | "
            f"{row.read_per_s:,.0f} | {row.gpus} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
