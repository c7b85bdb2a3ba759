"""`consilium image-index`: make, fill and search image indexes, train and run an encoder."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.errors import FileError, InputError
from core.pseudonym import Pseudonyms
from core.settings import Settings, load_settings

if TYPE_CHECKING:
    from core.ports import ImageEncoder, Picture
    from retrieval.images.index import ImageChange, ImageIndex

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def run(arguments: argparse.Namespace) -> int:
    """Do the one action."""
    return _ACTIONS[arguments.action](arguments, load_settings())


def _index(arguments: argparse.Namespace, settings: Settings) -> ImageIndex:
    from agent.assemble import image_encoder
    from retrieval.images.index import ImageIndex, encoder_of

    if not _NAME.fullmatch(arguments.name):
        raise InputError(f"An index name is up to 64 letters, digits, dots, dashes and underscores; got {arguments.name!r}.")
    folder = settings.home / "image-indexes" / arguments.name
    remembered = "" if arguments.action == "create" else encoder_of(folder)
    return ImageIndex(folder, image_encoder(settings, arguments.encoder or remembered))


def _create(arguments: argparse.Namespace, settings: Settings) -> int:
    index = _index(arguments, settings)
    wanted = arguments.encoder or settings.image_encoder
    index.create(force=arguments.force, encoder=str(Path(wanted).absolute()) if Path(wanted).exists() and wanted else wanted)
    _tell(arguments, {"index": index.name, "encoder": index.encoder.identity}, f"Made image index {index.name!r}.")
    return 0


def _add(arguments: argparse.Namespace, settings: Settings) -> int:
    from retrieval.images.sources import read_pictures
    from tools.imaging.pictures import FilmReader

    index = _index(arguments, settings)
    pseudonyms = Pseudonyms.kept_in(settings.home)
    skipped: list[dict[str, str]] = []

    def skip(name: str, reason: str) -> None:
        skipped.append({"file": name, "reason": reason})
        print(f"  skipped {name}: {reason}", file=sys.stderr)

    def report(done: ImageChange) -> None:
        print(f"  on disk: {done.added} added, {done.replaced} replaced, {done.unchanged} unchanged", file=sys.stderr)

    pictures = read_pictures(Path(arguments.folder), FilmReader(pseudonyms), pseudonyms.of, skip)
    change = index.add(pictures, report)
    outcome = {**change.model_dump(), "skipped": skipped}
    counts = f"{change.added} added, {change.replaced} replaced, {change.unchanged} unchanged, {len(skipped)} skipped"
    _tell(arguments, outcome, f"{index.name}: {counts}.")
    return 2 if skipped and not any(change.model_dump().values()) else 0


def _remove(arguments: argparse.Namespace, settings: Settings) -> int:
    index = _index(arguments, settings)
    index.current().store.close()
    removed = index.remove(arguments.keys)
    _tell(arguments, {"removed": removed}, f"{index.name}: {removed} removed.")
    return 0


def _stats(arguments: argparse.Namespace, settings: Settings) -> int:
    index = _index(arguments, settings)
    faults = index.verify()
    if faults:
        _tell(arguments, {"index": index.name, "faults": faults}, "\n".join(faults))
        return 3
    generation = index.current()
    labels = dict(generation.store.execute("SELECT label, count(*) FROM pictures GROUP BY label").fetchall())
    generation.store.close()
    manifest = generation.manifest
    outcome = {"index": index.name, "labels": labels, **manifest.model_dump(mode="json", exclude={"files", "null"})}
    _tell(arguments, outcome, f"{index.name}: {manifest.pictures} pictures, encoder {manifest.encoder}, labels {labels}")
    return 0


def _search(arguments: argparse.Namespace, settings: Settings) -> int:
    from retrieval.images.search import ImageSearch
    from tools.imaging.pictures import FilmReader

    search = ImageSearch(_index(arguments, settings))
    if arguments.image:
        picture = _query(FilmReader(Pseudonyms.kept_in(settings.home)).read(Path(arguments.image)))
        found = search.search(
            picture, arguments.k, tuple(arguments.box) if arguments.box else None, text=arguments.text or ""
        )
    elif arguments.text:
        found = search.search_text(arguments.text, arguments.k)
    else:
        raise InputError("Give an IMAGE, or --text WORDS where the encoder reads text.")
    hits = [
        {
            "key": n.key,
            "similarity": round(n.similarity, 5),
            "closer_than": None if np.isnan(n.closer_than) else round(n.closer_than, 4),
            "label": n.label,
            "view": n.view,
            "report": n.report,
        }
        for n in found.neighbours
    ]
    outcome = {
        "hits": hits, "searched": found.searched, "same_patient_left_out": found.same_patient,
        "copies_left_out": found.duplicates, "nearest_too_far": found.nearest_too_far,
    }  # fmt: skip
    far = (
        f"No close match (nearest cosine {found.nearest_too_far:.3f})."
        if found.nearest_too_far is not None
        else "Nothing found."
    )
    lines = [f"{number:3} {hit['similarity']:.4f} {hit['key']}  {hit['label']}" for number, hit in enumerate(hits, start=1)]
    _tell(arguments, outcome, "\n".join(lines) or far)
    return 0


def _query(pictures: tuple[Picture, ...]) -> Picture:
    return pictures[-1]


def _embed(arguments: argparse.Namespace, settings: Settings) -> int:
    from agent.assemble import image_encoder

    encoder = image_encoder(settings, arguments.encoder)
    out = Path(arguments.out)
    if out.suffix != ".npy":
        raise InputError(f"--out must end in .npy, got {out.name!r}.")
    names, vectors = _embedded(Path(arguments.folder), encoder, settings)
    out.parent.mkdir(parents=True, exist_ok=True)
    np.save(out, vectors, allow_pickle=False)
    outcome = {"rows": len(vectors), "dimension": encoder.dimension, "encoder": encoder.identity, "names": names}
    _tell(arguments, outcome, f"{out.name}: {len(vectors)} rows of {encoder.dimension}, encoder {encoder.identity}")
    return 0


def _embedded(source: Path, encoder: ImageEncoder, settings: Settings) -> tuple[list[str], np.ndarray]:
    """One row per file in name order; of a `.npz`, one per picture: train, val, test, then other arrays by name."""
    from retrieval.images.index import encode_pictures
    from retrieval.images.sources import array_rows
    from tools.imaging.pictures import FilmReader

    if not source.exists():
        raise FileError(f"{source.name!r} is not there.")
    paths = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
    reader = FilmReader(Pseudonyms.kept_in(settings.home))
    names: list[str] = []
    rows: list[np.ndarray] = []
    for path in paths:
        if path.suffix == ".npz":
            for name, images in array_rows(path):
                names += [f"{path.name}/{name}-{row:06d}" for row in range(len(images))]
                rows.append(encoder.encode(list(images)))
        elif path.suffix not in (".csv", ".json", ".txt", ".md"):
            names.append(path.relative_to(source).as_posix() if source.is_dir() else path.name)
            try:
                rows.append(encode_pictures(encoder, [_query(reader.read(path))]))
            except FileError as error:
                raise FileError(f"{names[-1]}: {error}") from error
    if not rows:
        raise FileError(f"{source.name!r} holds no images.")
    return names, np.concatenate(rows)


def _train(arguments: argparse.Namespace, settings: Settings) -> int:
    from retrieval.encoders import MiniLM
    from retrieval.images.train import TrainConfig, train
    from retrieval.images.trainingset import read_training_set
    from tools.imaging.pictures import FilmReader

    reader = FilmReader(Pseudonyms.kept_in(settings.home))
    config = TrainConfig()
    if arguments.config:
        try:
            config = TrainConfig.model_validate_json(Path(arguments.config).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{arguments.config!r} is no training recipe: {error}") from error
    if arguments.objective:
        config = config.model_copy(update={"objective": arguments.objective})
    data = read_training_set(Path(arguments.folder), lambda path: _query(reader.read(path)).pixels)
    out = Path(arguments.out)
    train(
        data,
        out,
        config,
        MiniLM() if any(data.reports) and config.objective == "separate" else None,
        lambda line: print(line, file=sys.stderr),
        arguments.device,
    )
    weights = out / "encoder.safetensors"
    _tell(arguments, {"weights": str(weights), "pictures": len(data)}, f"{weights}: trained on {len(data)} pictures")
    return 0


def _tell(arguments: argparse.Namespace, outcome: dict[str, object], text: str) -> None:
    print(json.dumps(outcome) if arguments.json else text)


_ACTIONS: dict[str, Callable[[argparse.Namespace, Settings], int]] = {
    "create": _create,
    "add": _add,
    "remove": _remove,
    "stats": _stats,
    "search": _search,
    "embed": _embed,
    "train": _train,
}
