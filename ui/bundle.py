"""A turn with all that is needed to check it, as a zip: the turn, its provenance, and the files it read and made."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import InputError
from core.types import Turn

if TYPE_CHECKING:
    from core.store import SessionStore

BUNDLE_FORMAT = 1
_NOTE = (
    "Made by Consilium, a research tool beside a clinician and not a medical device. "
    "This bundle holds the images and records of the conversation: treat it as patient data.\n"
)


def write_bundle(path: Path, turn: Turn, store: SessionStore) -> None:
    """Write the bundle.

    Raises:
        InputError: the file cannot be written there.
    """
    artifacts = store.list()
    description = {
        "format": BUNDLE_FORMAT,
        "turn": turn.model_dump(mode="json"),
        "artifacts": [artifact.model_dump(mode="json") for artifact in artifacts],
    }
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bundle:
            bundle.writestr("README.txt", _NOTE)
            bundle.writestr("bundle.json", json.dumps(description, ensure_ascii=False, indent=1))
            for artifact in artifacts:
                source = store.path(artifact.handle)
                bundle.write(source, f"files/{artifact.handle}{source.suffix}")
    except OSError as error:
        raise InputError(f"The bundle cannot be written to {str(path)!r}: {error.strerror}.") from error
