"""`consilium eval fuzz`: mutated files through every reader, in processes with limits, and what went wrong.

A reader may refuse a file with one of our errors. Counted as faults are: any other exception, a process that died, a file that
took over ten seconds of computing or a minute in all, memory over the limit, and files left behind.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import resource
import signal
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from core.errors import ConsiliumError
from core.types import Frozen
from evals import fuzz_seeds

_SLOWEST_S = 10
"""Of computing; the clock on the wall also counts what other programs do."""
_LONGEST_S = 60
_BATCH = 250
_MEMORY_MB = 4096


class Fault(Frozen):
    """One file that did what none may."""

    reader: str
    seed: str
    number: int
    what: str


class Outcome(Frozen):
    """Of all files: how many were read, how many refused in words, and the faults."""

    files: int
    read: int
    refused: int
    seconds: float
    peak_mb: int
    by_reader: dict[str, int]
    faults: tuple[Fault, ...]


class _TooSlow(BaseException):
    """Not an `Exception`, so that no reader catches it."""


def run(arguments: argparse.Namespace) -> int:
    """Print the outcome; 1 when there is a fault."""
    done = fuzz(arguments.files, arguments.seed)
    if arguments.json:
        print(done.model_dump_json())
        return 1 if done.faults else 0
    print(
        f"{done.files} files: {done.read} read, {done.refused} refused in words, {len(done.faults)} faults; "
        f"{done.seconds:.0f} s, at most {done.peak_mb} MB"
    )
    print("  " + ", ".join(f"{reader} {count}" for reader, count in sorted(done.by_reader.items())))
    for fault in done.faults[:40]:
        print(f"  {fault.reader}, {fault.seed}, number {fault.number}: {fault.what}")
    return 1 if done.faults else 0


def fuzz(files: int, seed: int) -> Outcome:
    """Mutate and read so many files."""
    started = time.monotonic()
    read = refused = peak = 0
    faults: list[Fault] = []
    by_reader: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        seeds = fuzz_seeds.make(Path(scratch) / "seeds")
        _warm(seeds, Path(scratch) / "warm")
        jobs = [(number, *seeds[number % len(seeds)]) for number in range(files)]
        by_reader.update(reader for _, reader, _ in jobs)
        for first in range(0, files, _BATCH):
            part = jobs[first : first + _BATCH]
            while part:
                done = _in_process(part, seed, Path(scratch))
                read, refused, peak = read + done.read, refused + done.refused, max(peak, done.peak)
                faults += done.faults
                part = part[done.finished :]
    return Outcome(
        files=files, read=read, refused=refused, seconds=round(time.monotonic() - started, 1), peak_mb=peak,
        by_reader=dict(by_reader), faults=tuple(faults),
    )  # fmt: skip


def _warm(seeds: Sequence[tuple[str, Path]], folder: Path) -> None:
    """Read every whole file once, so that no child spends its time on imports and weights.

    A reader that fails here fails again in the child, where it is counted.
    """
    for number, (reader, path) in enumerate(seeds):
        into = folder / str(number)
        into.mkdir(parents=True)
        with contextlib.suppress(Exception):
            fuzz_seeds.READERS[reader](path, into)


class _Part(Frozen):
    finished: int
    read: int = 0
    refused: int = 0
    peak: int = 0
    faults: tuple[Fault, ...] = ()


def _in_process(jobs: Sequence[tuple[int, str, Path]], seed: int, scratch: Path) -> _Part:
    """Read a batch in a child; when it dies, the file it was reading is a fault and the rest goes on in another."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_child, args=(jobs, seed, scratch, sender), daemon=True)
    child.start()
    sender.close()
    told: list[tuple[str, str]] = []
    peak = 0
    try:
        while receiver.poll(_LONGEST_S + 20):
            kind, what, used = json.loads(receiver.recv_bytes())
            told.append((kind, what))
            peak = max(peak, used)
    except EOFError:
        pass
    if child.is_alive():
        child.kill()
    child.join()
    if len(told) < len(jobs):
        signalled = (
            f"the process ended by signal {-(child.exitcode or 0)}"
            if (child.exitcode or 0) < 0
            else "the process hung or ended"
        )
        told.append(("fault", signalled))
    faults = [
        Fault(reader=reader, seed=path.name, number=number, what=what)
        for (number, reader, path), (kind, what) in zip(jobs, told, strict=False)
        if kind == "fault"
    ]
    kinds = Counter(kind for kind, _ in told)
    return _Part(finished=len(told), read=kinds["read"], refused=kinds["refused"], peak=peak, faults=tuple(faults))


def _mapped() -> int:
    """Bytes of address space of this process."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()


def _child(
    jobs: Sequence[tuple[int, str, Path]], seed: int, scratch: Path, sender: multiprocessing.connection.Connection
) -> None:
    # A forked child starts with all that its parent has mapped: what it needs itself is limited.
    limit = _mapped() + _MEMORY_MB * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, _slow)
    signal.signal(signal.SIGPROF, _slow)
    tempfile.tempdir = str(scratch / f"tmp-{os.getpid()}")
    Path(tempfile.tempdir).mkdir()
    for number, reader, path in jobs:
        kind, what = _one(number, reader, path, seed, scratch)
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        sender.send_bytes(json.dumps([kind, what, used]).encode())
    sender.close()
    os._exit(0)


def _slow(signal_number: int, frame: FrameType | None) -> None:
    raise _TooSlow


def _one(number: int, reader: str, path: Path, seed: int, scratch: Path) -> tuple[str, str]:
    pick = random.Random(seed * 1_000_003 + number)  # noqa: S311 - chooses mutations
    folder = scratch / f"case-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    file = folder / path.name
    file.write_bytes(mutated(path.read_bytes(), pick))
    read: Callable[[Path, Path], bool] = fuzz_seeds.READERS[reader]
    signal.setitimer(signal.ITIMER_PROF, _SLOWEST_S)
    signal.alarm(_LONGEST_S)
    try:
        outcome = ("read" if read(file, folder) else "refused", "")
    except ConsiliumError as error:
        outcome = ("refused", type(error).__name__)
    except _TooSlow:
        outcome = ("fault", f"took over {_SLOWEST_S} s of computing or {_LONGEST_S} s in all")
    except MemoryError:
        outcome = ("fault", f"needed more than {_MEMORY_MB} MB")
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        outcome = ("fault", f"{type(error).__name__}: {str(error)[:100]} ({Path(last.filename).name}:{last.lineno})")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
    left = [p.name for p in Path(tempfile.gettempdir()).iterdir()]
    _sweep(folder)
    if left:
        _sweep(Path(tempfile.gettempdir()))
        return "fault", f"left behind: {', '.join(left[:3])}"
    return outcome


def _sweep(folder: Path) -> None:
    for item in sorted(folder.rglob("*"), reverse=True):
        item.rmdir() if item.is_dir() and not item.is_symlink() else item.unlink()


def mutated(content: bytes, pick: random.Random) -> bytes:
    """One to four changes: bits, bytes of interest, pieces cut, doubled, moved or overwritten, the end cut off."""
    data = bytearray(content)
    for _ in range(pick.randint(1, 4)):
        if not data:
            return bytes(data)
        at = pick.randrange(len(data)) if pick.random() < 0.6 else pick.randrange(min(len(data), 512))
        length = pick.randint(1, min(64, len(data)))
        change = pick.randrange(7)
        if change == 0:
            data[at] ^= 1 << pick.randrange(8)
        elif change == 1:
            data[at : at + 4] = pick.choice(
                (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\1")
            )
        elif change == 2:
            del data[at : at + length]
        elif change == 3:
            data[at:at] = data[at : at + length] * pick.randint(1, 8)
        elif change == 4:
            data[at : at + length] = pick.randbytes(length)
        elif change == 5:
            data = data[:at]
        else:
            data[at:at] = pick.choice(
                (
                    b"<",
                    b">",
                    b'"',
                    b"{",
                    b"]",
                    b"\n",
                    b"\r",
                    b"\0",
                    b"\xef\xbb\xbf",
                    b"&x;",
                    b"9" * 400,
                    b"[" * 2000,
                    b"null",
                )
            )
    return bytes(data)
