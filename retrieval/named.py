"""Encoders and rerankers by the name that a setting or a flag gives."""

from __future__ import annotations

from pathlib import Path

from core.errors import InputError
from core.ports import Encoder, Reranker
from retrieval.encoders import MiniLM

_FORMS = "'minilm', a sentence-transformers model by name or folder, or URL#MODEL of an endpoint (http://host:8000/v1#name)"


def encoder_named(name: str, key: str = "") -> Encoder:
    """The encoder of that name; `key` goes to an endpoint.

    Raises:
        InputError: it is none of the forms, or not on this machine.
        MissingRequirement: an extra must be installed for it.
    """
    if name in ("", "minilm"):
        return MiniLM()
    if name.startswith(("http://", "https://")):
        from retrieval.served import ServedEncoder

        return ServedEncoder(*_address(name), key)
    from retrieval.sentence_models import SentenceEncoder

    return SentenceEncoder(name)


def reranker_named(name: str, key: str = "") -> Reranker | None:
    """The reranker of that name, or of its weights' file if it is one of ours; None for 'none' or nothing.

    'own' is the one that ships.

    Raises:
        InputError: it is none of the forms, or not on this machine.
        MissingRequirement: an extra must be installed for it.
    """
    if name in ("", "none"):
        return None
    if name == "own" or name.endswith(".safetensors"):
        from retrieval.rerank.cross_encoder import SHIPPED, CrossEncoder

        return CrossEncoder(SHIPPED if name == "own" else Path(name))
    if name.startswith(("http://", "https://")):
        from retrieval.served import ServedReranker

        return ServedReranker(*_address(name), key)
    from retrieval.sentence_models import SentenceReranker

    return SentenceReranker(name)


def encoder_of(folder: Path, default: Encoder, key: str = "") -> Encoder:
    """The encoder that an index was made with, by the name kept beside it; `default` where none was."""
    kept = folder / "encoder"
    name = kept.read_text(encoding="utf-8").strip() if kept.is_file() else ""
    return default if name in ("", "minilm") else encoder_named(name, key)


def _address(name: str) -> tuple[str, str]:
    url, mark, model = name.partition("#")
    if not mark or not model:
        raise InputError(f"A model at an endpoint is named URL#MODEL; got {name!r}. Allowed: {_FORMS}.")
    return url, model
