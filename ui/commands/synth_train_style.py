"""`consilium synth train-style`: the network that gives computed films the look of radiographs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def run(arguments: argparse.Namespace) -> int:
    """Run the chosen action."""
    from dataclasses import replace

    from tools.imaging.xray.files import train_style
    from tools.imaging.xray.style.training import Recipe

    recipe = Recipe(seed=arguments.seed)
    if arguments.steps:
        recipe = replace(recipe, steps=arguments.steps)
    losses = train_style(
        [Path(p) for p in arguments.ct], [Path(p) for p in arguments.reference or ()], Path(arguments.out), recipe
    )
    if arguments.json:
        print(json.dumps({"out": arguments.out, "losses": losses}))
        return 0
    for name, loss in losses.items():
        print(f"{name:16} {loss:.4f}")
    print(f"{arguments.out}: style.safetensors, style.json")
    return 0
