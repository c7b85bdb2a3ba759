"""Collections of literature and of images: made, filled, browsed, searched without a conversation, and removed."""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from agent.documents import ATTACHED
from core.errors import FileError, IndexDamaged, InputError
from core.ports import Encoder, NeighbourOutcome, Reranker, Retriever, SearchFilters, SearchOutcome, narrowed
from core.pseudonym import Pseudonyms
from core.settings import Settings
from core.types import Frozen, Passage, SearchScope
from grounding import quality

if TYPE_CHECKING:
    from core.ports import ImageEncoder
    from retrieval.corpus import Document
    from retrieval.generation import Generation
    from retrieval.images.index import ImageIndex
    from retrieval.index import Index
    from retrieval.vectors.mirror import Mirror

Kind = Literal["literature", "images"]
Told = Callable[[str], None]
_Thing = TypeVar("_Thing")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_FOLDERS: dict[Kind, str] = {"literature": "indexes", "images": "image-indexes"}
_STARTER = "starter"
_POOL = 60


class Collection(Frozen):
    """What is known of a collection. `fault` says why it cannot be used, empty when it can."""

    name: str
    kind: Kind
    entries: int = 0
    passages: int = 0
    encoder: str = ""
    updated: datetime | None = None
    megabytes: float = 0.0
    own: bool = True
    always: bool = False
    fault: str = ""


class Entry(Frozen):
    """A document or picture of a collection, as a line of its list."""

    id: str
    title: str
    year: int | None = None
    venue: str = ""
    design: str = ""
    flags: tuple[str, ...] = ()
    thumbnail: bytes = b""


class Listing(Frozen):
    """Some entries of a collection, and how many there are."""

    total: int
    entries: tuple[Entry, ...]


class Opened(Frozen):
    """A whole document, cut as it is searched: [start, end) of each passage in its text."""

    title: str
    text: str
    about: Passage
    passages: tuple[tuple[int, int], ...]


class Added(Frozen):
    """What adding files did; one line per file that could not be read."""

    added: int
    replaced: int
    unchanged: int
    skipped: tuple[str, ...]


class Library:
    """The collections below the home folder. One writer at a time; readers see the generation that was current."""

    def __init__(self, settings: Settings, encoder: Encoder, images: Callable[[], ImageEncoder]) -> None:
        self._settings = settings
        self._encoder = encoder
        self._images = images
        self._searches: dict[str, Retriever] = {}
        self._second_look: tuple[Reranker | None, Mirror | None] | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let go of the vector store, if the settings name one."""
        with self._lock:
            mirror = self._second_look[1] if self._second_look else None
            if mirror is not None:
                mirror.close()
            self._searches.clear()

    def collections(self) -> tuple[Collection, ...]:
        """All collections, those of literature first."""
        found = [self._literature(name) for name in self._names("literature")]
        return tuple(found + [self._pictures(name) for name in self._names("images")])

    def create(self, name: str, kind: Kind) -> None:
        """Make an empty collection.

        Raises:
            InputError: the name is not allowed, or there is one of it already.
        """
        if not is_collection_name(name):
            raise InputError(
                "The name of a collection is up to 64 letters, digits, dots, dashes and underscores, and not "
                f"{ATTACHED!r}; got {name!r}."
            )
        self._index(name).create() if kind == "literature" else self._image_index(name).create()

    def remove(self, name: str, kind: Kind) -> None:
        """Remove a collection with all that is in it. Raises InputError for one that is not there, or ships with us."""
        self._known(name, kind)
        if kind == "literature" and name == _STARTER:
            raise InputError("The starter collection ships with Consilium and would be made again at the next start.")
        with self._lock:
            self._searches.pop(name, None)
        shutil.rmtree(self._folder(name, kind))

    def add(self, name: str, kind: Kind, paths: Sequence[Path], told: Told = lambda words: None) -> Added:
        """Add files; what is there already with the same content is left. `told` hears how far it is.

        Raises:
            InputError: there is no such collection, or it is the starter.
            FileError: nothing could be read.
        """
        self._known(name, kind)
        if kind == "literature" and name == _STARTER:
            raise InputError("The starter collection is ours and is kept as it ships. Make a collection of your own first.")
        done = self._add_documents(name, paths, told) if kind == "literature" else self._add_pictures(name, paths, told)
        if done.skipped and not (done.added or done.replaced or done.unchanged):
            raise FileError(f"Nothing could be read. {' '.join(done.skipped[:5])}")
        return done

    def _add_documents(self, name: str, paths: Sequence[Path], told: Told) -> Added:
        from retrieval.readers import Skipped, read_paths

        skipped: list[Skipped] = []
        read = _counted(read_paths(list(paths), skipped), told)
        change = self._index(name).add(read, encoded=lambda count: told(f"{count} encoded"))
        return Added(
            added=change.added, replaced=change.replaced, unchanged=change.unchanged,
            skipped=tuple(str(fault) for fault in skipped),
        )  # fmt: skip

    def _add_pictures(self, name: str, paths: Sequence[Path], told: Told) -> Added:
        from retrieval.images.sources import read_pictures
        from tools.imaging.pictures import FilmReader

        pseudonyms = Pseudonyms.kept_in(self._settings.home)
        skipped: list[str] = []
        folders = dict.fromkeys(path.parent for path in paths)
        total = [0, 0, 0]
        for folder in folders:
            pictures = read_pictures(
                folder, FilmReader(pseudonyms), pseudonyms.of, lambda file, why: skipped.append(f"{file}: {why}")
            )
            change = self._image_index(name).add(_counted(pictures, told))
            total = [a + b for a, b in zip(total, (change.added, change.replaced, change.unchanged), strict=True)]
        return Added(added=total[0], replaced=total[1], unchanged=total[2], skipped=tuple(skipped))

    def remove_entry(self, name: str, kind: Kind, entry: str) -> None:
        """Remove one document or picture."""
        self._known(name, kind)
        if kind == "literature":
            self._index(name).remove([entry])
        else:
            self._image_index(name).remove([entry])

    def entries(self, name: str, kind: Kind, words: str = "", start: int = 0, count: int = 25) -> Listing:
        """Entries whose title (or key, or label) has the words, in the order they came."""
        self._known(name, kind)
        return self._documents(name, words, start, count) if kind == "literature" else self._films(name, words, start, count)

    def _documents(self, name: str, words: str, start: int, count: int) -> Listing:
        where = "instr(lower(json_extract(body, '$.title') || ' ' || id), ?) > 0"
        with closing(self._generation(name).store) as store:
            ((total,),) = store.execute(f"SELECT count(*) FROM documents WHERE {where}", (words.lower(),))  # noqa: S608
            rows = store.execute(
                f"SELECT body FROM documents WHERE {where} ORDER BY row LIMIT ? OFFSET ?",  # noqa: S608 - fixed words
                (words.lower(), count, start),
            ).fetchall()
        return Listing(total=total, entries=tuple(_entry(json.loads(body)) for (body,) in rows))

    def _films(self, name: str, words: str, start: int, count: int) -> Listing:
        where = "instr(lower(key || ' ' || label || ' ' || view), ?) > 0"
        with closing(self._image_index(name).current().store) as store:
            ((total,),) = store.execute(f"SELECT count(*) FROM pictures WHERE {where}", (words.lower(),))  # noqa: S608
            rows = store.execute(
                f"SELECT key, label, modality, view, synthetic, thumbnail FROM pictures WHERE {where}"  # noqa: S608
                " ORDER BY row LIMIT ? OFFSET ?",
                (words.lower(), count, start),
            ).fetchall()
        return Listing(total=total, entries=tuple(
            Entry(id=key, title=key, venue=" ".join(part for part in (modality, view) if part), design=label,
                  flags=("synthetic",) if synthetic else (), thumbnail=thumbnail)
            for key, label, modality, view, synthetic, thumbnail in rows
        ))  # fmt: skip

    def open(self, name: str, document: str) -> Opened:
        """A document with its passages. Raises InputError when it is not there."""
        self._known(name, "literature")
        generation = self._generation(name)
        with closing(generation.store) as store:
            found = store.execute("SELECT row, body FROM documents WHERE id = ?", (document,)).fetchone()
        if found is None:
            raise InputError(f"There is no document {document!r} in the collection {name!r}.")
        from retrieval.corpus import Document

        read = Document.model_validate_json(found[1])
        position = int((generation.documents[:, 0] == found[0]).argmax())
        first = generation.first
        spans = generation.passages[first[position] : first[position + 1], 1:3]
        return Opened(
            title=read.title or read.id, text=read.text, about=_about(read, name),
            passages=tuple((int(start), int(end)) for start, end in spans),
        )  # fmt: skip

    def search(self, words: str, scope: SearchScope, k: int = 10) -> SearchOutcome:
        """Passages of the collections in the scope (of all, for none), best first, within its limits.

        Raises:
            InputError: nothing is asked, or a collection is not there.
        """
        from tools.literature.sources import within_scope

        if not words.strip():
            raise InputError("Say what to look for.")
        names = scope.corpora or tuple(self._names("literature"))
        for name in names:
            self._known(name, "literature")
        found = self.retriever(names).search(words, _POOL, narrowed(SearchFilters(include_retracted=True), scope))
        kept = within_scope(found, scope)
        return replace(kept, passages=kept.passages[:k])

    def retriever(self, names: Sequence[str]) -> Retriever:
        """A search over these collections: the one that conversations use too.

        Raises:
            SettingError: there is no collection of that name.
            InputError, MissingRequirement: the reranker or the vector store of the settings cannot be had.
        """
        from retrieval.several import SeveralSearch

        return SeveralSearch({name: self._search(name) for name in names})

    def by_default(self) -> tuple[str, ...]:
        """The collections of literature that are searched where none is chosen.

        Those of the setting `indexes` where it is given, else all that can be opened.
        """
        if "indexes" in self._settings.model_fields_set:
            return self._settings.indexes
        names = dict.fromkeys((*self._settings.indexes, *self._names("literature")))
        return tuple(name for name in names if name in self._settings.indexes or self._opens(name))

    def _opens(self, name: str) -> bool:
        if name in self._searches:
            return True
        try:
            self._generation(name).store.close()
        except (IndexDamaged, InputError):
            return False
        return True

    def neighbours(self, name: str, path: Path, k: int = 12) -> NeighbourOutcome:
        """Pictures of an image collection that look like a file's."""
        from retrieval.images.search import ImageSearch
        from tools.imaging.pictures import FilmReader

        self._known(name, "images")
        pictures = FilmReader(Pseudonyms.kept_in(self._settings.home)).read(path)
        return ImageSearch(self._image_index(name)).search(pictures[-1], k)

    def _search(self, name: str) -> Retriever:
        from retrieval.several import open_indexes

        with self._lock:
            if name not in self._searches:
                reranker, mirror = self._configured()
                self._searches[name] = open_indexes(self._settings.home, (name,), self._encoder, reranker, mirror)
            return self._searches[name]

    def _configured(self) -> tuple[Reranker | None, Mirror | None]:
        """The settings' reranker and vector store, each made once: a store in a folder is one client's alone."""
        from retrieval.named import reranker_named
        from retrieval.vectors.mirror import mirror_named

        if self._second_look is None:
            key = self._settings.api_key.get_secret_value()
            self._second_look = (reranker_named(self._settings.reranker, key), mirror_named(self._settings.vector_store))
        return self._second_look

    def _names(self, kind: Kind) -> list[str]:
        found = {path.parent.name for path in (self._settings.home / _FOLDERS[kind]).glob("*/CURRENT")}
        return sorted(found, key=lambda name: (name != _STARTER, name))

    def _known(self, name: str, kind: Kind) -> None:
        if name not in self._names(kind):
            have = ", ".join(self._names(kind)) or "none yet"
            raise InputError(f"There is no collection {name!r} of {kind}. There are: {have}.")

    def _folder(self, name: str, kind: Kind) -> Path:
        return self._settings.home / _FOLDERS[kind] / name

    def _index(self, name: str) -> Index:
        from retrieval.index import Index
        from retrieval.named import encoder_of

        folder = self._folder(name, "literature")
        return Index(folder, encoder_of(folder, self._encoder, self._settings.api_key.get_secret_value()))

    def _image_index(self, name: str) -> ImageIndex:
        from retrieval.images.index import ImageIndex

        return ImageIndex(self._folder(name, "images"), self._images())

    def _generation(self, name: str) -> Generation:
        return self._index(name).current()

    def _literature(self, name: str) -> Collection:
        always = "indexes" not in self._settings.model_fields_set or name in self._settings.indexes
        try:
            generation = self._generation(name)
        except (IndexDamaged, InputError) as error:
            return Collection(name=name, kind="literature", own=name != _STARTER, always=always, fault=str(error))
        generation.store.close()
        told = generation.manifest
        return Collection(
            name=name, kind="literature", entries=told.documents, passages=told.passages, encoder=told.encoder,
            updated=told.created, megabytes=_megabytes(generation.folder), own=name != _STARTER, always=always,
        )  # fmt: skip

    def _pictures(self, name: str) -> Collection:
        try:
            generation = self._image_index(name).current()
        except (IndexDamaged, InputError) as error:
            return Collection(name=name, kind="images", always=True, fault=str(error))
        generation.store.close()
        told = generation.manifest
        return Collection(
            name=name, kind="images", entries=told.pictures, encoder=told.encoder, updated=told.created,
            megabytes=_megabytes(generation.folder), always=True,
        )  # fmt: skip


def is_collection_name(name: str) -> bool:
    """Whether a collection may have this name; what is attached to a conversation is called so and is none."""
    return bool(_NAME.fullmatch(name)) and name != ATTACHED


def _megabytes(folder: Path) -> float:
    return round(sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) / 1e6, 1)


def _counted(things: Iterable[_Thing], told: Told) -> Iterator[_Thing]:
    for number, thing in enumerate(things, start=1):
        if number == 1 or number % 10 == 0:
            told(f"{number} read")
        yield thing


def _about(document: Document, corpus: str) -> Passage:
    """The document as one passage, described as the search describes it."""
    from tools.literature.sources import described

    return described(
        Passage(
            passage_id=document.id, document_id=document.id, text=document.text, span=(0, len(document.text)),
            title=document.title, authors=document.authors, year=document.year, venue=document.venue or document.source,
            pmid=document.pmid, doi=document.doi, pmcid=document.pmcid, corpus=corpus, score=0.0, flags=document.flags,
            types=document.types,
        )
    )  # fmt: skip


def _entry(body: dict[str, object]) -> Entry:
    from retrieval.corpus import Document

    document = Document.model_validate(body)
    flags = list(document.flags)
    if quality.is_preprint(document.types, document.venue, document.doi) and "preprint" not in flags:
        flags.append("preprint")
    return Entry(
        id=document.id, title=document.title or document.id, year=document.year,
        venue=document.venue or document.source or "", flags=tuple(flags),
        design=quality.design(document.types, document.title, document.text),
    )  # fmt: skip
