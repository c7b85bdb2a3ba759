"""`consilium eval generation`: the closed loop over prompts, and how near the pictures are to real ones; one table."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import get_args

from core.types import Frozen
from evals.generation.closed_loop import LoopRow, LoopScore, film_rows, prompts, score, volume_rows
from evals.generation.looks import LookScore, judged, made_films, made_volumes, real_films, real_volumes
from tools.imaging.generation.models import DEFAULT_LOOK, STEPS, Look, checked_steps

STRAIGHT_DEG = 20.0


class Loop(Frozen):
    """One way of measuring one look."""

    what: str
    look: str
    score: LoopScore


class GenerationBenchmark(Frozen):
    """All that the command prints."""

    prompts: int
    seed: int
    steps: int
    loops: tuple[Loop, ...]
    looks: tuple[LookScore, ...]


def run(arguments: argparse.Namespace) -> int:
    """Measure, print a table or JSON, and write the rows with --out."""
    steps = checked_steps(arguments.steps or STEPS)
    looks: tuple[Look, ...] = get_args(Look) if arguments.look == "both" else (arguments.look,)
    kinds = ("volume", "film") if arguments.kind == "both" else (arguments.kind,)
    loops, rows = _loops(arguments, kinds, looks, steps)
    scores = _looks(arguments, kinds, looks, steps) if arguments.data else ()
    done = GenerationBenchmark(prompts=arguments.prompts, seed=arguments.seed, steps=steps, loops=loops, looks=scores)
    if arguments.out:
        out = Path(arguments.out)
        out.mkdir(parents=True, exist_ok=True)
        (out / "generation.json").write_text(done.model_dump_json(indent=1) + "\n", encoding="utf-8")
        lines = [json.dumps({"what": what, **row.model_dump()}) for what, found in rows.items() for row in found]
        (out / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(done.model_dump_json() if arguments.json else as_table(done))
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _loops(
    arguments: argparse.Namespace, kinds: tuple[str, ...], looks: tuple[Look, ...], steps: int
) -> tuple[tuple[Loop, ...], dict[str, list[LoopRow]]]:
    asked = prompts(arguments.prompts, arguments.seed)
    found: dict[str, list[LoopRow]] = {}
    loops = []
    for look in looks if asked and "volume" in kinds else ():
        by_mask, by_ct = volume_rows(asked, look, steps, _say)
        found |= {f"volume by mask, {look}": by_mask, f"volume by CT, {look}": by_ct}
    if asked and "film" in kinds:
        for name, rows in film_rows(asked, looks, steps, _say).items():
            # The two sides of a strongly bent spine lie at different heights on a lateral film: told apart.
            straight = [row for row in rows if row.cobb_deg < STRAIGHT_DEG]
            found |= {f"films, {name}": rows, f"films, Cobb < {STRAIGHT_DEG:g}, {name}": straight}
    for name, rows in found.items():
        what, look_name = name.rsplit(", ", 1)
        loops.append(Loop(what=what, look=look_name, score=score(rows)))
    return tuple(loops), found


def _looks(
    arguments: argparse.Namespace, kinds: tuple[str, ...], looks: tuple[Look, ...], steps: int
) -> tuple[LookScore, ...]:
    data, count = Path(arguments.data), arguments.pictures
    scores = []
    for kind in kinds:
        real = real_volumes(data) if kind == "volume" else real_films(data)
        _say(f"{kind}: {len(real.training)} pictures of the training scan, {len(real.held_out)} held out")
        for look in looks:
            made = (made_volumes if kind == "volume" else made_films)(count, look, steps)
            scores.append(judged(kind, look, made, real, arguments.seed))
            _say(f"{kind}, {look}: judged")
    return tuple(scores)


def as_table(done: GenerationBenchmark) -> str:
    """The two tables as text."""
    lines = [f"{done.prompts} prompts, seed {done.seed}, {done.steps} sampler steps; default looks: {DEFAULT_LOOK}"]
    lines.append(
        f"{'closed loop':18} {'look':11} {'r (95 %)':22} {'MAE %':>6} {'bias':>6} {'level right':24} {'view right':24} {'s':>5}"
    )
    for loop in done.loops:
        s = loop.score
        lines.append(
            f"{loop.what:18} {loop.look:11} {f'{s.correlation:.3f} ({_interval(s.correlation_interval)})':22} {s.mae:6.2f} {s.bias:+6.2f} "
            f"{_share(s.level_right, s.level_interval, s.level_counted):24} {_share(s.view_right, s.view_interval, s.view_counted):24} "
            f"{s.median_seconds:5.1f}"
        )
    if done.looks:
        lines.append(f"\nagainst held-out real pictures, vectors of {done.looks[0].network}")
        lines.append(
            f"{'kind':8}{'look':12}{'n/real':>9}{'FID':>8}{'KID (95 %)':>24}{'prec':>6}{'rec':>6}{'dens':>6}{'cov':>6}{'MS-SSIM':>8}"
            f"{'modes':>6}{'to training (held out)':>24}{'nearer':>7}"
        )
    for one in done.looks:
        kid = f"{one.kid:.3f} ({_interval(one.kid_interval)})"
        near = f"{one.nearest_training:.3f} ({one.nearest_training_of_held_out:.3f})"
        lines.append(
            f"{one.kind:8}{one.look:12}{f'{one.made}/{one.real}':>9}{one.fid:8.3f}{kid:>24}{one.precision:6.2f}{one.recall:6.2f}"
            f"{one.density:6.2f}{one.coverage:6.2f}{one.ms_ssim:8.2f}{one.modes:6.2f}{near:>24}{one.share_nearer:7.2f}"
        )
    return "\n".join(lines)


def _interval(values: tuple[float, float]) -> str:
    return f"{values[0]:.3f} to {values[1]:.3f}"


def _share(value: float | None, interval: tuple[float, float], counted: int) -> str:
    return "-" if value is None else f"{value:.2f} ({interval[0]:.2f}-{interval[1]:.2f}) of {counted}"
