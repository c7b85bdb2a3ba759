"""An index on disk: a folder of generations, one of which is current.

    CURRENT                     name of the current generation, replaced by one atomic rename
    writer.lock
    spool.sqlite                vectors made for a batch that is not written yet
    originals/              PDF files by a hash of the document's id, for showing a quote on its page
    generations/000003/
        manifest.json           format, encoder, counts, hashes of the other files
        store.sqlite            documents, what they can be filtered by, terms, FTS5
        documents.npy, passages.npy
        texts_*.npy, titles_*.npy, postings_*.npy, lengths.npy      word counts and BM25's inverted lists
        vectors.npy, vector_ids.npy, ann.faiss, ann.json            vectors; FAISS above 200,000

A write builds the next generation beside the current one and switches to it at the end, so that a reader never sees
half of it and a killed writer leaves the index as it was. Nothing is pickled.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path

from filelock import FileLock

from core.errors import IndexDamaged, InputError
from core.ports import Encoder
from core.types import Frozen
from retrieval.build import Prepared, build, build_empty, prepare
from retrieval.corpus import Document
from retrieval.generation import Generation, open_store, sync
from retrieval.originals import drop_originals, keep_original
from retrieval.spool import Spool

_BATCH = 1000
"""Documents encoded at once, and the fewest per generation while adding."""
_GROWTH, _MOST = 4, 20_000
"""A batch is a quarter of what is there, at most 20,000: each write copies the whole, so their number must stay low."""
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Change(Frozen):
    """What a write did. `conflicts` are ids that were given with different contents; the last of these was kept."""

    added: int = 0
    replaced: int = 0
    unchanged: int = 0
    removed: int = 0
    conflicts: tuple[str, ...] = ()

    def plus(self, other: Change) -> Change:
        """Both together."""
        return Change(**{name: getattr(self, name) + getattr(other, name) for name in Change.model_fields})


class Index:
    """An index folder: create, add, remove, verify, repair, and open for search."""

    def __init__(self, folder: Path, encoder: Encoder) -> None:
        self.folder = folder
        self.encoder = encoder

    @property
    def name(self) -> str:
        """The folder's name is the index's name."""
        return self.folder.name

    def exists(self) -> bool:
        """Whether there is a current generation."""
        return (self.folder / "CURRENT").is_file()

    def current(self) -> Generation:
        """Open the current generation.

        Raises:
            IndexDamaged: there is none, it is damaged, or it was built with another encoder.
        """
        if not self.exists():
            raise IndexDamaged(f"There is no index {self.name!r}. Make it: consilium index create {self.name}")
        for _ in range(10):
            name = self.current_name()
            try:
                return Generation(self._path(name), self.encoder)
            except IndexDamaged:
                # A writer may have moved on and dropped the generation while it was being opened.
                if self.current_name() == name:
                    raise
        raise IndexDamaged(f"Index {self.name!r} changes faster than it can be opened; try again.")

    def generation(self, name: str) -> Generation:
        """Open the generation of that name, current or not.

        Raises:
            IndexDamaged: it is not there, is damaged, or was built with another encoder.
        """
        if not (name.isdigit() and self._path(name).is_dir()):
            have = ", ".join(path.name for path in self._numbered())
            raise IndexDamaged(f"Index {self.name!r} has no generation {name!r}. There are: {have or 'none'}.")
        return Generation(self._path(name), self.encoder)

    def current_name(self) -> str:
        """Folder name of the current generation; empty when there is none."""
        try:
            return (self.folder / "CURRENT").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""

    def create(self, force: bool = False) -> None:
        """Make an empty index.

        Raises:
            InputError: there is one already and `force` is not set.
        """
        if self.exists() and not force:
            raise InputError(f"There is an index {self.name!r} already; --force empties it.")
        with self._lock():
            shutil.rmtree(self.folder / "originals", ignore_errors=True)
            self._write(drop=None, add=[])

    def add(
        self,
        documents: Iterable[Document],
        report: Callable[[Change], None] | None = None,
        batch_size: int | None = None,
        encoded: Callable[[int], None] | None = None,
    ) -> Change:
        """Add documents; the same content again is a no-op, changed content replaces. Last of one id wins.

        Written in batches, larger ones as the index grows: `report` is called with the totals after each batch that
        is safely on disk, and what it was told survives a kill. `encoded` is called with how many documents of a
        batch have their vectors; after a kill these are not made again.

        Raises:
            InputError: the disk is full; the index is as it was after the last report.
        """
        total = Change()
        remaining = iter(documents)
        with self._lock():
            known = self._known()
            mine: set[str] = set()
            while batch := list(islice(remaining, batch_size or _batch_size(len(known)))):
                total = total.plus(self._add_batch(batch, known, mine, encoded))
                if report:
                    report(total)
            if not self.exists():
                self._write(drop=None, add=[])
        return total

    def add_prepared(self, prepared: Sequence[Prepared]) -> Change:
        """Add documents that were cut and encoded elsewhere, all in one write; those that are there are replaced.

        Raises:
            InputError: an id is given twice, or a vector is not of the encoder's length.
        """
        ids = {one.document.id for one in prepared}
        if len(ids) < len(prepared):
            raise InputError("A document is given twice.")
        if wrong := [one.document.id for one in prepared if one.vectors.shape != (len(one.spans), self.encoder.dimension)]:
            raise InputError(f"A vector of {self.encoder.dimension} numbers per passage is needed; document {wrong[0]!r}.")
        with self._lock():
            replaced = ids & self._known().keys()
            self._write(drop=replaced if self.exists() else None, add=prepared)
        return Change(added=len(ids) - len(replaced), replaced=len(replaced))

    def remove(self, ids: Sequence[str]) -> Change:
        """Remove documents by id; ids that are not there are ignored."""
        with self._lock():
            there = set(ids) & self._known().keys()
            if there:
                self._write(drop=there, add=[])
                drop_originals(self.folder, there)
        return Change(removed=len(there))

    def verify(self) -> list[str]:
        """What is wrong with the current generation; empty when nothing is."""
        try:
            generation = self.current()
        except IndexDamaged as error:
            return [str(error)]
        with closing(generation.store):
            return generation.faults()

    def repair(self) -> list[str]:
        """Mend what can be mended, and say what was done; empty when nothing was wrong.

        From the current documents when they can still be read (the vectors are then made again), else by going back
        to the newest generation that is whole.

        Raises:
            IndexDamaged: no generation can be read.
        """
        with self._lock():
            done = [f"removed {path.name}" for path in self._leftovers()]
            if not self.verify():
                return done
            name = self.current_name()
            documents = _readable_documents(self._path(name)) if name else None
            if documents is not None:
                self._write(drop=None, add=self._prepared(documents))
                return [*done, f"made the index again from its {len(documents)} documents"]
            for folder in reversed(self._numbered()):
                if folder.name != name and self._whole(folder):
                    self._point_to(folder.name)
                    return [*done, f"went back from generation {name or '(none)'} to {folder.name}"]
        raise IndexDamaged(
            f"No generation of index {self.name!r} can be read. Start again: consilium index create {self.name} --force"
        )

    def _path(self, generation: str) -> Path:
        return self.folder / "generations" / generation

    def _numbered(self) -> list[Path]:
        """Complete generations, oldest first."""
        return sorted(p for p in (self.folder / "generations").glob("[0-9]*") if p.name.isdigit())

    def _whole(self, folder: Path) -> bool:
        try:
            generation = Generation(folder, self.encoder)
        except IndexDamaged:
            return False
        with closing(generation.store):
            return not generation.faults()

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Only one writer at a time; the lock is the system's, so a killed writer frees it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / "writer.lock"):
            yield

    def _known(self) -> dict[str, str]:
        """Document id to content hash."""
        if not self.exists():
            return {}
        with closing(self.current().store) as store:
            return dict(store.execute("SELECT id, hash FROM documents").fetchall())

    def _add_batch(
        self,
        batch: list[Document],
        known: dict[str, str],
        mine: set[str],
        encoded: Callable[[int], None] | None = None,
    ) -> Change:
        """`known` is what is there, by hash, and `mine` what this call has added; both are kept up to date."""
        wanted: dict[str, Document] = {}
        hashes: dict[str, str] = {}
        conflicts = []
        for document in batch:
            name, made = document.id, document.content_hash
            before = hashes.get(name) or (known.get(name) if name in mine else None)
            if before is not None and before != made:
                conflicts.append(name)
            wanted[name], hashes[name] = document, made
        fresh = [document for document in wanted.values() if known.get(document.id) != hashes[document.id]]
        replaced = {document.id for document in fresh if document.id in known}
        if fresh:
            self._write(drop=replaced, add=self._prepared(fresh, encoded))
            known.update((document.id, hashes[document.id]) for document in fresh)
        for document in wanted.values():
            if document.original is not None:
                keep_original(self.folder, document.id, document.original)
        mine.update(wanted)
        return Change(
            added=len(fresh) - len(replaced),
            replaced=len(replaced),
            unchanged=len(wanted) - len(fresh),
            conflicts=tuple(conflicts),
        )

    def _prepared(self, documents: list[Document], encoded: Callable[[int], None] | None = None) -> list[Prepared]:
        """Cut and encoded; the vectors of more than one batch are kept on the way, so that a kill loses little."""
        if len(documents) <= _BATCH:
            return prepare(documents, self.encoder.encode)
        done: list[Prepared] = []
        with _no_room(self.name), closing(Spool(self.folder / "spool.sqlite", self.encoder)) as spool:
            for start in range(0, len(documents), _BATCH):
                done += prepare(documents[start : start + _BATCH], spool.encode)
                if encoded:
                    encoded(len(done))
        return done

    def _write(self, drop: set[str] | None, add: Sequence[Prepared]) -> None:
        """Write the next generation and make it current; `drop` None starts from nothing."""
        self._leftovers()
        number = 1 + max((int(path.name) for path in self._numbered()), default=0)
        building = self._path(f"building-{os.getpid()}")
        building.mkdir(parents=True)
        try:
            with _no_room(self.name):
                self._build(building, drop, add)
        except BaseException:
            self._leftovers()
            raise
        final = self._path(f"{number:06d}")
        building.rename(final)
        sync(final.parent)
        self._point_to(final.name)
        self._drop_old(final.name)
        (self.folder / "spool.sqlite").unlink(missing_ok=True)

    def _build(self, building: Path, drop: set[str] | None, add: Sequence[Prepared]) -> None:
        if drop is not None and self.exists():
            current = self.current()
            with closing(current.store):
                build(building, current, self.encoder, drop, add)
            return
        empty = building.with_name(f"{building.name}-empty") if add else building
        empty.mkdir(exist_ok=True)
        build_empty(empty, self.encoder)
        if add:
            nothing = Generation(empty, self.encoder)
            with closing(nothing.store):
                build(building, nothing, self.encoder, set(), add)
            shutil.rmtree(empty)

    def _point_to(self, generation: str) -> None:
        pointer = self.folder / "CURRENT.new"
        pointer.write_text(generation, encoding="utf-8")
        sync(pointer)
        pointer.replace(self.folder / "CURRENT")
        sync(self.folder)

    def _leftovers(self) -> list[Path]:
        """Remove what a killed writer left; only with the lock held."""
        left = [*(self.folder / "generations").glob("building-*"), *self.folder.glob("CURRENT.new")]
        for path in left:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return left

    def _drop_old(self, current: str) -> None:
        """Keep the current generation and the one before it, which a reader may just be opening."""
        older = [path for path in self._numbered() if path.name < current]
        for folder in older[:-1]:
            shutil.rmtree(folder, ignore_errors=True)


def _readable_documents(folder: Path) -> list[Document] | None:
    """All documents of a store whose pages are sound; None when they are not."""
    try:
        with closing(open_store(folder)) as store:
            if store.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
                return None
            return [Document.model_validate_json(body) for (body,) in store.execute("SELECT body FROM documents")]
    except (sqlite3.Error, ValueError):
        return None


def _batch_size(there: int) -> int:
    return min(max(_BATCH, there // _GROWTH), _MOST)


@contextmanager
def _no_room(name: str) -> Iterator[None]:
    """A full disk, said as such."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise InputError(f"The disk has no room for index {name!r}, which is as it was: {error}.") from error
    except sqlite3.OperationalError as error:
        if "full" not in str(error) and "disk I/O" not in str(error):
            raise
        raise InputError(f"The disk has no room for index {name!r}, which is as it was: {error}.") from error
