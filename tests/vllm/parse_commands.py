"""Parse `vllm serve` commands with vLLM's own parser. Run with the interpreter of `.venv-vllm`.

Reads a JSON list of argument lists (what follows `vllm serve`) from standard input; prints, as the last line, JSON with what
each was parsed to, the names of vLLM's tool-call parsers and the architectures that it serves, and served once.
"""

from __future__ import annotations

import json
import sys

from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.model_executor.models import registry
from vllm.tool_parsers import _TOOL_PARSERS_TO_REGISTER
from vllm.utils.argparse_utils import FlexibleArgumentParser

WANTED = (
    "host", "port", "max_model_len", "dtype", "limit_mm_per_prompt", "mm_processor_kwargs", "tool_call_parser",
    "enable_auto_tool_choice", "quantization", "tensor_parallel_size", "pipeline_parallel_size",
    "distributed_executor_backend", "trust_remote_code", "enforce_eager", "chat_template",
)  # fmt: skip


def main() -> None:
    """Parse them all; an unknown flag or value ends the program with vLLM's message."""
    parser = make_arg_parser(FlexibleArgumentParser())
    parsed = []
    for arguments in json.load(sys.stdin):
        found = vars(parser.parse_args(arguments))
        parsed.append({name: found[name] for name in WANTED if name in found})
    print(
        json.dumps(
            {
                "parsed": parsed,
                "tool_parsers": sorted(_TOOL_PARSERS_TO_REGISTER),
                "served": sorted(registry.ModelRegistry.get_supported_archs()),
                "served_once": registry._PREVIOUSLY_SUPPORTED_MODELS,
            },
            default=str,
        )
    )


if __name__ == "__main__":
    main()
