"""A turn with all that is needed to check it and to run it again, as a zip: turn, provenance, files read and made."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from core.errors import FileError, InputError, TooLarge
from core.types import Artifact, Frozen, Turn

if TYPE_CHECKING:
    from core.ports import ArtifactStore

BUNDLE_FORMAT = 2
_NOTE = (
    "Made by Consilium, a research tool beside a clinician and not a medical device. "
    "This bundle holds the images and records of the conversation: treat it as patient data.\n"
)
_LARGEST = 8 * 1024**3
_DESCRIPTION = "bundle.json"


class Bundle(Frozen):
    """What `bundle.json` says."""

    format: int
    turn: Turn
    artifacts: tuple[Artifact, ...] = ()


def write_bundle(path: Path, turn: Turn, store: ArtifactStore) -> None:
    """Write the bundle. `SHA256SUMS` in it lists every other file, as `sha256sum -c` reads it.

    Raises:
        InputError: the file cannot be written there.
    """
    artifacts = store.list()
    told = Bundle(format=BUNDLE_FORMAT, turn=turn, artifacts=artifacts)
    description = json.dumps(told.model_dump(mode="json"), ensure_ascii=False, indent=1).encode()
    sums = {"README.txt": hashlib.sha256(_NOTE.encode()).hexdigest(), _DESCRIPTION: hashlib.sha256(description).hexdigest()}
    temporary = path.with_name(f".{path.name}.part")
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bundle:
            bundle.writestr("README.txt", _NOTE)
            bundle.writestr(_DESCRIPTION, description)
            for artifact in artifacts:
                source = store.path(artifact.handle)
                name = f"files/{artifact.handle}{source.suffix}"
                sums[name] = artifact.sha256
                bundle.write(source, name)
            bundle.writestr("SHA256SUMS", "".join(f"{digest}  {name}\n" for name, digest in sums.items()))
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"The bundle cannot be written to {str(path)!r}: {error.strerror}.") from error


def read_bundle(path: Path, into: Path) -> tuple[Bundle, dict[str, Path]]:
    """Unpack a bundle; what it says, and the file of every handle.

    Raises:
        FileError: it is no bundle of this format, or a file in it is not what it was when the bundle was written.
        TooLarge: it expands beyond 8 GB.
    """
    try:
        with zipfile.ZipFile(path) as bundle:
            if sum(entry.file_size for entry in bundle.infolist()) > _LARGEST:
                raise TooLarge(f"The bundle {path.name!r} expands to more than {_LARGEST // 1024**3} GB.")
            description = bundle.read(_DESCRIPTION)
            sums = dict(line.split("  ", 1)[::-1] for line in bundle.read("SHA256SUMS").decode().splitlines())
            told = Bundle.model_validate_json(description)
            names = {entry.filename for entry in bundle.infolist()} - {"SHA256SUMS"}
            if names != set(sums):
                raise FileError(
                    f"The bundle was changed: files were added or taken out ({', '.join(sorted(names ^ set(sums)))})."
                )
            files = {a.handle: _file(bundle, a, names, into) for a in told.artifacts}
            for name in sorted(names - {f"files/{path.name}" for path in files.values()}):
                if hashlib.sha256(bundle.read(name)).hexdigest() != sums[name]:
                    raise FileError(f"The bundle was changed: {name} is not what was written.")
    except (
        OSError,
        zipfile.BadZipFile,
        KeyError,
        UnicodeDecodeError,
        ValidationError,
        NotImplementedError,
        RuntimeError,
        EOFError,
        zlib.error,
    ) as error:
        raise FileError(
            f"{path.name!r} is not a bundle that `ask --bundle` of this version wrote ({type(error).__name__})."
        ) from error
    if told.format != BUNDLE_FORMAT:
        raise FileError(f"The bundle has format {told.format}; this version reads {BUNDLE_FORMAT}.")
    return told, files


def _file(bundle: zipfile.ZipFile, artifact: Artifact, names: set[str], into: Path) -> Path:
    name = next((name for name in names if name.startswith("files/") and name[6:].split(".", 1)[0] == artifact.handle), None)
    if name is None:
        raise FileError(f"The bundle was changed: the file of {artifact.handle} is missing.")
    target = into / name[6:].replace("/", "_")
    digest = hashlib.sha256()
    with bundle.open(name) as source, target.open("wb") as out:
        while chunk := source.read(1024 * 1024):
            digest.update(chunk)
            out.write(chunk)
    if digest.hexdigest() != artifact.sha256:
        raise FileError(f"The bundle was changed: {name} is not what was read in the turn.")
    return target
