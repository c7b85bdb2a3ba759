from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import FileError
from tools.imaging.generation.published import draw_published, find_checkpoint
from ui.cli import main


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random text-to-image checkpoint of a few thousand numbers, in the published layout."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    folder = tmp_path_factory.mktemp("checkpoint")
    words = [
        "<|startoftext|>",
        "<|endoftext|>",
        *(f"{letter}</w>" for letter in "abcdefghijklmnopqrstuvwxyz"),
        *"abcdefghijklmnopqrstuvwxyz",
    ]
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    torch.manual_seed(0)
    text = CLIPTextConfig(
        vocab_size=len(words), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=16, bos_token_id=0, eos_token_id=1, projection_dim=16,
    )  # fmt: skip
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL(block_out_channels=(8,), latent_channels=4, norm_num_groups=4, sample_size=16),
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=16),
        unet=UNet2DConditionModel(
            sample_size=16, block_out_channels=(8, 8), layers_per_block=1, norm_num_groups=4, cross_attention_dim=16,
            attention_head_dim=2, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        ),
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None, feature_extractor=None, image_encoder=None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.save_pretrained(folder / "model", safe_serialization=True)
    return folder / "model"


def test_a_checkpoint_draws_what_the_seed_says_and_reads_the_words(checkpoint: Path) -> None:
    found = find_checkpoint(checkpoint)
    assert (found.pipeline, found.reads_words, len(found.sha256)) == ("StableDiffusionPipeline", True, 64)
    one = draw_published(found, "a film", 3, 2)
    assert one.shape == (16, 16)
    assert (draw_published(found, "a film", 3, 2) == one).all()
    assert (draw_published(found, "another", 3, 2) != one).any()
    assert (draw_published(found, "a film", 4, 2) != one).any()


def test_the_command_marks_what_a_checkpoint_draws(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "synth",
        "film",
        "--checkpoint",
        str(checkpoint),
        "--prompt",
        "chest film",
        "--steps",
        "2",
        "--out",
        str(tmp_path),
    ]
    assert main([*arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["synthetic"] is True
    assert "nothing was checked" in report["statement"]
    assert (tmp_path / "000.png").is_file()


def test_a_damaged_checkpoint_is_bad_input(checkpoint: Path, tmp_path: Path) -> None:
    index = {"_class_name": "StableDiffusionPipeline"}
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    (tmp_path / "x.safetensors").write_bytes(b"not weights")
    with pytest.raises(FileError, match="cannot be loaded"):
        draw_published(find_checkpoint(tmp_path), "x", 0, 1)


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (None, "no diffusers checkpoint"),
        ("{", "no diffusers checkpoint"),
        ('{"_class_name": "CustomPipeline"}', "supported are"),
        ('{"_class_name": "DDPMPipeline"}', "pickled ones"),
    ],
)
def test_what_is_no_checkpoint_is_told(index: str | None, words: str, tmp_path: Path) -> None:
    if index is not None:
        (tmp_path / "model_index.json").write_text(index)
    (tmp_path / "weights.bin").write_bytes(b"x")
    with pytest.raises(FileError, match=words):
        find_checkpoint(tmp_path)
