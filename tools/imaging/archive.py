"""Zip files, unpacked with limits on what really comes out, not on what the header says."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from pathlib import Path

from core.errors import FileError, TooLarge

MAX_ENTRIES = 20_000
MAX_BYTES = 8 * 1024**3
MAX_RATIO = 200
"""CT compresses two- to fourfold, empty masks up to about a hundredfold; bombs a thousandfold and more."""
_CHUNK = 1024 * 1024
_GRACE = 64 * 1024 * 1024
"""Small archives may expand more than the ratio allows."""


def unpack(archive: Path, into: Path) -> list[Path]:
    """Unpack the files of an archive under numbers instead of their names, so no entry can leave the folder.

    Raises:
        FileError: it is damaged, encrypted or empty.
        TooLarge: too many entries, or they expand beyond the limits; nothing is kept.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [e for e in opened.infolist() if not e.is_dir() and not e.filename.startswith("__MACOSX/")]
            if len(entries) > MAX_ENTRIES:
                raise TooLarge(f"The archive has {len(entries)} files; at most {MAX_ENTRIES} are read.")
            limit = min(MAX_BYTES, max(_GRACE, MAX_RATIO * archive.stat().st_size))
            return _extract(opened, entries, into, limit)
    except TooLarge:
        shutil.rmtree(into, ignore_errors=True)
        raise
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError, ValueError, zlib.error) as error:
        raise FileError(f"The archive cannot be read: {str(error)[:120] or type(error).__name__}.") from error


def _extract(opened: zipfile.ZipFile, entries: list[zipfile.ZipInfo], into: Path, limit: int) -> list[Path]:
    paths, total = [], 0
    for number, entry in enumerate(entries):
        path = into / f"{number:06d}"
        with opened.open(entry) as source, path.open("wb") as target:
            while chunk := source.read(_CHUNK):
                total += len(chunk)
                if total > limit:
                    raise TooLarge(f"The archive expands to more than {limit // 1024**2} MB and was not read.")
                target.write(chunk)
        paths.append(path)
    if not paths:
        raise FileError("The archive is empty.")
    return paths
