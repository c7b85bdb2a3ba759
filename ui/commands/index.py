"""`consilium index`: make, fill, search, check and mend literature indexes."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import FileError, InputError
from core.settings import load_settings

if TYPE_CHECKING:
    from retrieval.corpus import Document
    from retrieval.index import Change, Index
    from retrieval.readers import Skipped

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def run(arguments: argparse.Namespace) -> int:
    """Open the named index and do the one action."""
    from retrieval.encoders import MiniLM
    from retrieval.index import Index
    from retrieval.named import encoder_named, encoder_of

    if getattr(arguments, "k", 1) < 1:
        raise InputError(f"--k must be 1 or more; got {arguments.k}.")
    if not _NAME.fullmatch(arguments.name):
        raise InputError(f"An index name is up to 64 letters, digits, dots, dashes and underscores; got {arguments.name!r}.")
    settings = load_settings()
    folder = settings.home / "indexes" / arguments.name
    key = settings.api_key.get_secret_value()
    given = getattr(arguments, "encoder", None)
    index = Index(folder, encoder_named(given, key) if given else encoder_of(folder, MiniLM(), key))
    return _ACTIONS[arguments.action](index, arguments)


def _create(index: Index, arguments: argparse.Namespace) -> int:
    index.create(force=arguments.force)
    # Beside the generations, so that whoever opens the index knows what to encode a question with.
    (index.folder / "encoder").write_text(arguments.encoder, encoding="utf-8")
    _tell(arguments, {"index": index.name, "created": True}, f"Made index {index.name!r}.")
    return 0


def _add(index: Index, arguments: argparse.Namespace) -> int:
    from retrieval.readers import read_paths

    skipped: list[Skipped] = []
    documents = read_paths([Path(path) for path in arguments.paths], skipped)
    if arguments.workers > 1:
        from retrieval.bulk import add_in_parallel

        change = add_in_parallel(index, documents, arguments.workers)
    else:
        change = _added(index, documents)
    return _tell_added(index, arguments, change, skipped)


def _added(index: Index, documents: Iterable[Document]) -> Change:
    def report(done: Change) -> None:
        print(f"  on disk: {done.added} added, {done.replaced} replaced, {done.unchanged} unchanged", file=sys.stderr)

    def encoded(done: int) -> None:
        print(f"  encoded: {done} of the next batch", file=sys.stderr)

    return index.add(documents, report, encoded=encoded)


def _tell_added(index: Index, arguments: argparse.Namespace, change: Change, skipped: list[Skipped]) -> int:
    for fault in skipped:
        print(f"  skipped {fault}", file=sys.stderr)
    for name in change.conflicts:
        print(f"  {name} was given with different contents; the last is kept", file=sys.stderr)
    outcome = {**change.model_dump(), "skipped": [fault.model_dump() for fault in skipped]}
    text = (
        f"{index.name}: {change.added} added, {change.replaced} replaced, {change.unchanged} unchanged, "
        f"{len(skipped)} skipped."
    )
    _tell(arguments, outcome, text)
    nothing_read = not (change.added or change.replaced or change.unchanged)
    return 2 if skipped and nothing_read else 0


def _fetch(index: Index, arguments: argparse.Namespace) -> int:
    from retrieval.eutils import PubMed
    from retrieval.readers import read_paths

    print(f"  sending this query, and nothing else, to {arguments.server}: {arguments.query}", file=sys.stderr)
    folder = index.folder / "fetched"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{hashlib.sha256(arguments.query.encode()).hexdigest()[:16]}.xml"
    service = PubMed(arguments.server, os.environ.get("NCBI_API_KEY", ""), arguments.email)
    written, found = service.fetch(
        arguments.query, arguments.most, target, lambda done, of: print(f"  fetched: {done} of {of}", file=sys.stderr)
    )
    print(f"  {written} of {found} articles that PubMed finds", file=sys.stderr)
    skipped: list[Skipped] = []
    change = _added(index, read_paths([target], skipped))
    return _tell_added(index, arguments, change, skipped)


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
    from core.ports import SearchFilters
    from retrieval.named import reranker_named
    from retrieval.search import HybridSearch

    search = HybridSearch(index, reranker=reranker_named(arguments.reranker, load_settings().api_key.get_secret_value()))
    filters = SearchFilters(
        year_from=arguments.year_from,
        year_to=arguments.year_to,
        include_retracted=arguments.include_retracted,
        types=tuple(arguments.type),
        mesh=tuple(arguments.mesh),
        languages=tuple(arguments.language),
    )
    if filters.year_from is not None and filters.year_to is not None and filters.year_from > filters.year_to:
        raise InputError(f"No year lies from {filters.year_from} to {filters.year_to}; --from is to be at most --to.")
    if arguments.queries:
        queries = list(_read_queries(Path(arguments.queries)))
        rankings = search.rank_many([text for _, text in queries], arguments.k, arguments.mode, filters)
        for (query, _), hits in zip(queries, rankings, strict=True):
            print(json.dumps({"id": query, "hits": [hit.as_json() for hit in hits]}, ensure_ascii=False))
        return 0
    if not arguments.query:
        raise InputError('Give a QUERY, or --queries FILE.jsonl with lines {"id", "text"}.')
    (hits,) = search.rank_many([arguments.query], arguments.k, arguments.mode, filters)
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
    "fetch": _fetch,
    "add": _add,
    "remove": _remove,
    "stats": _stats,
    "search": _search,
    "verify": _verify,
    "repair": _repair,
}
