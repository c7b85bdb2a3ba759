"""`consilium index`: make, fill, search, check and mend literature indexes."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import FileError, InputError
from core.settings import load_settings

if TYPE_CHECKING:
    from retrieval.index import Change, Index

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def run(arguments: argparse.Namespace) -> int:
    """Open the named index and do the one action."""
    from retrieval.encoders import MiniLM
    from retrieval.index import Index

    if getattr(arguments, "k", 1) < 1:
        raise InputError(f"--k must be 1 or more; got {arguments.k}.")
    if not _NAME.fullmatch(arguments.name):
        raise InputError(f"An index name is up to 64 letters, digits, dots, dashes and underscores; got {arguments.name!r}.")
    index = Index(load_settings().home / "indexes" / arguments.name, MiniLM())
    return _ACTIONS[arguments.action](index, arguments)


def _create(index: Index, arguments: argparse.Namespace) -> int:
    index.create(force=arguments.force)
    _tell(arguments, {"index": index.name, "created": True}, f"Made index {index.name!r}.")
    return 0


def _add(index: Index, arguments: argparse.Namespace) -> int:
    from retrieval.readers import Skipped, read_paths

    skipped: list[Skipped] = []

    def report(done: Change) -> None:
        print(f"  on disk: {done.added} added, {done.replaced} replaced, {done.unchanged} unchanged", file=sys.stderr)

    change = index.add(read_paths([Path(path) for path in arguments.paths], skipped), report)
    for fault in skipped:
        print(f"  skipped {fault}", file=sys.stderr)
    outcome = {**change.model_dump(), "skipped": [fault.model_dump() for fault in skipped]}
    text = (
        f"{index.name}: {change.added} added, {change.replaced} replaced, {change.unchanged} unchanged, "
        f"{len(skipped)} skipped."
    )
    _tell(arguments, outcome, text)
    nothing_read = not (change.added or change.replaced or change.unchanged)
    return 2 if skipped and nothing_read else 0


def _remove(index: Index, arguments: argparse.Namespace) -> int:
    index.current().store.close()
    change = index.remove(arguments.ids)
    _tell(arguments, change.model_dump(), f"{index.name}: {change.removed} removed.")
    return 0


def _stats(index: Index, arguments: argparse.Namespace) -> int:
    generation = index.current()
    generation.store.close()
    manifest = generation.manifest
    size = sum(path.stat().st_size for path in generation.folder.iterdir())
    outcome = {
        "index": index.name,
        "generation": generation.folder.name,
        "bytes": size,
        **manifest.model_dump(mode="json", exclude={"files"}),
    }
    text = (
        f"{index.name}: {manifest.documents} documents, {manifest.passages} passages, {size / 1e6:.1f} MB, "
        f"encoder {manifest.encoder}, written {manifest.created:%Y-%m-%d %H:%M} UTC"
    )
    _tell(arguments, outcome, text)
    return 0


def _verify(index: Index, arguments: argparse.Namespace) -> int:
    faults = index.verify()
    text = "\n".join(faults) + f"\nMend it: consilium index repair {index.name}" if faults else f"{index.name} is whole."
    _tell(arguments, {"index": index.name, "faults": faults}, text)
    return 3 if faults else 0


def _repair(index: Index, arguments: argparse.Namespace) -> int:
    done = index.repair()
    _tell(arguments, {"index": index.name, "done": done}, "\n".join(done) or f"{index.name} was whole.")
    return 0


def _search(index: Index, arguments: argparse.Namespace) -> int:
    from retrieval.search import HybridSearch

    search = HybridSearch(index)
    if arguments.queries:
        queries = list(_read_queries(Path(arguments.queries)))
        rankings = search.rank_many([text for _, text in queries], arguments.k, arguments.mode)
        for (query, _), hits in zip(queries, rankings, strict=True):
            print(json.dumps({"id": query, "hits": [hit.as_json() for hit in hits]}, ensure_ascii=False))
        return 0
    if not arguments.query:
        raise InputError('Give a QUERY, or --queries FILE.jsonl with lines {"id", "text"}.')
    (hits,) = search.rank_many([arguments.query], arguments.k, arguments.mode)
    if arguments.json:
        print(json.dumps({"id": "", "hits": [hit.as_json() for hit in hits]}, ensure_ascii=False))
        return 0
    for number, hit in enumerate(hits, start=1):
        document = search.document(hit.document)
        start, end = hit.span
        print(f"{number:3} {hit.score:.4f} {hit.document}  {document.title}\n      {document.text[start:end][:300]}")
    return 0


def _read_queries(path: Path) -> Iterator[tuple[str | int, str]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{path.name!r} cannot be read as UTF-8 text: {error}.") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            query, text = row["id"], row["text"]
        except (ValueError, KeyError, TypeError) as error:
            raise FileError(f'Line {number} of {path.name!r} must be {{"id", "text"}}; got {line[:80]!r}.') from error
        yield query, str(text)


def _tell(arguments: argparse.Namespace, outcome: dict[str, object], text: str) -> None:
    print(json.dumps(outcome) if arguments.json else text)


_ACTIONS: dict[str, Callable[[Index, argparse.Namespace], int]] = {
    "create": _create,
    "add": _add,
    "remove": _remove,
    "stats": _stats,
    "search": _search,
    "verify": _verify,
    "repair": _repair,
}
