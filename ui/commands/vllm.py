"""`consilium vllm serve|check`: start a model with the flags its family needs, and see what an endpoint can do."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path

from agent.models.endpoint import find_endpoint
from agent.models.preflight import Preflight, preflight
from agent.models.profiles import Machine, Profile, check_machine, cluster_commands, profile_of, serve_command
from agent.models.server import find_vllm, running
from core.settings import load_settings

_ENVIRONMENT = Path(__file__).resolve().parent.parent.parent / ".venv-vllm"


def run(arguments: argparse.Namespace) -> int:
    """Serve or check."""
    return _serve(arguments) if arguments.action == "serve" else _check(arguments)


def _serve(arguments: argparse.Namespace) -> int:
    """Serve until interrupted; `--dry-run` only prints the command."""
    profile = profile_of(arguments.target)
    machine = Machine(
        host=arguments.host, port=arguments.port, dtype=arguments.dtype, quantization=arguments.quantization,
        tensor_parallel=arguments.tensor_parallel, pipeline_parallel=arguments.pipeline_parallel, nodes=arguments.nodes,
        context=arguments.context, images=arguments.images, tool_parser=arguments.tool_parser,
        chat_template=arguments.chat_template, cpu=arguments.cpu,
    )  # fmt: skip
    check_machine(profile, machine)
    executable = "vllm" if arguments.dry_run else find_vllm(_ENVIRONMENT)
    command = serve_command(arguments.target, profile, machine, executable)
    cluster = cluster_commands(machine)
    if arguments.json:
        told = {"profile": profile.name, "command": command, "warning": profile.warning, "cluster": cluster}
        print(json.dumps(told), flush=True)
    else:
        _announce(profile, command, cluster)
    if arguments.dry_run:
        return 0
    log = load_settings().home / "vllm" / f"port-{machine.port}.log"
    print(f"Its log: {log}. Waiting until it is ready ...", flush=True)
    url = f"http://127.0.0.1:{machine.port}"
    with running(command, log, url, arguments.wait) as process:
        print(f"Ready. In another terminal: consilium serve --model {url}/v1", flush=True)
        return process.wait()


def _announce(profile: Profile, command: list[str], cluster: list[tuple[str, str]]) -> None:
    if profile.warning:
        print(f"Warning: {profile.warning}")
    if cluster:
        print("Several machines: first join them by Ray.")
        for where, words in cluster:
            print(f"  {where}: {words}")
    print(f"Profile {profile.name}. Running:\n{shlex.join(command)}", flush=True)


def _check(arguments: argparse.Namespace) -> int:
    """Print what works; 3 when the model can neither call tools nor keep to a schema."""
    settings = load_settings(model=arguments.target, model_name=arguments.model_name)
    endpoint = find_endpoint(settings)
    seen = preflight(endpoint, settings.api_key.get_secret_value(), settings.home / "preflight", fresh=True)
    if arguments.json:
        print(json.dumps({**seen.model_dump(mode="json"), "planner": seen.planner, "others": endpoint.others}))
    else:
        _print(seen, endpoint.others)
    return 3 if seen.planner == "none" else 0


def _print(seen: Preflight, others: tuple[str, ...]) -> None:
    print(f"{seen.model} at {seen.endpoint}, context {seen.context or 'not told'}")
    if others:
        print(f"It also serves {', '.join(others)}; --model-name picks.")
    for check in seen.checks:
        print(f"{'ok  ' if check.works else 'no  '}  {check.name:24} {check.seconds:6.2f} s  {check.seen}")
    how = {
        "native": "Tools are called natively.",
        "guided": "Native calls do not work: tool calls are planned by schema-guided JSON.",
        "none": "It can neither call tools nor keep to a schema: Consilium cannot use it.",
    }
    print(how[seen.planner])
    closed = "the probabilities of their options" if seen.works("log-probabilities") else "a vote over their orders"
    print(f"Closed questions are decided by {closed}.")
