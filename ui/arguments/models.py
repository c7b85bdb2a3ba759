"""Arguments of the commands vllm."""

from __future__ import annotations

from ui.arguments.common import Commands, command


def add_vllm(commands: Commands) -> None:
    """Served models."""
    vllm = commands.add_parser("vllm", help="start a served model, or see what an endpoint can do")
    actions = vllm.add_subparsers(required=True, metavar="ACTION", dest="action")
    serve = command(actions, "serve", "serve a model with the flags that its family needs", module="vllm")
    serve.add_argument("target", metavar="MODEL", help="name or folder of the model")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    serve.add_argument("--port", type=int, default=8000, help="port (default 8000)")
    serve.add_argument("--context", type=int, help="longest context in tokens (default: the profile's)")
    serve.add_argument("--dtype", help="number format of the weights (default: the profile's)")
    serve.add_argument("--images", type=int, help="most pictures in one request (default: the profile's)")
    serve.add_argument("--tool-parser", metavar="NAME", help="vLLM's parser of native tool calls (default: the profile's)")
    serve.add_argument("--chat-template", metavar="FILE", help="template instead of the model's own")
    serve.add_argument("--quantization", help="awq, gptq, fp8, bitsandbytes, ...")
    serve.add_argument("--tensor-parallel", type=int, default=1, metavar="N", help="GPUs that share each layer")
    serve.add_argument("--pipeline-parallel", type=int, default=1, metavar="N", help="groups of layers, one after another")
    serve.add_argument("--nodes", type=int, default=1, metavar="N", help="machines of a running Ray cluster")
    serve.add_argument("--cpu", action="store_true", help="for the CPU environment of `make vllm-cpu`")
    serve.add_argument("--wait", type=float, default=1800.0, metavar="S", help="seconds to wait until it is ready")
    serve.add_argument("--dry-run", action="store_true", help="only print the command")
    check = command(actions, "check", "ask an endpoint what it can do", module="vllm")
    check.add_argument("target", metavar="URL", help="base URL of an OpenAI-compatible endpoint")
    check.add_argument("--model-name", metavar="ID", help="which model at the endpoint")
