"""`consilium eval ingest`: articles parsed and texts encoded per second, and the memory that adding takes.

Parsing is of PubMed XML made here, with abstracts in labelled sections, authors, MeSH and identifiers, gzipped as the
baseline is. Encoding is compared with the plain sentence-transformers float32 rate on the same texts, the two in turns,
three times each, since a shared machine's speed wanders: the medians count.
"""

from __future__ import annotations

import argparse
import gzip
import resource
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.types import Frozen
from retrieval.corpus import Document
from retrieval.encoders import MiniLM, packaged_model
from retrieval.index import Index
from retrieval.readers import Skipped, read_paths

_SENTENCE = "In this trial of {n} adults the risk of fracture fell by {k} percent with treatment against placebo. "
_TURNS = 3


class Outcome(Frozen):
    """Rates per second; memory in MB above that of the process with the model loaded."""

    articles: int
    parsed: float
    encoded: float
    encoded_plain: float
    ratio: float
    least_cosine: float
    add_memory: float


def run(arguments: argparse.Namespace) -> int:
    """Print the figures, or JSON."""
    with tempfile.TemporaryDirectory() as scratch:
        outcome = measure(Path(scratch), arguments.articles, arguments.texts)
    if arguments.json:
        print(outcome.model_dump_json())
        return 0
    print(f"parsed {outcome.parsed:.0f} PubMed articles/s")
    print(
        f"encoded {outcome.encoded:.1f} texts/s, plain sentence-transformers float32 {outcome.encoded_plain:.1f}: ", end=""
    )
    print(f"{outcome.ratio:.2f} times; least cosine between the two {outcome.least_cosine:.4f}")
    print(f"adding {arguments.texts} documents took {outcome.add_memory:.0f} MB beyond the model")
    return 0


def measure(work: Path, articles: int, texts: int) -> Outcome:
    """All figures."""
    parsed = _parse_rate(work / "made.xml.gz", articles)
    asked = [_abstract(number)[: 300 + 97 * (number % 14)] for number in range(texts)]
    encoder = MiniLM()
    encoder.encode(asked[:128])
    ours, plain, cosine = _encode_rates(encoder, asked)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    index = Index(work / "index", encoder)
    index.add(Document(id=str(number), text=text) for number, text in enumerate(asked))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Outcome(
        articles=articles,
        parsed=parsed,
        encoded=ours,
        encoded_plain=plain,
        ratio=ours / plain,
        least_cosine=cosine,
        add_memory=(after - before) / 1024,
    )


def _parse_rate(path: Path, articles: int) -> float:
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as file:
        file.write('<?xml version="1.0"?>\n<PubmedArticleSet>\n')
        for number in range(articles):
            file.write(_article(number))
        file.write("</PubmedArticleSet>\n")
    skipped: list[Skipped] = []
    started = time.perf_counter()
    count = sum(1 for _ in read_paths([path], skipped))
    took = time.perf_counter() - started
    if count != articles or skipped:
        raise RuntimeError(f"{count} of {articles} articles were read, {len(skipped)} places skipped")
    return count / took


def _encode_rates(encoder: MiniLM, texts: Sequence[str]) -> tuple[float, float, float]:
    """Our rate, the library's, and the least cosine between the vectors of the two."""
    from sentence_transformers import SentenceTransformer

    plain = SentenceTransformer(str(packaged_model()), device="cpu")
    plain.max_seq_length = 256
    plain.encode(list(texts[:64]), show_progress_bar=False)
    times: dict[str, list[float]] = {"ours": [], "plain": []}
    for _ in range(_TURNS):
        started = time.perf_counter()
        ours = encoder.encode(texts)
        middle = time.perf_counter()
        theirs = plain.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        times["ours"].append(middle - started)
        times["plain"].append(time.perf_counter() - middle)
    rates = {name: len(texts) / statistics.median(took) for name, took in times.items()}
    return rates["ours"], rates["plain"], float(np.min((ours * np.asarray(theirs)).sum(axis=1)))


def _abstract(number: int) -> str:
    return "".join(_SENTENCE.format(n=number * 7 + place, k=place + number % 50) for place in range(16))


def _article(number: int) -> str:
    text = _abstract(number)
    parts = "".join(
        f'<AbstractText Label="{label}">{text[at * 350 : (at + 1) * 350]} <i>p</i> &lt; .05</AbstractText>'
        for at, label in enumerate(("BACKGROUND", "METHODS", "RESULTS", "CONCLUSIONS"))
    )
    authors = "".join(
        f"<Author><LastName>Name{place}</LastName><Initials>A{place}</Initials></Author>" for place in range(6)
    )
    mesh = "".join(
        f'<MeshHeading><DescriptorName UI="D{place}">Heading {place}</DescriptorName></MeshHeading>' for place in range(10)
    )
    return (
        f"<PubmedArticle><MedlineCitation><PMID>{number + 1}</PMID><Article><Journal><Title>A Journal</Title><JournalIssue>"
        f"<PubDate><Year>{1990 + number % 35}</Year></PubDate></JournalIssue></Journal><ArticleTitle>Trial {number}"
        f"</ArticleTitle><Abstract>{parts}</Abstract><AuthorList>{authors}</AuthorList><Language>eng</Language>"
        "<PublicationTypeList><PublicationType>Journal Article</PublicationType></PublicationTypeList></Article>"
        f"<MeshHeadingList>{mesh}</MeshHeadingList></MedlineCitation><PubmedData><ArticleIdList>"
        f'<ArticleId IdType="doi">10.1/{number}</ArticleId></ArticleIdList></PubmedData></PubmedArticle>\n'
    )
