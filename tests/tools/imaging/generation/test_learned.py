"""The learned parts on a training of a few steps: that the path works, resumes from its file, and keeps the anatomy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import FileError, MissingRequirement, SettingError
from tools.imaging.generation import models
from tools.imaging.generation.attributes import SpineAttributes, Wish
from tools.imaging.generation.captions import caption
from tools.imaging.generation.film_model import make_body, make_film
from tools.imaging.generation.models import paint, weights
from tools.imaging.generation.networks import FILM, VOLUME, Flow, compand, expand, load_weights
from tools.imaging.generation.rectified import flow_loss, sample
from tools.imaging.generation.texture import textured
from tools.imaging.generation.train import Part, Recipe, train
from tools.imaging.generation.volume_model import make_volume

ASKED = SpineAttributes(levels=("T12", "L1", "L2"), fractures=(Wish(level="L1", percent=40),))
TINY = Recipe(codec_steps=3, flow_steps=3, refiner_steps=2, batch=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One small patient in the layout of `make_data`."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    plain = (rng.normal(size=(64, 64, 64)) * 50).astype(np.int16)
    film = rng.normal(size=(1, 128, 160)).astype(np.float16) * np.float16(0.2)
    np.savez(
        folder / "drawn-000.npz", ct=plain + 20, plain=plain, films=film, film_plains=film, azimuths=np.array([90.0]),
        words=np.array([caption(ASKED, ("lateral",))]),
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Part, Path]:
    out = tmp_path_factory.mktemp("out")
    parts: tuple[Part, ...] = ("film", "volume")
    return {part: Path(train(part, data, out, lambda line: None, TINY).weights) for part in parts}


def test_a_file_of_weights_carries_its_own_sizes(trained: dict[Part, Path]) -> None:
    film, volume = load_weights(trained["film"]), load_weights(trained["volume"])
    assert (film.architecture, film.refiner) == (FILM, None)
    assert volume.architecture == VOLUME
    assert volume.refiner is not None
    assert film.about["seed"] == "7"
    assert len(film.sha256) == 64


def test_what_ships_is_small_and_loads() -> None:
    files = list(models.FOLDER.glob("*.safetensors"))
    assert [file.stem for file in files] == ["film"]
    assert sum(file.stat().st_size for file in files) < 25e6
    assert models.shipped("film").architecture == FILM
    with pytest.raises(MissingRequirement, match="consilium synth train volume"):
        models.shipped("volume")


def test_a_learned_volume_keeps_the_anatomy_and_the_seed(trained: dict[Part, Path]) -> None:
    model = weights(trained["volume"])
    made = make_volume(ASKED, 2, size=32, look="learned", steps=2, model=model)
    again = make_volume(ASKED, 2, size=32, look="learned", steps=2, model=model)
    other = make_volume(ASKED, 3, size=32, look="learned", steps=2, model=model)
    assert (made.ct.data == again.ct.data).all()
    assert other.ct.data.shape != made.ct.data.shape or (other.ct.data != made.ct.data).any()
    assert made.ct.same_grid(made.mask)
    assert made.low is not None
    assert made.low.shape == tuple(n // 2 for n in made.ct.data.shape)
    assert made.weights_sha256 == model.sha256


def test_a_learned_film_keeps_the_edges_of_the_plain_one() -> None:
    body = make_body(ASKED, 2)
    shares: list[float] = []
    made = make_film(body, ASKED, "lateral", 2, steps=2, check=shares.append)
    rows, columns = np.gradient(made.film), np.gradient(made.plain)
    edges = [np.hypot(*gradient).ravel() for gradient in (rows, columns)]
    assert np.corrcoef(edges[0], edges[1])[0, 1] > 0.8
    assert shares == sorted(shares)
    assert np.abs(made.film).max() <= 1
    with pytest.raises(SettingError, match="view must be one of"):
        make_film(body, ASKED, "axial", 2)  # type: ignore[arg-type]


def test_painting_gives_back_what_the_codec_loses(trained: dict[Part, Path]) -> None:
    """A flow that returns its condition must return the plain image whatever the codec."""
    model = weights(trained["film"])

    class Straight(torch.nn.Module):
        def forward(
            self, latent: torch.Tensor, plain: torch.Tensor, time: torch.Tensor, facts: torch.Tensor
        ) -> torch.Tensor:
            return plain - latent  # with one step this leads from the noise to the condition

    plain = np.random.default_rng(1).normal(size=(32, 32)).astype(np.float32)
    made = paint(replace(model, flow=Straight()), plain, np.zeros(20, dtype=np.float32), 1, 0)  # type: ignore[arg-type]
    assert made == pytest.approx(plain, abs=1e-4)


def test_the_flow_learns_a_constant() -> None:
    torch.manual_seed(0)
    flow = Flow(replace(FILM, flow=(8, 8, 32), latents=2))
    optimiser = torch.optim.Adam(flow.parameters(), 3e-3)
    generator = torch.Generator().manual_seed(0)
    image, plain, facts = torch.ones(4, 2, 8, 8), torch.zeros(4, 2, 8, 8), torch.zeros(4, 20)
    losses = []
    for _ in range(60):
        loss = flow_loss(flow, image, plain, facts, generator)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:5])
    made = sample(flow, plain[:1], facts[:1], 4, generator, lambda share: None)
    assert float((made - 1).abs().mean()) < 0.6


def test_companding_is_undone() -> None:
    hu = np.array([-1000, -100, 0, 40, 300, 1500], dtype=np.float32)
    assert expand(compand(hu)) == pytest.approx(hu, abs=0.5)


def test_bad_weights_and_missing_data_are_told(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"no weights")
    with pytest.raises(FileError, match="holds no weights"):
        load_weights(tmp_path / "x.safetensors")
    with pytest.raises(FileError, match="not there"):
        load_weights(tmp_path / "y.safetensors")
    with pytest.raises(FileError, match="no training patients"):
        train("film", tmp_path, tmp_path, lambda line: None, TINY)


def test_the_texture_is_of_the_seed() -> None:
    plain = np.full((20, 20, 20), 50, dtype=np.float32)
    tissue = np.full(plain.shape, 2, dtype=np.uint8)
    assert (textured(plain, tissue, 1) == textured(plain, tissue, 1)).all()
    assert (textured(plain, tissue, 1) != textured(plain, tissue, 2)).any()
