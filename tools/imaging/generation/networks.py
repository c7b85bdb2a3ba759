"""The learned parts: an autoencoder, a rectified flow over its latents, and a refiner to the fine grid; MONAI's networks.

Sizes live in `Architecture`; a file of weights carries its own, so that it can be read without knowing how it was trained.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.errors import FileError

_KNEE_HU = 150.0
_TOP = float(np.arcsinh(1000.0 / _KNEE_HU))
TOKENS, TOKEN_WIDTH = 4, 32


def compand(hu: NDArray[np.float32]) -> NDArray[np.float32]:
    """HU to about -1..1 with soft tissue spread out: asinh, so that 1000 HU is 1."""
    return np.asarray(np.arcsinh(hu / _KNEE_HU) / _TOP, dtype=np.float32)


def expand(value: NDArray[np.float32]) -> NDArray[np.float32]:
    """The inverse of `compand`, within -1024 to 3071 HU."""
    hu = np.sinh(np.clip(value, -1.5, 1.5) * _TOP) * _KNEE_HU
    return np.asarray(np.clip(hu, -1024, 3071), dtype=np.float32)


@dataclass(frozen=True)
class Architecture:
    """Sizes of one model. `dims` is 2 for films, 3 for volumes; each further codec level halves the grid."""

    dims: int
    codec: tuple[int, ...]
    latents: int
    flow: tuple[int, ...]
    facts: int
    refiner: int = 0

    @property
    def shrink(self) -> int:
        """How many pixels one latent covers along an axis."""
        return int(2 ** (len(self.codec) - 1))


FILM = Architecture(dims=2, codec=(16, 48, 64), latents=4, flow=(48, 96, 128), facts=20)
VOLUME = Architecture(dims=3, codec=(16, 32), latents=4, flow=(32, 64, 96), facts=20, refiner=16)


def build_codec(a: Architecture) -> nn.Module:
    """MONAI's AutoencoderKL without attention: it runs on any size that its levels divide."""
    from monai.networks.nets import AutoencoderKL

    off = (False,) * len(a.codec)
    codec: nn.Module = AutoencoderKL(
        spatial_dims=a.dims, in_channels=1, out_channels=1, channels=a.codec, latent_channels=a.latents, num_res_blocks=1,
        norm_num_groups=8, attention_levels=off, with_encoder_nonlocal_attn=False, with_decoder_nonlocal_attn=False,
    )  # fmt: skip
    return codec


class Flow(nn.Module):
    """Velocity of a latent given the plain image's latent and the facts of the prompt.

    The facts become a few tokens that MONAI's DiffusionModelUNet attends to at its coarsest level.
    """

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        from monai.networks.nets import DiffusionModelUNet

        deepest = tuple(i == len(a.flow) - 1 for i in range(len(a.flow)))
        self.words = nn.Sequential(nn.Linear(a.facts, 64), nn.SiLU(), nn.Linear(64, TOKENS * TOKEN_WIDTH))
        self.unet = DiffusionModelUNet(
            spatial_dims=a.dims, in_channels=2 * a.latents, out_channels=a.latents, channels=a.flow, num_res_blocks=1,
            attention_levels=deepest, num_head_channels=32, norm_num_groups=8, with_conditioning=True,
            cross_attention_dim=TOKEN_WIDTH,
        )  # fmt: skip

    def forward(self, latent: Tensor, plain: Tensor, time: Tensor, facts: Tensor) -> Tensor:
        """Shapes (n, c, ...), (n, c, ...), (n,) in 0 (noise) to 1 (image), (n, facts)."""
        context = self.words(facts).reshape(len(facts), TOKENS, TOKEN_WIDTH)
        velocity: Tensor = self.unet(torch.cat([latent, plain], dim=1), time * 1000, context=context)
        return velocity


class Refiner(nn.Module):
    """Super-resolution by 2: the enlarged volume, the plain CT of the fine grid and noise in, a correction out."""

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        wide = a.refiner
        self.first = nn.Conv3d(3, wide, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv3d(wide, wide, 3, padding=1), nn.SiLU(), nn.Conv3d(wide, wide, 3, padding=1))
            for _ in range(3)
        )
        self.last = nn.Conv3d(wide, 1, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias if self.last.bias is not None else torch.zeros(1))

    def forward(self, coarse: Tensor, plain: Tensor, noise: Tensor) -> Tensor:
        """All (n, 1, x, y, z) on the fine grid, companded."""
        x = self.first(torch.cat([coarse, plain, noise], dim=1))
        for block in self.blocks:
            x = x + block(nn.functional.silu(x))
        corrected: Tensor = coarse + self.last(nn.functional.silu(x))
        return corrected


@dataclass(frozen=True)
class Weights:
    """Networks of one file, what is known of them, and the file's hash."""

    architecture: Architecture
    codec: nn.Module
    flow: Flow
    refiner: Refiner | None
    scale: float
    about: dict[str, str]
    sha256: str


def save_weights(path: Path, a: Architecture, parts: dict[str, nn.Module], scale: float, about: dict[str, str]) -> None:
    """Write half-precision safetensors with sizes and notes in the header."""
    from safetensors.torch import save_file

    tensors = {
        f"{name}.{key}": value.detach().to(torch.float16).contiguous()
        for name, part in parts.items()
        for key, value in part.state_dict().items()
    }
    save_file(tensors, path, {"architecture": json.dumps(asdict(a)), "scale": repr(scale), **about})


def _architecture(text: str) -> Architecture:
    sizes: dict[str, Any] = json.loads(text)
    return Architecture(
        dims=int(sizes["dims"]),
        codec=tuple(sizes["codec"]),
        latents=int(sizes["latents"]),
        flow=tuple(sizes["flow"]),
        facts=int(sizes["facts"]),
        refiner=int(sizes["refiner"]),
    )


def load_weights(path: Path) -> Weights:
    """Read what `save_weights` wrote.

    Raises:
        FileError: it is not there or not such a file.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileError(f"The weights {path.name!r} are not there.")
    try:
        with safe_open(path, "pt") as file:
            about = dict(file.metadata() or {})
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
        a = _architecture(about.pop("architecture"))
        scale = float(about.pop("scale"))
    except (SafetensorError, KeyError, ValueError) as error:
        raise FileError(f"{path.name!r} holds no weights of this generator: {error}.") from error
    codec, flow = build_codec(a), Flow(a)
    refiner = Refiner(a) if a.refiner else None
    for name, part in (("codec", codec), ("flow", flow), ("refiner", refiner)):
        if part is not None:
            own = {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}
            part.load_state_dict(own)
            part.eval()
    return Weights(a, codec, flow, refiner, scale, about, sha256(path.read_bytes()).hexdigest())
