"""The reranker's network, its training step and its weights on disk, on a handful of pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from evals.reranker.train import freeze, train
from retrieval.named import reranker_named
from retrieval.rerank.cross_encoder import SHIPPED, CrossEncoder, is_topic, load_base, pair_tokens, save
from retrieval.rerank.pair_model import padded

QUESTION = "Does alendronate prevent hip fractures?"
RIGHT = "Women who took alendronate had fewer fractures of the hip than those who took placebo."
WRONG = "The concert began at eight and the audience stayed until the end."
EXAMPLES = [
    {"question": QUESTION, "right": [RIGHT], "wrong": [WRONG, "Bananas are yellow."]},
    {"question": "when did the concert begin", "right": [WRONG], "wrong": [RIGHT, "Bananas are yellow."]},
]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[float], torch.Tensor]:
    """Trained on four groups, written; the losses, and the scores before 8-bit rounding."""
    torch.manual_seed(0)
    tokenizer, model = load_base()
    freeze(model, 4)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    losses = train(model, tokenizer, EXAMPLES, 4)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert all(not name.startswith(("encoder.embeddings", "encoder.encoder.layer.3")) for name in changed)
    assert any(name.startswith("encoder.encoder.layer.5") for name in changed)
    path = tmp_path_factory.mktemp("weights") / "reranker.safetensors"
    save(model, path, frozen=4)
    with torch.no_grad():
        scores = model(padded(pair_tokens(tokenizer, [(QUESTION, RIGHT), (QUESTION, WRONG)])))
    return path, losses, scores


def test_it_prefers_the_right_passage_and_8_bits_change_little(weights: tuple[Path, list[float], torch.Tensor]) -> None:
    path, losses, scores = weights
    assert np.isfinite(losses).all()
    reranker = reranker_named(str(path))
    assert isinstance(reranker, CrossEncoder)
    found = reranker.score(QUESTION, [RIGHT, WRONG])
    assert found[0] > found[1]
    np.testing.assert_allclose(found, scores.numpy(), atol=0.35)
    assert reranker.identity.startswith("consilium-reranker/")
    # The order of the passages, and what else is in the batch, change nothing that matters.
    np.testing.assert_allclose(reranker.score(QUESTION, [WRONG, WRONG, RIGHT])[2], found[0], atol=0.35)
    assert reranker.score(QUESTION, []).shape == (0,)


def test_only_what_was_trained_is_written_as_8_bit_integers(weights: tuple[Path, list[float], torch.Tensor]) -> None:
    path, _, _ = weights
    with safe_open(path, framework="pt") as file:
        names = list(file.keys())
        kinds = {file.get_tensor(name).dtype for name in names if name.endswith("dense.weight")}
    assert kinds == {torch.int8}
    assert not any("embeddings" in name or "layer.3." in name for name in names)
    assert path.stat().st_size < 5e6


def test_long_texts_are_cut_and_the_question_keeps_its_place() -> None:
    tokenizer, _ = load_base()
    ((question, passage),) = pair_tokens(tokenizer, [("why " * 500, "word " * 500)])
    assert (len(question), len(question) + len(passage)) == (64, 224)
    assert question[-1] == passage[-1] == tokenizer.token_to_id("[SEP]")


def test_the_one_that_ships_is_small_and_prefers_what_answers() -> None:
    assert SHIPPED.stat().st_size < 30e6
    shipped = reranker_named("own")
    assert isinstance(shipped, CrossEncoder)
    found = shipped.score(QUESTION, [WRONG, RIGHT, "Alendronate tablets are white and round."])
    assert found.argmax() == 1
    assert found.argmin() == 0


@pytest.mark.parametrize("topic", ["bone density", "Attitude of Health Personnel", "", "statins"])
def test_a_topic_is_left_to_the_search(topic: str) -> None:
    assert CrossEncoder(SHIPPED).score(topic, [WRONG, RIGHT]).tolist() == [0, 0]
    assert is_topic(topic)


@pytest.mark.parametrize("asked", ["What is osteopenia?", "Statins do not prevent hip fractures", QUESTION])
def test_a_question_or_a_claim_is_not(asked: str) -> None:
    assert not is_topic(asked)
