"""Sentence pairs from open collections of abstracts and questions (see `grounding/weights/README.md` for licences).

`data` is a folder with `pubmedqa.jsonl` (MIT), `bioasq_dev.jsonl.gz` (CC BY 2.5), `evidence_inference/` (MIT) and
`pool.jsonl.gz` (abstracts). HealthVer, on which the result is measured, is never read here.
"""

from __future__ import annotations

import csv
import gzip
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

from evals.entailment.frames import Label, Pair
from evals.entailment.perturb import FAULTS, reword
from grounding.claims import as_statement

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_MEANING: dict[str, tuple[str, ...]] = {
    "up": ("{i} increased {o}", "{o} was higher with {i} than with {c}", "{i} raised {o} compared with {c}",
           "{i} leads to more {o}", "Compared to {c}, {i} significantly increases {o}", "{o} rose with {i}"),
    "down": ("{i} reduced {o}", "{o} was lower with {i} than with {c}", "{i} decreased {o} compared with {c}",
             "{i} leads to less {o}", "Compared to {c}, {i} significantly decreases {o}", "{o} fell with {i}"),
    "none": ("{i} has no effect on {o}", "{o} did not differ between {i} and {c}", "There was no significant difference in {o} with {i}",
             "{i} does not change {o} relative to {c}", "{o} was similar with {i} and {c}"),
}  # fmt: skip
_BEFORE = (
    "BACKGROUND",
    "OBJECTIVE",
    "AIM",
    "PURPOSE",
    "INTRODUCTION",
    "METHOD",
    "MATERIAL",
    "DESIGN",
    "SETTING",
    "PATIENTS",
)
"""Sections that are on the subject of a question and do not answer it."""
_CODE = {"significantly increased": "up", "significantly decreased": "down", "no significant difference": "none"}


def split(text: str) -> list[str]:
    """Sentences long enough to say something."""
    return [part.strip() for part in _SENTENCE.split(" ".join(text.split())) if 30 < len(part.strip()) < 400]


def all_pairs(data: Path, seed: int) -> Iterator[Pair]:
    """Pairs of every source."""
    rng = random.Random(seed)  # noqa: S311 - sentences, not secrets
    yield from _inference(data / "evidence_inference", rng)
    yield from _questions(data / "pubmedqa.jsonl", rng)
    yield from _bioasq(data / "bioasq_dev.jsonl.gz", rng)
    yield from _abstracts(data / "pool.jsonl.gz", rng)


def _inference(folder: Path, rng: random.Random) -> Iterator[Pair]:
    """Evidence Inference: a span and what doctors read in it, as claims of each direction."""
    with (folder / "prompts.csv").open(encoding="utf-8") as file:
        prompts = {row["PromptID"]: row for row in csv.DictReader(file)}
    spans: dict[str, list[tuple[str, str]]] = {}
    with (folder / "annotations.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            span = " ".join(row["Annotations"].split())
            if row["PromptID"] in prompts and row["Label"] in _CODE and 30 < len(span) < 700:
                spans.setdefault(row["PromptID"], []).append((span, _CODE[row["Label"]]))
    texts = [span for found in spans.values() for span, _ in found]
    outcomes: dict[str, list[str]] = {}
    for prompt in prompts.values():
        outcomes.setdefault(prompt["PMCID"], []).append(prompt["Outcome"].strip(" ."))
    for prompt_id, found in spans.items():
        row = prompts[prompt_id]
        names = {"i": row["Intervention"].strip(" ."), "o": row["Outcome"].strip(" ."), "c": row["Comparator"].strip(" .")}
        for span, meaning in dict(found).items():
            for claimed, wordings in _MEANING.items():
                label: Label = "supports" if claimed == meaning else "refutes"
                for wording in rng.sample(wordings, 2):
                    yield Pair("evidence inference", claimed, span, _sentence(wording.format(**names)), label)
            wording = rng.choice(_MEANING[rng.choice(["up", "down", "none"])])
            yield from _other_outcome(names, span, outcomes.get(row["PMCID"], []), rng)
            yield Pair("evidence inference", "other", rng.choice(texts), _sentence(wording.format(**names)), "neutral")


def _other_outcome(names: dict[str, str], span: str, outcomes: list[str], rng: random.Random) -> Iterator[Pair]:
    """A claim about another outcome of the same trial, which the span says nothing of."""
    said = set(re.findall(r"\w{4,}", span.lower()))
    others = [outcome for outcome in outcomes if not set(re.findall(r"\w{4,}", outcome.lower())) & said and len(outcome) > 5]
    if others:
        wording = rng.choice(_MEANING[rng.choice(["up", "down", "none"])])
        yield Pair("evidence inference", "other outcome", span, _sentence(wording.format(**names | {"o": rng.choice(others)})), "neutral")  # fmt: skip


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _questions(path: Path, rng: random.Random) -> Iterator[Pair]:
    """PubMedQA: the question as a claim, the conclusion and the results as evidence."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    meaning: dict[str, Label] = {"yes": "supports", "no": "refutes", "maybe": "neutral"}
    for row in rows:
        claims = {row["question"], as_statement(row["question"])}
        sections = row["sections"].items() if isinstance(row["sections"], dict) else row["sections"]
        results = [part for name, text in sections if "RESULT" in name or "FINDING" in name for part in split(text)]
        for claim in claims:
            yield Pair("pubmedqa", "conclusion", row["conclusion"], claim, meaning[row["answer"]])
            yield Pair("pubmedqa", "other", rng.choice(rows)["conclusion"], claim, "neutral")
        before = [part for name, text in sections if name.startswith(_BEFORE) for part in split(text)]
        if before:
            yield Pair("pubmedqa", "before the answer", rng.choice(before), as_statement(row["question"]), "neutral")
        for part in split(row["conclusion"]):
            yield from _turned("pubmedqa", part, row["conclusion"], rng)
        if results:
            yield Pair("pubmedqa", "same study", " ".join(rng.sample(results, 1)), rng.choice(split(row["conclusion"]) or results), "neutral")  # fmt: skip


def _bioasq(path: Path, rng: random.Random) -> Iterator[Pair]:
    """BioASQ: experts' ideal answers against the snippets that they chose."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    for row in rows:
        ideal = row["ideal_answer"][0] if isinstance(row["ideal_answer"], list) else row["ideal_answer"]
        snippets = list(dict.fromkeys(snippet["text"] for snippet in row["snippets"] if len(snippet["text"]) < 900))
        for part in split(str(ideal))[:3]:
            ranked = sorted(snippets, key=lambda text: -_overlap(part, text))[:2]
            if ranked and _overlap(part, ranked[0]) > 0.5:
                evidence = " ".join(ranked[: rng.choice([1, 1, 2])])
                yield Pair("bioasq", "ideal answer", evidence, part, "supports")
                yield from _turned("bioasq", part, evidence, rng, supports=False)
            far = [text for text in snippets if _overlap(part, text) < 0.25]
            if far:
                yield Pair("bioasq", "same topic", rng.choice(far), part, "neutral")
            other = rng.choice(rows)["snippets"]
            yield Pair("bioasq", "other", rng.choice(other)["text"][:700], part, "neutral")


def _overlap(claim: str, text: str) -> float:
    words = set(re.findall(r"\w{4,}", claim.lower()))
    return len(words & set(re.findall(r"\w{4,}", text.lower()))) / max(len(words), 1)


def _turned(source: str, sentence: str, evidence: str, rng: random.Random, supports: bool = True) -> Iterator[Pair]:
    """A sentence reworded (still supported) and with faults; half of the faults go into the evidence instead."""
    if supports:
        yield Pair(source, "reworded", evidence, reword(sentence, rng), "supports")
    for kind in rng.sample(list(FAULTS), len(FAULTS))[:4]:
        faulty = FAULTS[kind](sentence, rng)
        if faulty is None or faulty == sentence:
            continue
        label: Label = "neutral" if kind == "population" else "refutes"
        if rng.random() < 0.5 or sentence not in evidence:
            yield Pair(source, kind, evidence, reword(faulty, rng) if rng.random() < 0.5 else faulty, label)
        else:
            yield Pair(source, kind, evidence.replace(sentence, faulty), reword(sentence, rng), label)


def _abstracts(path: Path, rng: random.Random) -> Iterator[Pair]:
    """Abstracts: a sentence among its neighbours, reworded, turned around, or from elsewhere in the same abstract."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    for row in rng.sample(rows, min(5000, len(rows))):
        parts = split(row["text"])
        if len(parts) < 4:
            continue
        place = rng.randrange(len(parts) - 2)
        window = parts[place : place + rng.choice([1, 2, 3])]
        yield from _turned("abstracts", rng.choice(window), " ".join(window), rng)
        rest = [part for part in parts if part not in window]
        if rest:
            yield Pair("abstracts", "same abstract", " ".join(window), rng.choice(rest), "neutral")
