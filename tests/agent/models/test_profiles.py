from __future__ import annotations

import json

import pytest

from agent.models.profiles import (
    Machine,
    check_machine,
    cluster_commands,
    profile_of,
    profiles,
    serve_command,
)
from core.errors import InputError


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("google/medgemma-4b-it", "medgemma"),
        ("Qwen/Qwen2.5-VL-7B-Instruct", "qwen-vl"),
        ("Qwen/Qwen3-8B", "qwen-text"),
        ("meta-llama/Llama-3.2-11B-Vision-Instruct", "llama-3.2-vision"),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", "llama-4"),
        ("google/medgemma-1.5-4b-it", "medgemma"),
        ("google/gemma-4-12b-it", "gemma-4"),
        ("Qwen/Qwen3-VL-8B-Instruct", "qwen3-vl"),
        ("Qwen/Qwen-VL-Chat", "qwen-vl-1"),
        ("lingshu-medical-mllm/Lingshu-7B", "qwen-vl"),
        ("llava-hf/llava-v1.6-mistral-7b-hf", "llava-hf"),
        ("General-Medical-AI/GMAI-VL", "gmai-vl"),
        ("MBZUAI/BiMediX2-8B", "llava-original"),
        ("mistralai/Mistral-Small-3.2-24B-Instruct-2506", "mistral-vision"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama-text"),
        ("OpenGVLab/InternVL3-8B", "internvl"),
        ("microsoft/llava-rad", "llava-original"),
        ("/models/of-our-own", "any"),
    ],
)
def test_a_family_is_told_by_the_models_name(model: str, name: str) -> None:
    assert profile_of(model).name == name


def test_the_last_profile_fits_every_name_and_names_are_unique() -> None:
    assert profiles()[-1].pattern == ".*"
    names = [profile.name for profile in profiles()]
    assert len(set(names)) == len(names)


def test_the_command_has_what_the_profile_asks_for() -> None:
    command = serve_command("Qwen/Qwen2.5-VL-7B-Instruct", profile_of("qwen2.5-vl"), Machine())
    assert command[:3] == ["vllm", "serve", "Qwen/Qwen2.5-VL-7B-Instruct"]
    assert command[command.index("--tool-call-parser") + 1] == "hermes"
    assert json.loads(command[command.index("--limit-mm-per-prompt") + 1]) == {"image": 8, "video": 0}
    assert command[command.index("--host") + 1] == "127.0.0.1"


def test_a_family_without_native_calls_gets_no_parser() -> None:
    assert "--enable-auto-tool-choice" not in serve_command("medgemma", profile_of("medgemma"), Machine())


def test_a_large_model_is_spread_over_gpus_and_nodes() -> None:
    machine = Machine(tensor_parallel=8, pipeline_parallel=2, nodes=2, quantization="fp8", context=1000)
    command = serve_command("m", profile_of("m"), machine)
    for flag, value in (
        ("--tensor-parallel-size", "8"), ("--pipeline-parallel-size", "2"), ("--distributed-executor-backend", "ray"),
        ("--quantization", "fp8"), ("--max-model-len", "1000"),
    ):  # fmt: skip
        assert command[command.index(flag) + 1] == value


def test_flags_weigh_more_than_the_profile() -> None:
    machine = Machine(dtype="float16", images=2, tool_parser="pythonic", chat_template="t.jinja")
    command = serve_command("google/medgemma-4b-it", profile_of("medgemma"), machine)
    for flag, value in (("--dtype", "float16"), ("--tool-call-parser", "pythonic"), ("--chat-template", "t.jinja")):
        assert command[command.index(flag) + 1] == value
    assert json.loads(command[command.index("--limit-mm-per-prompt") + 1])["image"] == 2


def test_every_profile_leaves_room_for_its_pictures_and_the_answer() -> None:
    for profile in profiles():
        assert profile.image_tokens * min(profile.images, 1) < profile.context, profile.name


def test_one_machine_needs_no_ray() -> None:
    assert cluster_commands(Machine()) == []


@pytest.mark.parametrize("machine", [Machine(nodes=0), Machine(tensor_parallel=3, nodes=2)])
def test_gpus_that_do_not_divide_are_refused(machine: Machine) -> None:
    with pytest.raises(InputError):
        check_machine(profile_of("m"), machine)


def test_a_name_with_shell_characters_stays_one_argument() -> None:
    name = "x; rm -rf $HOME"
    assert serve_command(name, profile_of(name), Machine())[2] == name
