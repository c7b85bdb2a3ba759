"""A folder of generations, one of which is current: how every index of ours is written.

    CURRENT                 name of the current generation, replaced by one atomic rename
    writer.lock
    generations/000003/     complete, never changed again

A write builds the next generation beside the current one and switches to it at the end, so that a reader never sees half of
it and a killed writer leaves everything as it was.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from retrieval.generation import sync


class GenerationFolder:
    """The generations below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def current_name(self) -> str:
        """Folder name of the current generation; empty when there is none."""
        try:
            return (self.folder / "CURRENT").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""

    def current(self) -> Path | None:
        """The current generation's folder; None when there is none."""
        name = self.current_name()
        return self.path(name) if name else None

    def path(self, name: str) -> Path:
        """The folder of the generation of that name, there or not."""
        return self.folder / "generations" / name

    def complete(self) -> list[Path]:
        """Complete generations, oldest first."""
        return sorted(path for path in (self.folder / "generations").glob("[0-9]*") if path.name.isdigit())

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Only one writer at a time; the lock is the system's, so a killed writer frees it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / "writer.lock"):
            yield

    def write(self, build: Callable[[Path], None]) -> None:
        """Let `build` fill the next generation's folder and make it current; only with the lock held.

        When `build` fails nothing has changed.
        """
        self.remove_leftovers()
        number = 1 + max((int(path.name) for path in self.complete()), default=0)
        building = self.path(f"building-{os.getpid()}")
        building.mkdir(parents=True)
        try:
            build(building)
            for path in building.iterdir():
                sync(path)
        except BaseException:
            self.remove_leftovers()
            raise
        final = building.with_name(f"{number:06d}")
        building.rename(final)
        sync(final.parent)
        self.point_to(final.name)
        for older in [path for path in self.complete() if path.name < final.name][:-1]:
            # The one before is kept: a reader may just be opening it.
            shutil.rmtree(older, ignore_errors=True)

    def remove_leftovers(self) -> list[Path]:
        """Remove what a killed writer left; only with the lock held."""
        left = [*(self.folder / "generations").glob("building-*"), *self.folder.glob("CURRENT.new")]
        for path in left:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return left

    def point_to(self, generation: str) -> None:
        """Make a complete generation the current one; only with the lock held."""
        pointer = self.folder / "CURRENT.new"
        pointer.write_text(generation, encoding="utf-8")
        sync(pointer)
        pointer.replace(self.folder / "CURRENT")
        sync(self.folder)
