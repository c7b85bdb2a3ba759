"""Cutting and encoding many documents by several processes through Ray Data; extra `ray`.

For a first filling on a machine of many cores, or a Ray cluster. The index is still written by one process.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from core.errors import MissingRequirement
from core.ports import Encoder
from retrieval.build import Prepared, prepare
from retrieval.chunking import Span
from retrieval.corpus import Document
from retrieval.index import Change, Index

_PART, _BATCH = 20_000, 128


def add_in_parallel(index: Index, documents: Iterable[Document], workers: int) -> Change:
    """Add documents, encoded by `workers` processes; each part of 20,000 is one write.

    Raises:
        MissingRequirement: Ray is not installed.
    """
    total = Change()
    remaining = iter(documents)
    while part := list(islice(remaining, _PART)):
        wanted = {document.id: document for document in part}
        total = total.plus(index.add_prepared(list(prepared(list(wanted.values()), index.encoder, workers))))
    return total


def prepared(documents: Sequence[Document], encoder: Encoder, workers: int) -> Iterator[Prepared]:
    """The documents in their order, cut and encoded by `workers` processes.

    Raises:
        MissingRequirement: Ray is not installed.
    """
    ray = _ray(workers)
    rows = [{"number": number, "body": document.model_dump_json()} for number, document in enumerate(documents)]
    made = ray.data.from_items(rows).map_batches(
        _Encoding,
        fn_constructor_kwargs={"encoder": encoder},
        batch_size=_BATCH,
        batch_format="numpy",
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
    )
    for row in sorted(made.take_all(), key=lambda row: int(row["number"])):
        spans = np.frombuffer(row["spans"], dtype=np.int64).reshape(-1, 2)
        vectors = np.frombuffer(row["vectors"], dtype=np.float32).reshape(len(spans), -1)
        yield Prepared(documents[int(row["number"])], tuple(Span(int(a), int(b)) for a, b in spans), vectors)


class _Encoding:
    """One worker, with an encoder of its own that loads at its first batch."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        documents = [Document.model_validate_json(body) for body in batch["body"]]
        done = prepare(documents, self._encoder.encode)
        spans = [np.array([(s.start, s.end) for s in one.spans], dtype=np.int64).tobytes() for one in done]
        return {
            "number": batch["number"],
            "spans": np.array(spans, dtype=object),
            "vectors": np.array([one.vectors.tobytes() for one in done], dtype=object),
        }


def _ray(workers: int) -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingRequirement("Ray", "pip install 'consilium[ray]'") from error
    if not ray.is_initialized():
        # The dashboard would listen on the machine's network, and usage statistics leave it.
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        ray.init(num_cpus=workers + 1, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")
    return ray
