"""Films from a published `diffusers` checkpoint in a folder: RoentGen-like text-to-image models, or unconditional ones.

Nothing is fetched, no code of the folder is run, and only safetensors weights are read. What such a model draws is not
checked against the words: no level, view or loss is promised, and the sidecar says so.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import FileError, MissingRequirement
from core.types import Frozen
from tools.imaging.generation.models import checked_steps
from tools.imaging.marking import MARK, synthetic_png
from tools.imaging.render import write_mark

TEXT_PIPELINES = ("StableDiffusionPipeline",)
FREE_PIPELINES = ("DDPMPipeline", "DDIMPipeline")
_INDEX = "model_index.json"
_NOTE = "Drawn by a checkpoint that a person placed; nothing was checked against the words."


@dataclass(frozen=True)
class Published:
    """A checkpoint's folder, its pipeline's name, whether it reads words, and a hash over its weights."""

    folder: Path
    pipeline: str
    reads_words: bool
    sha256: str


class PublishedReport(Frozen):
    """The sidecar of films drawn by a published checkpoint."""

    synthetic: bool = True
    statement: str = _NOTE
    kind: str = "film"
    prompt: str
    checkpoint: str
    pipeline: str
    weights_sha256: str
    steps: int
    seed: int
    files: tuple[str, ...]


def find_checkpoint(folder: Path) -> Published:
    """Look at a folder without loading it.

    Raises:
        FileError: it is no checkpoint, its pipeline is not supported, or it has no safetensors weights.
    """
    try:
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        name = str(index["_class_name"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(f"{folder.name!r} is no diffusers checkpoint: it needs {_INDEX} with a pipeline's name.") from error
    if name not in (*TEXT_PIPELINES, *FREE_PIPELINES):
        allowed = ", ".join((*TEXT_PIPELINES, *FREE_PIPELINES))
        raise FileError(f"The checkpoint {folder.name!r} is a {name}; supported are {allowed}.")
    files = sorted(folder.rglob("*.safetensors"))
    if not files:
        raise FileError(
            f"The checkpoint {folder.name!r} has no safetensors weights; pickled ones (.bin, .ckpt) are not read."
        )
    digest = sha256()
    for file in files:
        digest.update(file.relative_to(folder).as_posix().encode())
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return Published(folder, name, name in TEXT_PIPELINES, digest.hexdigest())


def draw_published(found: Published, prompt: str, seed: int, steps: int) -> NDArray[np.uint8]:
    """One grey picture, rows x columns.

    Raises:
        MissingRequirement: `diffusers` is not installed.
        FileError: the checkpoint cannot be loaded.
    """
    if importlib.util.find_spec("diffusers") is None:
        raise MissingRequirement("diffusers, which runs published checkpoints,", "pip install 'consilium[diffusers]'")
    import diffusers
    import torch

    checked_steps(steps)
    try:
        pipeline = getattr(diffusers, found.pipeline).from_pretrained(
            found.folder, local_files_only=True, use_safetensors=True, trust_remote_code=False
        )
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        raise FileError(f"The checkpoint {found.folder.name!r} cannot be loaded: {_short(error)}.") from error
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(seed)
    words = {"prompt": prompt} if found.reads_words else {}
    made = pipeline(**words, num_inference_steps=steps, generator=generator, output_type="np").images[0]
    grey = np.asarray(made, dtype=np.float32).mean(axis=-1)
    return np.asarray(np.round(np.clip(grey, 0, 1) * 255), dtype=np.uint8)


def published_films(
    folder: Path, prompt: str, out: Path, seed: int, count: int, steps: int, say: Callable[[str], None]
) -> PublishedReport:
    """Draw `count` marked films into `out`, with `synthetic.json`.

    Raises:
        FileError: the folder holds no checkpoint that can be used.
        MissingRequirement: `diffusers` is not installed.
    """
    found = find_checkpoint(folder)
    names = []
    for number in range(count):
        image = Image.fromarray(draw_published(found, prompt, seed + number, steps)).convert("RGB")
        side = max(1, round(320 / min(image.size)))
        image = image.resize((image.width * side, image.height * side), Image.Resampling.BILINEAR)
        write_mark(image, MARK)
        out.mkdir(parents=True, exist_ok=True)
        names.append(f"{number:03d}.png")
        (out / names[-1]).write_bytes(synthetic_png(image, {"prompt": prompt, "seed": seed + number}))
        say(f"{number + 1} of {count}: {names[-1]}")
    report = PublishedReport(
        prompt=prompt, checkpoint=folder.name, pipeline=found.pipeline, weights_sha256=found.sha256, steps=steps, seed=seed,
        files=tuple(names),
    )  # fmt: skip
    (out / "synthetic.json").write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return report


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
