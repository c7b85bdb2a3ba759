"""`consilium serve`: the page."""

from __future__ import annotations

import argparse

from core.settings import load_settings


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted."""
    settings = load_settings(
        host=arguments.host,
        port=arguments.port,
        login=arguments.login,
        model=arguments.model,
        model_name=arguments.model_name,
        strategy=arguments.strategy,
        examples=arguments.examples,
    )
    from agent.assemble import build_assistant
    from ui.app import launch

    launch(build_assistant(settings), settings)
    return 0
