from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from core.errors import EndpointError, FileError, InputError, MissingRequirement
from core.ports import ImageEncoder
from retrieval.images.encoder import SmallFilmEncoder
from retrieval.images.endpoint_encoder import EndpointImageEncoder
from retrieval.images.network import FilmEncoder
from retrieval.images.transformers_encoder import TransformersImageEncoder
from tests.retrieval.images.build import ShrinkEncoder, kind_of_film


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random CLIP of two tiny towers with a tokenizer of its own."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("clip")
    words = {word: number for number, word in enumerate(("<pad>", "<unk>", "<end>", "chest", "film", "spine"))}
    plain = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="<pad>", unk_token="<unk>", eos_token="<end>").save_pretrained(
        folder
    )
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config={**small, "vocab_size": len(words), "max_position_embeddings": 16, "eos_token_id": 2},
        vision_config={**small, "image_size": 32, "patch_size": 8},
        projection_dim=12,
    )
    torch.manual_seed(0)
    CLIPModel(config).save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def vit_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import ViTConfig, ViTImageProcessor, ViTModel

    folder = tmp_path_factory.mktemp("vit")
    config = ViTConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=8
    )
    ViTModel(config).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


class _Embeddings(BaseHTTPRequestHandler):
    """One vector per request: by the length of what was sent."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        part = body["messages"][0]["content"][0]
        assert part["type"] in ("image_url", "text")
        text = part.get("text") or part["image_url"]["url"]
        answer = {"data": [{"embedding": [float(len(text)), float(sum(map(ord, text)) % 997), 1.0]}]}
        data = json.dumps({"oops": 1} if body["model"] == "broken" else answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: object) -> None:
        return None


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Embeddings)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def own_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("own") / "film.safetensors"
    save_file({name: value.contiguous() for name, value in FilmEncoder().state_dict().items()}, path)
    return path


@pytest.fixture(params=["toy", "own", "shipped", "clip", "vit", "endpoint"])
def encoder(request: pytest.FixtureRequest) -> ImageEncoder:
    if request.param == "toy":
        return ShrinkEncoder()
    if request.param == "shipped":
        return SmallFilmEncoder()
    if request.param == "own":
        return SmallFilmEncoder(request.getfixturevalue("own_weights"))
    if request.param == "endpoint":
        return EndpointImageEncoder(request.getfixturevalue("endpoint"), "eyes")
    return TransformersImageEncoder(request.getfixturevalue(f"{request.param}_folder"))


def test_every_encoder_keeps_the_contract(encoder: ImageEncoder) -> None:
    pictures = [kind_of_film(number, number) for number in range(3)] + [kind_of_film(0, 9)[:30]]
    vectors = encoder.encode(pictures)
    assert vectors.shape == (4, encoder.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    alone = np.concatenate([encoder.encode([picture]) for picture in pictures])
    assert ((alone * vectors).sum(axis=1) > 0.999).all()
    assert encoder.encode([]).shape == (0, encoder.dimension)
    assert encoder.identity


def test_text_lies_in_the_same_space_or_is_refused(encoder: ImageEncoder) -> None:
    if encoder.reads_text:
        vectors = encoder.encode_texts(["chest film", "spine"])
        assert vectors.shape == (2, encoder.dimension)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    else:
        with pytest.raises(InputError, match=r"text|images only"):
            encoder.encode_texts(["chest film"])


def test_other_weights_are_another_encoder(own_weights: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    other = tmp_path / "film.safetensors"
    save_file({name: value.contiguous() for name, value in FilmEncoder().state_dict().items()}, other)
    assert SmallFilmEncoder(own_weights).identity != SmallFilmEncoder(other).identity


def test_missing_weights_name_the_command(tmp_path: Path) -> None:
    with pytest.raises(MissingRequirement, match="image-index train"):
        SmallFilmEncoder(tmp_path / "none.safetensors")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"config\.json"):
        TransformersImageEncoder(tmp_path)
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(FileError, match="pickled weights are not loaded"):
        TransformersImageEncoder(tmp_path)


def test_an_endpoint_that_gives_no_vector_is_an_error(endpoint: str) -> None:
    with pytest.raises(EndpointError, match="gave no vector"):
        EndpointImageEncoder(endpoint, "broken")
    with pytest.raises(EndpointError, match="gave no vector"):
        EndpointImageEncoder("http://127.0.0.1:9/v1", "eyes")
