"""`consilium mcp`: the tools over MCP on standard input and output, for a program that starts this one."""

from __future__ import annotations

import argparse

from core.settings import load_settings


def run(arguments: argparse.Namespace) -> int:
    """Serve until the program leaves. Standard output carries the protocol alone."""
    settings = load_settings(model=arguments.model, model_name=arguments.model_name)
    import anyio

    from agent.assemble import build_assistant
    from ui.service.mcp_server import McpService, over_stdio

    with build_assistant(settings) as assistant:
        anyio.run(over_stdio, McpService(assistant, settings))
    return 0
