"""What the entailment model is fitted on is made as it says."""

from __future__ import annotations

import random

from evals.claims import macro_f1
from evals.entailment import frames
from evals.entailment.fit import HELD_OUT
from evals.entailment.perturb import FAULTS, reword


def test_every_family_has_evidence_and_all_its_slots() -> None:
    found = frames.families()
    assert len(found) >= 40
    assert {family.name for family in found} >= HELD_OUT
    for pair in frames.pairs(1, 1):
        assert pair.evidence
        assert not set("{}@|") & set(pair.claim + pair.evidence), pair


def test_pairs_are_the_same_for_the_same_seed_and_cover_three_labels() -> None:
    assert list(frames.pairs(3, 1)) == list(frames.pairs(3, 1))
    assert {pair.label for pair in frames.pairs(3, 1)} == {"supports", "refutes", "neutral"}


def test_operators_change_one_thing_or_say_that_they_cannot() -> None:
    rng = random.Random(0)  # noqa: S311
    text = "In 120 children, zinc reduced pain by 12 % within 3 days and was higher than placebo."
    for kind, fault in FAULTS.items():
        changed = fault(text, rng)
        assert changed is None or changed != text, kind
    assert all(fault("Bones.", rng) is None for kind, fault in FAULTS.items() if kind != "negation")
    assert reword("Overall, zinc works.", rng)


def test_macro_f1_counts_every_class() -> None:
    assert macro_f1(["supports", "refutes", "neutral"], ["supports", "refutes", "neutral"]) == 1
    assert round(macro_f1(["supports", "refutes", "neutral"], ["neutral"] * 3), 3) == 0.167
