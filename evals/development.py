"""The development collections, which of their questions may be learnt from, and which are only for measuring.

BioASQ, by the order of the file: questions 1 to 400 test, 401 to 550 validation, the rest training. PubMedQA: the first
400 training (and the search's constants), the rest test; MeSH headings are asked over the same two parts (`topics`).
Evidence Inference: articles by number, every second one test.
Documents that answer a test or validation question take no part in training, not even as wrong answers.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrieval.corpus import Document

BIOASQ_TEST, BIOASQ_VALIDATION = 400, 150
PUBMEDQA_TRAINING = 400
_TOPIC = (3, 24)
"""Abstracts under a heading that is asked: under more it says little, "Humans" nothing."""
CHUNK = 1000
"""Characters of a chunk of full text."""


@dataclass(frozen=True)
class Question:
    """A question and the ids of the documents that answer it."""

    text: str
    relevant: frozenset[str]


def lines(path: Path) -> Iterator[Any]:
    """JSON objects of a `.jsonl` or `.jsonl.gz` file."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def pool(data: Path) -> list[Document]:
    """Abstracts from several corpora, by PMID."""
    return [Document(id=row["id"], title=row["title"] or "", text=row["text"]) for row in lines(data / "pool.jsonl.gz")]


def bioasq(data: Path, known: set[str]) -> list[Question]:
    """BioASQ questions with the documents among `known` that answer them; the file's order."""
    asked = []
    for row in lines(data / "bioasq_dev.jsonl.gz"):
        relevant = frozenset(snippet["pmid"] for snippet in row["snippets"]) & known
        if relevant:
            asked.append(Question(row["question"], relevant))
    return asked


def pubmedqa(data: Path) -> tuple[list[Document], list[Question], list[Question]]:
    """Abstracts without their conclusions, the questions, and the conclusions as questions, all in the file's order."""
    documents, asked, concluded = [], [], []
    for row in lines(data / "pubmedqa.jsonl"):
        sections = row["sections"]
        parts = sections.values() if isinstance(sections, dict) else (part[-1] for part in sections)
        documents.append(Document(id=row["pmid"], text="\n".join(parts)))
        asked.append(Question(row["question"], frozenset([row["pmid"]])))
        concluded.append(Question(row["conclusion"] or "", frozenset([row["pmid"]])))
    return documents, asked, concluded


def topics(data: Path) -> tuple[list[Question], list[Question]]:
    """MeSH headings as questions over PubMedQA's abstracts: for training, and others for development.

    Those for training have their answers among the first 400 abstracts, those for development among the rest.
    """
    rows = list(lines(data / "pubmedqa.jsonl"))
    cut = PUBMEDQA_TRAINING
    parts: tuple[list[Question], list[Question]] = ([], [])
    for part, kept in zip(parts, (rows[:cut], rows[cut:]), strict=True):
        under: dict[str, set[str]] = {}
        for row in kept:
            for heading in {mesh.split("/")[0] for mesh in row["mesh"]}:
                under.setdefault(heading, set()).add(row["pmid"])
        # A hash parts the headings, so that none is on both sides.
        wanted = [h for h in sorted(under) if _is_for_development(h) == (part is parts[1])]
        part += [Question(h, frozenset(under[h])) for h in wanted if _TOPIC[0] <= len(under[h]) <= _TOPIC[1]]
    return parts


def _is_for_development(heading: str) -> bool:
    return hashlib.sha256(heading.encode()).digest()[0] % 3 == 0


def full_text(data: Path) -> tuple[list[Document], list[tuple[str, Question]]]:
    """Evidence Inference: chunks of 1,000 characters, and each prompt with the chunks that hold its evidence.

    A prompt is asked as "effect of INTERVENTION compared with COMPARATOR on OUTCOME"; with it comes its article's number.
    """
    folder = data / "evidence_inference"
    chunks, articles = [], set()
    with tarfile.open(folder / "articles.tar.xz") as archive:
        for member in archive:
            number = re.search(r"PMC(\d+)\.txt$", member.name)
            file = archive.extractfile(member) if number else None
            if number and file:
                text = file.read().decode("utf-8")
                articles.add(number.group(1))
                starts = range(0, len(text), CHUNK)
                parts = [(start, text[start : start + CHUNK]) for start in starts]
                chunks += [Document(id=f"{number.group(1)}:{at}", text=part) for at, part in parts if part.strip()]
    evidence: dict[str, set[str]] = {}
    for row in _rows(folder / "annotations.csv"):
        start, end = (int(float(row[name] or -1)) for name in ("Evidence Start", "Evidence End"))
        if row["PMCID"] in articles and 0 <= start < end:
            places = {f"{row['PMCID']}:{at}" for at in range(start // CHUNK * CHUNK, end, CHUNK)}
            evidence.setdefault(row["PromptID"], set()).update(places)
    asked = [
        (
            row["PMCID"],
            Question(
                f"effect of {row['Intervention']} compared with {row['Comparator']} on {row['Outcome']}",
                frozenset(evidence[row["PromptID"]]),
            ),
        )
        for row in _rows(folder / "prompts.csv")
        if row["PromptID"] in evidence
    ]
    return chunks, asked


def is_test_article(number: str, numbers: list[str]) -> bool:
    """Every second article, in order of the numbers."""
    return numbers.index(number) % 2 == 1


def medlars(data: Path) -> tuple[list[Document], list[Question]]:
    """1,033 abstracts and 30 questions with many relevant documents each."""
    with gzip.open(data / "medlars.json.gz", "rt", encoding="utf-8") as file:
        held = json.load(file)
    documents = [Document(id=name, text=text) for name, text in held["docs"].items()]
    return documents, [Question(text, frozenset(held["qrels"][name])) for name, text in held["queries"].items()]


def claims(data: Path) -> tuple[list[Document], list[Question]]:
    """HealthVer (evaluation only): COVID-19 claims, relevant what supports or refutes them."""
    rows = _rows(data / "healthver_dev.csv")
    names: dict[str, str] = {}
    for row in rows:
        names.setdefault(row["evidence"], f"evidence-{len(names)}")
    asked: dict[str, set[str]] = {}
    for row in rows:
        if row["label"] != "Neutral":
            asked.setdefault(row["claim"], set()).add(names[row["evidence"]])
    documents = [Document(id=name, text=text) for text, name in names.items()]
    return documents, [Question(text, frozenset(relevant)) for text, relevant in asked.items()]


def _rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
