"""`python -m evals.reranker.examples --data DIR --work DIR`: what the reranker learns from.

Each example is a question, a passage that answers it and passages that our own search puts near the top but that do
not. Questions: BioASQ and PubMedQA (training parts), PubMedQA conclusions as claims, and questions made from abstracts:
a title asks for its own abstract (titles are then taken off all passages), a last sentence for the abstract without it.
Evidence Inference's prompts (development articles) ask for the chunk that holds the evidence among chunks of the same
article that share the most words with the prompt. MeSH headings ask for the abstracts that are indexed under them.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from evals import development
from evals.development import Question
from retrieval.build import passage_text
from retrieval.chunking import Span, sentence_spans
from retrieval.corpus import Document
from retrieval.encoders import MiniLM
from retrieval.index import Index
from retrieval.search import HybridSearch, Ranked
from retrieval.words import word_forms

_SEED = 2026
_DEPTH, _WRONG = 30, 12
_POSITIVES = 2
_TOPIC_POSITIVES, _LABELLED_DEPTH = 5, 3000
_CLAIM = (50, 350)
"""Characters of a last sentence that is asked as a claim."""


@dataclass(frozen=True)
class Example:
    """`kind` is where it comes from."""

    kind: str
    question: str
    right: list[str]
    wrong: list[str]


@dataclass(frozen=True)
class _Asked:
    kind: str
    question: Question
    titled: bool = True
    without: str = ""


def main(argv: Sequence[str] | None = None) -> int:
    """Write `examples.jsonl` under the work folder."""
    parser = argparse.ArgumentParser(prog="python -m evals.reranker.examples", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the development collections")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="where the index and the examples go")
    parser.add_argument("--made", type=int, default=400, metavar="N", help="questions made from titles, and from claims")
    arguments = parser.parse_args(argv)
    documents, asked = questions(arguments.data, arguments.made)
    index = Index(arguments.work / "training", MiniLM())
    index.add(documents, lambda done: print(f"  {done.added} indexed", file=sys.stderr))
    examples = mined(HybridSearch(index), {document.id: document for document in documents}, asked)
    examples += in_articles(arguments.data)
    examples += on_topics(HybridSearch(index), arguments.data, {document.id: document for document in documents})
    with (arguments.work / "examples.jsonl").open("w", encoding="utf-8") as file:
        for example in examples:
            print(json.dumps(asdict(example)), file=file)
    print(f"{len(examples)} examples of {len(asked)} questions over {len(documents)} documents")
    return 0


def questions(data: Path, made: int) -> tuple[list[Document], list[_Asked]]:
    """Documents that training may see, and the questions."""
    pool = development.pool(data)
    abstracts, pubmedqa, concluded = development.pubmedqa(data)
    bioasq = development.bioasq(data, {document.id for document in pool})
    kept = development.BIOASQ_TEST + development.BIOASQ_VALIDATION
    training = development.PUBMEDQA_TRAINING
    held_back = {name for question in bioasq[:kept] for name in question.relevant}
    held_back |= {name for question in pubmedqa[training:] for name in question.relevant}
    documents = [document for document in [*pool, *abstracts] if document.id not in held_back]
    pool = [document for document in pool if document.id not in held_back]
    asked = [_Asked("bioasq", Question(q.text, q.relevant - held_back)) for q in bioasq[kept:]]
    asked += [_Asked("pubmedqa", question) for question in pubmedqa[:training]]
    asked += [_Asked("conclusion", question) for question in concluded[:training] if question.text]
    pick = random.Random(_SEED)  # noqa: S311 - chooses examples
    titles = [_Asked("title", Question(d.title, frozenset([d.id])), titled=False) for d in pool if len(d.title) > 20]
    claims = [claim for document in pool if (claim := _claim(document))]
    for more in (titles, claims):
        pick.shuffle(more)
        asked += more[:made]
    return documents, [question for question in asked if question.question.relevant]


def _claim(document: Document) -> _Asked | None:
    sentences = sentence_spans(document.text)
    if len(sentences) < 4:
        return None
    last = document.text[sentences[-1].start : sentences[-1].end]
    if not _CLAIM[0] < len(last) < _CLAIM[1]:
        return None
    return _Asked("claim", Question(last, frozenset([document.id])), without=last)


def mined(search: HybridSearch, documents: dict[str, Document], asked: Sequence[_Asked]) -> list[Example]:
    """The search's best passages for each question, right and wrong."""
    rankings = search.rank_many([one.question.text for one in asked], _DEPTH)
    examples = []
    for one, ranking in zip(asked, rankings, strict=True):
        relevant = one.question.relevant
        right = [hit for hit in ranking if hit.document in relevant][:_POSITIVES]
        wrong = [hit for hit in ranking if hit.document not in relevant][:_WRONG]
        # What the search does not find at all is learnt from too, by its first passage.
        right = right or [Ranked(name, 0.0, _first(documents[name])) for name in sorted(relevant)[:1]]
        texts = [[_passage(documents[hit.document], hit.span, one) for hit in hits] for hits in (right, wrong)]
        examples.append(Example(one.kind, one.question.text, *texts))
    return examples


def in_articles(data: Path) -> list[Example]:
    """Prompts of the development articles, with chunks of the same article that do not hold the evidence."""
    chunks, asked = development.full_text(data)
    numbers = sorted({number for number, _ in asked})
    of_article: dict[str, list[Document]] = {}
    for chunk in chunks:
        of_article.setdefault(chunk.id.split(":")[0], []).append(chunk)
    examples = []
    for number, question in asked:
        if development.is_test_article(number, numbers):
            continue
        own = set(word_forms(question.text))
        right = [chunk.text for chunk in of_article[number] if chunk.id in question.relevant]
        others = [chunk.text for chunk in of_article[number] if chunk.id not in question.relevant]
        others.sort(key=lambda text: len(own & set(word_forms(text))), reverse=True)
        examples.append(Example("full-text", question.text, right[:_POSITIVES], others[:_WRONG]))
    return examples


def on_topics(search: HybridSearch, data: Path, documents: dict[str, Document]) -> list[Example]:
    """Headings, with abstracts that are indexed under them, and the nearest of the labelled ones that are not."""
    labelled = {row["pmid"] for row in development.lines(data / "pubmedqa.jsonl")} & documents.keys()
    asked, _ = development.topics(data)
    examples = []
    for question, ranking in zip(asked, search.rank_many([q.text for q in asked], _LABELLED_DEPTH), strict=True):
        hits = [hit for hit in ranking if hit.document in labelled]
        texts = [passage_text(documents[hit.document], Span(*hit.span)) for hit in hits]
        right = [text for hit, text in zip(hits, texts, strict=True) if hit.document in question.relevant]
        wrong = [text for hit, text in zip(hits, texts, strict=True) if hit.document not in question.relevant]
        examples.append(Example("topic", question.text, right[:_TOPIC_POSITIVES], wrong[:_WRONG]))
    return examples


def _first(document: Document) -> tuple[int, int]:
    return (0, min(len(document.text), 900))


def _passage(document: Document, span: tuple[int, int], one: _Asked) -> str:
    if not one.titled:
        document = document.model_copy(update={"title": ""})
    return (
        passage_text(document, Span(*span)).replace(one.without, " ") if one.without else passage_text(document, Span(*span))
    )


if __name__ == "__main__":
    sys.exit(main())
