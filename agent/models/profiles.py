"""Profiles of model families, and the `vllm serve` command that a profile asks for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import yaml

from core.types import Frozen


class Profile(Frozen):
    """What one family of models needs. `image_pixels` is the largest picture worth sending, in pixels."""

    name: str
    pattern: str
    tool_parser: str | None = None
    context: int
    images: int
    image_pixels: int = 802816
    image_tokens: int = 1024
    extra: tuple[str, ...] = ()


@dataclass(frozen=True)
class Machine:
    """Where the model runs and how it is spread. `nodes` over 1 needs a running Ray cluster."""

    host: str = "127.0.0.1"
    port: int = 8000
    dtype: str = "auto"
    quantization: str | None = None
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    nodes: int = 1
    context: int | None = None
    cpu: bool = False


@lru_cache(maxsize=1)
def profiles() -> tuple[Profile, ...]:
    """All profiles, in the order they are tried."""
    text = (files(__package__) / "profiles.yaml").read_text(encoding="utf-8")
    return tuple(Profile.model_validate(item) for item in yaml.safe_load(text))


def profile_of(model: str) -> Profile:
    """The first profile whose pattern is found in a model's name; the last one fits every name."""
    return next(item for item in profiles() if re.search(item.pattern, model, re.IGNORECASE))


def serve_command(model: str, profile: Profile, machine: Machine, executable: str = "vllm") -> list[str]:
    """The command that serves a model, one argument per item: it is run without a shell."""
    command = [executable, "serve", model, "--host", machine.host, "--port", str(machine.port)]
    command += ["--max-model-len", str(machine.context or profile.context), "--dtype", machine.dtype]
    command += ["--limit-mm-per-prompt", json.dumps({"image": profile.images, "video": 0})] if profile.images else []
    # Without this a model may pad JSON with spaces until its tokens are used up.
    command += ["--structured-outputs-config", json.dumps({"backend": "xgrammar", "disable_any_whitespace": True})]
    if profile.tool_parser:
        command += ["--enable-auto-tool-choice", "--tool-call-parser", profile.tool_parser]
    if machine.quantization:
        command += ["--quantization", machine.quantization]
    if machine.tensor_parallel > 1:
        command += ["--tensor-parallel-size", str(machine.tensor_parallel)]
    if machine.pipeline_parallel > 1:
        command += ["--pipeline-parallel-size", str(machine.pipeline_parallel)]
    if machine.nodes > 1:
        command += ["--distributed-executor-backend", "ray"]
    if machine.cpu:
        # On CPU the flag means the share of main memory, which other programs need too.
        command += ["--enforce-eager", "--gpu-memory-utilization", "0.3"]
    return command + list(profile.extra)
