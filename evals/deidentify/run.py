"""`consilium eval deidentify`: what is found of every kind, in notes that the tagger was not trained on."""

from __future__ import annotations

import argparse
import json

from evals.deidentify.family import DEV, clean_lines, notes_of
from evals.deidentify.measure import Outcome, blanked_words, measure


def run(arguments: argparse.Namespace) -> int:
    """Print one table for each set, and what is blanked of text that names nobody."""
    sets = {name: measure(notes_of(name == "dev", arguments.notes, arguments.seed)) for name in ("held out", "dev")}
    lost, words, told = blanked_words(clean_lines())
    if arguments.json:
        made = {name: done.model_dump(exclude={"missed", "wrong"}) for name, done in sets.items()}
        print(json.dumps({**made, "clean": {"blanked": lost, "words": words}}))
        return 0
    for name, done in sets.items():
        _print(name, done)
    print(f"\nclean text: {lost} of {words} words blanked ({100 * lost / words:.1f} %)")
    if arguments.show:
        print("\n".join([*sets["dev"].missed, *sets["dev"].wrong, *told]))
    return 0


def _print(name: str, done: Outcome) -> None:
    kinds = f"kinds {', '.join(DEV)}" if name == "dev" else "the other kinds"
    print(f"\n{name}: {done.notes} notes ({kinds}); precision of blanked letters {100 * done.precision:.1f} %")
    print(f"  {'category':12} {'number':>6} {'recall':>7}  95 % interval   right kind")
    for score in done.scores:
        named = 100 * score.named / score.count
        print(
            f"  {score.category:12} {score.count:6} {100 * score.recall:6.1f} %  {100 * score.low:5.1f}-{100 * score.high:5.1f} %"
            f"  {named:9.1f} %"
        )
