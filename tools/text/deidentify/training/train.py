"""Train the name tagger: `python -m tools.text.deidentify.training.train --notes 9000 --seed 7 [--plain F.jsonl]`.

Writes `weights/lexicon.safetensors` and `weights/tagger.safetensors`. While it learns, a quarter of the rarer names is missing
from the lists, so that names in no list are learnt from where they stand. `--plain` adds texts without identifiers (for
example PubMedQA's contexts, MIT licence) as negatives.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from tools.text.deidentify.features import Token, features_of, tokens_of
from tools.text.deidentify.lexicon import KINDS, WEIGHTS, Lexicon, hashed, plain
from tools.text.deidentify.training.people import pools
from tools.text.deidentify.training.render import Note, generate, vocabulary

_NAMING = re.compile(
    r"\b(University|Hospital|Cent(?:er|re)|Institute|Clinic|Department|Registry|County|[A-Z]\w+ (?:School|College)|Jan\w*|Feb\w*|"
    r"March|April|May|June|July|Aug\w*|Sept\w*|Oct\w*|Nov\w*|Dec\w*|in [A-Z][a-z]+)\b|\d/\d"
)
_SMALLEST = 0.04
"""Weights below this change nothing that matters and are left out."""


def main() -> None:
    """Build the lists, learn, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notes", type=int, default=9000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=70)
    parser.add_argument("--plain", metavar="F.jsonl", help="PubMedQA, lines with {'sections'}")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    lists = build_lists()
    save_file({kind: np.array(sorted(lists[kind]), dtype=np.uint32) for kind in KINDS}, chosen.out / "lexicon.safetensors")
    notes = generate(chosen.notes, chosen.seed) + (_plain_notes(Path(chosen.plain)) if chosen.plain else [])
    train(
        notes, _thinned(lists), chosen.rounds, chosen.out / "tagger.safetensors", {"notes": len(notes), "seed": chosen.seed}
    )


def build_lists() -> dict[str, set[int]]:
    """Hashes of the words of every list."""
    from english_words import get_english_words_set

    made = pools()
    words = {w for w in get_english_words_set(["web2"]) if w == w.lower() and len(w) > 1}
    clinical = {w for kind in vocabulary().values() for phrase in kind for w in phrase.replace("/", " ").split()}
    given_common = _words(made.first[0])
    family_common = _words(made.last[0])
    places = {word for city in made.cities for word in city.split() if len(word) > 3} | _words(made.cities)
    lists = {
        "given_common": given_common,
        "given": {w for group in made.first[:4] for w in _words(group)},
        "family_common": family_common,
        "family": {w for group in made.last[:4] for w in _words(group)},
        "place": places,
        "english": words,
        "clinical": {w.strip(".,;:()'").removesuffix("'s") for w in clinical},
    }
    return {kind: {hashed(word) for word in found if word} for kind, found in lists.items()}


def _words(names: tuple[str, ...]) -> set[str]:
    return {word for name in names for word in plain(name).replace("-", " ").split()}


def _thinned(lists: dict[str, set[int]]) -> Lexicon:
    common = lists["given_common"] | lists["family_common"]
    kept = {
        kind: frozenset(h for h in found if kind in ("english", "clinical") or h in common or h % 4)
        for kind, found in lists.items()
    }
    return Lexicon(kept)


def _plain_notes(path: Path) -> list[Note]:
    """A ninth of the texts of PubMedQA, without the sentences that name a place, an institution or a date."""
    texts = []
    for line in path.read_text(encoding="utf-8").splitlines():
        sections = json.loads(line)["sections"]
        for section in sections.values() if isinstance(sections, dict) else map(str, sections):
            kept = [sentence for sentence in re.split(r"(?<=[.?!]) ", section) if not _NAMING.search(sentence)]
            texts.append(" ".join(kept))
    return [Note(text, ()) for text in texts[::9] if text]


def labels_of(note: Note, tokens: list[Token]) -> list[str]:
    """B-, I- or O for every token."""
    labels, spans = [], list(note.spans)
    at = 0
    for token in tokens:
        while at < len(spans) and spans[at][1] <= token.start:
            at += 1
        if at < len(spans) and spans[at][0] < token.end:
            labels.append(("B-" if token.start <= spans[at][0] else "I-") + spans[at][2])
        else:
            labels.append("O")
    return labels


def train(notes: list[Note], lexicon: Lexicon, rounds: int, path: Path, told: dict[str, int]) -> None:
    """Learn by L-BFGS with L1 and L2 terms, and write the weights that are left."""
    import pycrfsuite

    trainer = pycrfsuite.Trainer(verbose=True)
    for note in notes:
        tokens = tokens_of(note.text)
        if tokens:
            trainer.append(features_of(note.text, tokens, lexicon), labels_of(note, tokens))
    trainer.set_params(
        {"c1": 0.03, "c2": 0.02, "max_iterations": rounds, "feature.minfreq": 3, "feature.possible_transitions": True}
    )
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "crf")
        trainer.train(file)
        tagger = pycrfsuite.Tagger()
        tagger.open(file)
        info = tagger.info()
        labels = sorted(tagger.labels())
    place = {label: i for i, label in enumerate(labels)}
    kept = [
        (zlib.crc32(f.encode()), place[label], w) for (f, label), w in info.state_features.items() if abs(w) >= _SMALLEST
    ]
    kept.sort()
    transition = np.full((len(labels), len(labels)), -4.0, dtype=np.float32)
    for (one, two), weight in info.transitions.items():
        transition[place[one], place[two]] = weight
    arrays: dict[str, NDArray[Any]] = {
        "feature": np.array([row[0] for row in kept], dtype=np.uint32),
        "label": np.array([row[1] for row in kept], dtype=np.uint8),
        "weight": np.array([row[2] for row in kept], dtype=np.float16),
        "transition": transition,
    }
    save_file(arrays, path, metadata={"labels": json.dumps(labels), **{name: str(value) for name, value in told.items()}})


if __name__ == "__main__":
    main()
