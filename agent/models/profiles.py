"""Profiles of model families, and the `vllm serve` command that a profile asks for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import yaml
from pydantic import Field

from core.errors import InputError
from core.types import Frozen

_RAY_PORT = 6379


class Profile(Frozen):
    """What one family of models needs.

    `image_pixels` is the largest picture worth sending, in pixels; `image_tokens` the most tokens one of that size takes.
    """

    name: str
    pattern: str
    tool_parser: str | None = None
    context: int
    images: int
    image_pixels: int = 802816
    image_tokens: int = 1024
    dtype: str = "auto"
    mm_processor_kwargs: dict[str, int] = Field(default={})
    extra: tuple[str, ...] = ()
    warning: str = ""
    refused: str = ""


@dataclass(frozen=True)
class Machine:
    """Where the model runs and how it is spread; None means the profile's. `nodes` over 1 needs a running Ray cluster."""

    host: str = "127.0.0.1"
    port: int = 8000
    dtype: str | None = None
    quantization: str | None = None
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    nodes: int = 1
    context: int | None = None
    images: int | None = None
    tool_parser: str | None = None
    chat_template: str | None = None
    cpu: bool = False


@lru_cache(maxsize=1)
def profiles() -> tuple[Profile, ...]:
    """All profiles, in the order they are tried."""
    text = (files(__package__) / "profiles.yaml").read_text(encoding="utf-8")
    return tuple(Profile.model_validate(item) for item in yaml.safe_load(text))


def profile_of(model: str) -> Profile:
    """The first profile whose pattern is found in a model's name; the last one fits every name."""
    return next(item for item in profiles() if re.search(item.pattern, model, re.IGNORECASE))


def check_machine(profile: Profile, machine: Machine) -> None:
    """Raise `InputError` for what cannot be started: a family that vLLM no longer serves, GPUs that do not divide."""
    if profile.refused:
        raise InputError(profile.refused)
    sizes = (machine.tensor_parallel, machine.pipeline_parallel, machine.nodes)
    if min(sizes) < 1:
        raise InputError(f"--tensor-parallel, --pipeline-parallel and --nodes must be 1 or more, got {sizes}.")
    gpus = machine.tensor_parallel * machine.pipeline_parallel
    if gpus % machine.nodes:
        raise InputError(
            f"--tensor-parallel x --pipeline-parallel is the number of GPUs and must divide by --nodes: got "
            f"{machine.tensor_parallel} x {machine.pipeline_parallel} = {gpus} over {machine.nodes}."
        )


def serve_command(model: str, profile: Profile, machine: Machine, executable: str = "vllm") -> list[str]:
    """The command that serves a model, one argument per item: it is run without a shell."""
    images = profile.images if machine.images is None else machine.images
    parser = machine.tool_parser or profile.tool_parser
    command = [executable, "serve", model, "--host", machine.host, "--port", str(machine.port)]
    command += ["--max-model-len", str(machine.context or profile.context)]
    command += ["--dtype", machine.dtype or profile.dtype]
    command += ["--limit-mm-per-prompt", json.dumps({"image": images, "video": 0})] if images else []
    if images and profile.mm_processor_kwargs:
        command += ["--mm-processor-kwargs", json.dumps(profile.mm_processor_kwargs)]
    # Without this a model may pad JSON with spaces until its tokens are used up.
    command += ["--structured-outputs-config", json.dumps({"backend": "xgrammar", "disable_any_whitespace": True})]
    if parser:
        command += ["--enable-auto-tool-choice", "--tool-call-parser", parser]
    if machine.chat_template:
        command += ["--chat-template", machine.chat_template]
    if machine.quantization:
        command += ["--quantization", machine.quantization]
    return command + _spread(machine) + list(profile.extra)


def _spread(machine: Machine) -> list[str]:
    flags = []
    if machine.tensor_parallel > 1:
        flags += ["--tensor-parallel-size", str(machine.tensor_parallel)]
    if machine.pipeline_parallel > 1:
        flags += ["--pipeline-parallel-size", str(machine.pipeline_parallel)]
    if machine.nodes > 1:
        flags += ["--distributed-executor-backend", "ray"]
    if machine.cpu:
        # On CPU the flag means the share of main memory, which other programs need too.
        flags += ["--enforce-eager", "--gpu-memory-utilization", "0.3"]
    return flags


def cluster_commands(machine: Machine) -> list[tuple[str, str]]:
    """What to run where, before the server, to join several machines by Ray; empty for one machine.

    `HEAD` stands for the address of the machine that the server is started on.
    """
    if machine.nodes == 1:
        return []
    per_node = machine.tensor_parallel * machine.pipeline_parallel // machine.nodes
    return [
        ("every machine, in vLLM's environment", "pip install ray"),
        ("this machine", f"ray start --head --port={_RAY_PORT} --num-gpus={per_node}"),
        (f"each of the {machine.nodes - 1} others", f"ray start --address=HEAD:{_RAY_PORT} --num-gpus={per_node}"),
        ("this machine, until all are listed", "ray status"),
    ]
