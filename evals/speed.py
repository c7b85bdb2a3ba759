"""`make bench`: how long a user waits and how much memory it takes, each beside its limit.

Every figure is measured here and now on this machine; the limits are for two CPU cores. `--fresh-clone` also clones the
checkout's last commit into a new directory, installs everything there and waits for the page.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
_ROOT = Path(__file__).resolve().parent.parent
_TURNS = 20
_WAIT_S = 900.0


@dataclass(frozen=True)
class Figure:
    """One line of the table: a measurement, its unit and the limit it must stay under."""

    name: str
    value: float
    unit: str
    limit: float
    how: str

    @property
    def holds(self) -> bool:
        """Whether the measurement is under its limit."""
        return self.value < self.limit


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 1 when a limit is broken."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--fresh-clone", action="store_true", help="also install into a fresh clone (minutes)")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.part:
        print(json.dumps([asdict(figure) for figure in _PARTS[arguments.part]()]))
        return 0
    figures = [*_help(), *_start(_ROOT)]
    for part in _PARTS:
        figures += _in_a_process_of_its_own(part)
    if arguments.fresh_clone:
        figures += _fresh_clone()
    if arguments.json:
        print(json.dumps([{**asdict(figure), "holds": figure.holds} for figure in figures]))
    else:
        _print(figures)
    return 0 if all(figure.holds for figure in figures) else 1


def _print(figures: Sequence[Figure]) -> None:
    width = max(len(figure.name) for figure in figures)
    for figure in figures:
        mark = "ok  " if figure.holds else "OVER"
        print(f"{mark}  {figure.name:{width}}  {figure.value:9.2f} {figure.unit:3} (limit {figure.limit:g})  {figure.how}")


def _help() -> list[Figure]:
    seconds = [_timed([sys.executable, "-m", "ui", "--help"]) for _ in range(5)]
    return [Figure("consilium --help", statistics.median(seconds), "s", 0.5, "median of 5 processes")]


def _timed(command: Sequence[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, cwd=_ROOT, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
    return time.perf_counter() - started


def _start(root: Path) -> list[Figure]:
    with tempfile.TemporaryDirectory() as home, _page(root, [sys.executable, "-m", "ui", "serve"], home) as seconds:
        return [Figure("start, everything installed", seconds, "s", 12.0, "new home folder, until the page answers")]


@contextmanager
def _page(root: Path, command: Sequence[str], home: str) -> Iterator[float]:
    """Start the page on a free port; gives the seconds until it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "CONSILIUM_HOME": home, "CONSILIUM_PORT": str(port)}
    started = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - our own command
        command, cwd=root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        while not _answers(port):
            if process.poll() is not None or time.perf_counter() - started > _WAIT_S:
                raise SystemExit(f"{' '.join(command)} in {root} ended or did not answer within {_WAIT_S:.0f} s.")
            time.sleep(0.05)
        yield time.perf_counter() - started
    finally:
        if process.poll() is None:  # one that ended by itself is told above, and its number may be another's by now
            os.killpg(process.pid, 15)
        process.wait()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _fresh_clone() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        git = shutil.which("git") or "git"
        subprocess.run([git, "clone", "-q", str(_ROOT), str(clone)], check=True)  # noqa: S603 - our own command
        with _page(clone, [shutil.which("make") or "make", "run"], str(Path(folder) / "home")) as seconds:
            return [Figure("fresh clone to page", seconds, "s", 300.0, "make run: installs, then until the page answers")]


def _in_a_process_of_its_own(part: str) -> list[Figure]:
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "evals.speed", "--part", part], cwd=_ROOT, check=True, capture_output=True, text=True
    )
    return [Figure(**figure) for figure in json.loads(done.stdout.strip().splitlines()[-1])]


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def _grading() -> list[Figure]:
    from core.store import SessionStore
    from tools.base import ToolContext
    from tools.imaging.fractures.tool import GradeFractures, GradeParams
    from tools.sample import load_sample

    with tempfile.TemporaryDirectory() as folder:
        store = SessionStore(Path(folder) / "session", max_file_mb=2048, max_session_mb=8192)
        ct = load_sample(store, Path(folder) / "cache")[0]
        started = time.perf_counter()
        result = GradeFractures().run(GradeParams(image=ct.handle), ToolContext(store))
        seconds = time.perf_counter() - started
    levels = len(result.tables[0].rows)
    return [
        Figure("grading the sample CT", seconds, "s", 45.0, f"{levels} levels, with the figure"),
        Figure("memory of grading", _peak_gb(), "GB", 4.0, "peak of the process, making the twin included"),
    ]


def _turns() -> list[Figure]:
    """Literature answer, the agent's own time and the checkpoint database, in whole turns of the embedded model."""
    from agent.assemble import build_assistant
    from agent.events import TurnDone
    from agent.models.embedded import EmbeddedChatModel
    from core.settings import load_settings

    spent: list[float] = []
    original = EmbeddedChatModel._generate
    EmbeddedChatModel._generate = _timing(original, spent)  # type: ignore[method-assign]
    try:
        with tempfile.TemporaryDirectory() as home, build_assistant(load_settings(home=Path(home))) as assistant:
            conversation = assistant.new_conversation("bench")

            def ask(question: str) -> tuple[float, float]:
                """Seconds of the turn, and those of them that neither model nor tools took."""
                spent.clear()
                started = time.perf_counter()
                *_, last = assistant.ask("bench", conversation, question)
                seconds = time.perf_counter() - started
                if not isinstance(last, TurnDone) or last.turn.error:
                    raise SystemExit(f"The turn failed: {last}")
                return seconds, seconds - sum(spent) - sum(call.seconds for call in last.turn.calls)

            first, _ = ask("How is the Genant grade defined?")
            later = [ask(question)[0] for question in _LITERATURE]
            assistant.load_sample("bench", conversation)
            views = [ask(f"Show the axial slice {40 + number} of ct1") for number in range(_TURNS)]
            database = sum(path.stat().st_size for path in Path(home).glob("checkpoints.sqlite*")) / 1024**2
    finally:
        EmbeddedChatModel._generate = original  # type: ignore[method-assign]
    return [
        Figure("literature answer", statistics.median(later), "s", 2.0, f"median of {len(later)}; the first {first:.1f} s"),
        Figure("the agent's own time", 1000 * statistics.median(own for _, own in views), "ms", 50.0,
               f"median of {_TURNS} turns, models and tools excluded"),
        Figure("checkpoints", database, "MB", 1.0, f"after {_TURNS} turns with pictures"),
    ]  # fmt: skip


_LITERATURE = (
    "What is RHLV?",
    "What does the literature say about calibration?",
    "How well does TotalSegmentator segment CT?",
    "Which systems predict outcomes from health records?",
    "What is a Hounsfield unit?",
)


def _timing(work: Callable[P, R], spent: list[float]) -> Callable[P, R]:
    def timed(*args: P.args, **kwargs: P.kwargs) -> R:
        started = time.perf_counter()
        try:
            return work(*args, **kwargs)
        finally:
            spent.append(time.perf_counter() - started)

    return timed


_PARTS: dict[str, Callable[[], list[Figure]]] = {"grading": _grading, "turns": _turns}

if __name__ == "__main__":
    sys.exit(main())
