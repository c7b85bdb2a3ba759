"""`consilium eval api-fuzz`: requests made from our own OpenAPI schema, right and wrong ones, and what went wrong.

schemathesis (`[fuzz]`) makes the requests; the service runs in a process of its own with the embedded model. Two thirds of
the requests name a conversation and a tool that exist, so that they reach further than the check of that. Counted as
faults are: an exception, a status of 500 or more, an answer that its schema does not allow, a request of over ten seconds,
and files left behind.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import SkipTest

import httpx

from core.errors import MissingRequirement
from core.types import Frozen
from evals.streams import resident_mb, search_opened, service

_SLOWEST_S = 10.0
_SEEDS = 20


class Fault(Frozen):
    """One request that did what none may."""

    operation: str
    request: str
    what: str


class Outcome(Frozen):
    """Of all requests: how they were answered, and the faults."""

    requests: int
    statuses: dict[str, int]
    operations: dict[str, int]
    slowest_s: float
    grown_mb: int
    faults: tuple[Fault, ...]


def run(arguments: argparse.Namespace) -> int:
    """Print the outcome; 1 when there is a fault."""
    done = fuzz_api(arguments.requests, arguments.seed)
    if arguments.json:
        print(done.model_dump_json())
        return 1 if done.faults else 0
    statuses = ", ".join(f"{status}: {count}" for status, count in sorted(done.statuses.items()))
    print(f"{done.requests} requests of {len(done.operations)} operations ({statuses}), {len(done.faults)} faults; "
          f"slowest {done.slowest_s:.1f} s, memory grown by {done.grown_mb} MB")  # fmt: skip
    for fault in done.faults[:40]:
        print(f"  {fault.operation}: {fault.what}\n    {fault.request[:300]}")
    return 1 if done.faults else 0


def fuzz_api(requests: int, seed: int) -> Outcome:
    """Make and send so many requests.

    Raises:
        MissingRequirement: schemathesis is not installed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        files = Path(scratch) / "tmp"
        files.mkdir()
        with service(Path(scratch) / "home", "embedded", TMPDIR=str(files)) as (url, process):
            search_opened(url)
            return _Run(url, process, files).go(requests, seed)


class _Run:
    """The requests of one run, and what came of them."""

    def __init__(self, url: str, process: int, files: Path) -> None:
        self._url = url
        self._process = process
        self._files = files
        self._known: set[Path] = set()
        self._tools: list[str] = []
        self._statuses: Counter[str] = Counter()
        self._operations: Counter[str] = Counter()
        self._faults: list[Fault] = []
        self._slowest = 0.0

    def go(self, requests: int, seed: int) -> Outcome:
        """Send in turns for every operation."""
        sample = httpx.post(f"{self._url}/api/conversations").raise_for_status().json()["id"]
        httpx.post(f"{self._url}/api/conversations/{sample}/sample", timeout=300.0).raise_for_status()
        # The first upload starts the process that reads uploads, whose folder stays as long as the service.
        first = {"files": ("note.txt", b"A note.", "text/plain")}
        httpx.post(f"{self._url}/api/conversations/{sample}/files", files=first, timeout=300.0).raise_for_status()
        self._tools = [tool["name"] for tool in httpx.get(f"{self._url}/api/tools").raise_for_status().json()]
        self._known = set(self._files.iterdir())  # folders that libraries make as they start
        before = 0.0
        # An operation without parameters has few different requests, so the rest come from further seeds.
        cases = itertools.chain.from_iterable(_cases(self._url, requests, seed + more) for more in range(_SEEDS))
        for number, case in enumerate(itertools.islice(cases, requests)):
            if number % 3:
                self._name_what_exists(case, sample, number)
            self._send(case)
            if number == requests // 4:  # weights and indexes are loaded by then
                before = resident_mb(self._process)
        return Outcome(
            requests=sum(self._statuses.values()),
            statuses=dict(self._statuses),
            operations=dict(self._operations),
            slowest_s=round(self._slowest, 2),
            grown_mb=round(resident_mb(self._process) - before) if before else 0,
            faults=tuple(self._faults),
        )

    def _name_what_exists(self, case: Any, sample: str, number: int) -> None:
        path = dict(case.path_parameters or {})
        if "conversation" in path and case.method != "DELETE":
            path["conversation"] = sample
        if "handle" in path:
            path["handle"] = ("ct1", "ct2", "record1")[number % 3]
        if "name" in path and "conversation" in path:
            path["name"] = self._tools[number % len(self._tools)]
        case.path_parameters = path
        if isinstance(case.body, dict) and "messages" in case.body:
            case.body = {**case.body, "model": "consilium"}

    def _send(self, case: Any) -> None:
        name = f"{case.method} {case.operation.path}"
        self._operations[name] += 1
        started = time.monotonic()
        try:
            response = case.call(base_url=self._url, timeout=120)
        except Exception as error:  # whatever the service lets through is a fault
            self._statuses["exception"] += 1
            self._note(name, case, f"{type(error).__name__}: {str(error)[:200]}")
            return
        spent = time.monotonic() - started
        self._slowest = max(self._slowest, spent)
        self._statuses[str(response.status_code)] += 1
        self._judge(name, case, response, spent)

    def _judge(self, name: str, case: Any, response: Any, spent: float) -> None:
        if response.status_code >= 500:
            self._note(name, case, f"status {response.status_code}: {response.text[:200]}")
        if spent > _SLOWEST_S:
            self._note(name, case, f"took {spent:.1f} s")
        left = set(self._files.iterdir()) - self._known
        if left:
            self._known |= left
            self._note(name, case, f"left behind: {', '.join(sorted(path.name for path in left)[:3])}")
        try:
            case.operation.validate_response(response)
        except Exception as error:  # schemathesis groups its own
            self._note(name, case, f"not as the schema says: {str(error)[:200]}")

    def _note(self, name: str, case: Any, what: str) -> None:
        body = repr(case.body) if isinstance(case.body, (dict, list)) else ""
        request = f"{case.formatted_path} {case.query or ''} {body}"[:500]
        self._faults.append(Fault(operation=name, request=request, what=what))


def _cases(url: str, requests: int, seed: int) -> Iterator[Any]:
    """Requests of every operation in turns, half of them wrong on purpose.

    Raises:
        MissingRequirement: schemathesis is not installed.
    """
    try:
        import schemathesis
        from hypothesis import HealthCheck, Phase, given, settings
        from hypothesis import seed as seeded
        from hypothesis.errors import Unsatisfiable
    except ImportError:
        raise MissingRequirement("schemathesis", "pip install -e '.[fuzz]'") from None
    schema = schemathesis.openapi.from_url(f"{url}/api/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    share = -(-requests // len(operations))
    made: list[list[Any]] = []
    for operation in operations:
        cases: list[Any] = []
        for mode, count in ((schemathesis.GenerationMode.POSITIVE, share - share // 2),
                            (schemathesis.GenerationMode.NEGATIVE, share // 2)):  # fmt: skip
            check = settings(
                max_examples=max(1, count), deadline=None, database=None, phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            with suppress(Unsatisfiable, SkipTest):  # an operation without parameters cannot be asked wrongly
                seeded(seed)(check(given(case=operation.as_strategy(generation_mode=mode))(_keeper(cases))))()
        made.append(cases)
    return (case for row in itertools.zip_longest(*made) for case in row if case is not None)


def _keeper(cases: list[Any]) -> Any:
    def keep(case: Any) -> None:
        cases.append(case)

    return keep
