"""Every command that a profile makes, read by vLLM's own parser. Run by `make vllm-test`."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from agent.models.profiles import Machine, profiles, serve_command
from tests.vllm.conftest import ENVIRONMENT, ROOT

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(300)]
MACHINES = (
    Machine(),
    Machine(cpu=True, port=9000),
    Machine(tensor_parallel=8, pipeline_parallel=2, nodes=2, context=8192, dtype="bfloat16"),
    *(Machine(quantization=name) for name in ("awq", "gptq", "fp8", "bitsandbytes", "compressed-tensors")),
)
CASES = [(profile, machine) for profile in profiles() if not profile.refused for machine in MACHINES]


@pytest.fixture(scope="module")
def told() -> Any:
    commands = [serve_command(f"org/{profile.name}", profile, machine)[2:] for profile, machine in CASES]
    done = subprocess.run(
        [str(ENVIRONMENT / "bin" / "python"), str(ROOT / "tests" / "vllm" / "parse_commands.py")],
        input=json.dumps(commands), capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_every_flag_means_what_the_profile_says(told: Any) -> None:
    for (profile, machine), parsed in zip(CASES, told["parsed"], strict=True):
        assert parsed["max_model_len"] == (machine.context or profile.context)
        assert parsed["tool_call_parser"] == profile.tool_parser
        assert parsed["enable_auto_tool_choice"] == bool(profile.tool_parser)
        assert parsed["tensor_parallel_size"] == machine.tensor_parallel
        assert parsed["pipeline_parallel_size"] == machine.pipeline_parallel
        assert parsed["distributed_executor_backend"] == ("ray" if machine.nodes > 1 else None)
        assert parsed["quantization"] == machine.quantization
        assert parsed["dtype"] == (machine.dtype or profile.dtype)
        if profile.images:
            assert parsed["limit_mm_per_prompt"]["image"] == profile.images
    print(f"{len(CASES)} commands of {len({profile.name for profile, _ in CASES})} profiles read by vLLM's parser")


def test_every_tool_parser_is_one_of_vllms(told: Any) -> None:
    named = {profile.tool_parser for profile in profiles() if profile.tool_parser}
    assert named <= set(told["tool_parsers"])


def test_what_is_said_of_architectures_holds(told: Any) -> None:
    served, once = set(told["served"]), told["served_once"]
    assert once["MllamaForConditionalGeneration"] == "0.10.2"
    assert once["QwenVLForConditionalGeneration"] == "0.23.0"
    assert not served & {"LlavaLlamaForCausalLM", "LlavaMistralForCausalLM", "MllamaForConditionalGeneration"}
    assert served >= {
        "Gemma3ForConditionalGeneration", "Qwen2_5_VLForConditionalGeneration", "Qwen3VLForConditionalGeneration",
        "Llama4ForConditionalGeneration", "InternVLChatModel", "LlavaForConditionalGeneration",
        "LlavaNextForConditionalGeneration", "PixtralForConditionalGeneration",
    }  # fmt: skip
