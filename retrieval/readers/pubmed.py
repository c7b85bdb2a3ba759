"""PubMed/MEDLINE XML, plain or gzipped.

Each `<PubmedArticle>` is cut out of the stream and parsed alone: what is broken costs one article and is reported with
its line, and the document type declaration, where entity attacks live, is never parsed at all.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from core.errors import FileError
from retrieval.corpus import Document, Notice, Section
from retrieval.readers.skipped import Skipped

_CHUNK = 1 << 17
_MAX_ARTICLE = 16 << 20
_START = re.compile(rb"<PubmedArticle[\s>]")
_END = b"</PubmedArticle>"
_HEADING = ("DescriptorName", "QualifierName")
_NOTICES = {
    "RetractionIn": "retracted",
    "ExpressionOfConcernIn": "concern",
    "ErratumIn": "corrected",
    "CorrectedandRepublishedIn": "corrected",
    "RetractedandRepublishedIn": "retracted",
    "PartialRetractionIn": "partly retracted",
}


def read_pubmed(path: Path, skipped: list[Skipped]) -> Iterator[Document]:
    """Articles in file order; broken ones go to `skipped` with the line where they begin.

    Raises:
        FileError: the file cannot be read or holds no article.
    """
    seen = 0
    parser = _parser()
    try:
        for line, fragment, fault in _fragments(path):
            seen += 1
            if fault:
                skipped.append(Skipped(file=path.name, line=line, reason=fault))
                continue
            try:
                yield _document(etree.fromstring(fragment, parser))
            except (etree.XMLSyntaxError, ValueError) as error:
                parser = _parser()
                reason = str(error).splitlines()[0]
                skipped.append(Skipped(file=path.name, line=line, reason=f"article not read: {reason}"))
    except (OSError, EOFError, zlib.error) as error:
        skipped.append(Skipped(file=path.name, reason=f"the file ends early or cannot be read: {error}"))
    if not seen:
        raise FileError(f"{path.name!r} holds no PubMed article.")


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def _fragments(path: Path) -> Iterator[tuple[int, bytes, str]]:
    """(line, article's bytes, what is wrong with where it ends) one after another, in bounded memory."""
    buffer, line = b"", 1
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
        more = True
        while more:
            chunk = stream.read1(_CHUNK)
            more = bool(chunk)
            buffer += chunk
            while start := _START.search(buffer):
                line += buffer.count(b"\n", 0, start.start())
                buffer = buffer[start.start() :]
                end = buffer.find(_END)
                again = _START.search(buffer, 1)
                if again and (end < 0 or again.start() < end):
                    yield line, b"", "article not read: it does not end before the next one begins"
                    cut = again.start()
                elif end >= 0:
                    cut = end + len(_END)
                    yield line, buffer[:cut], ""
                elif more and len(buffer) < _MAX_ARTICLE:
                    break
                else:
                    yield line, b"", "article not read: it does not end"
                    cut = len(_END)
                line += buffer.count(b"\n", 0, cut)
                buffer = buffer[cut:]
            else:
                # Keep what may be the beginning of a start tag.
                line += buffer.count(b"\n", 0, max(len(buffer) - 20, 0))
                buffer = buffer[-20:]


def _document(article: Any) -> Document:
    citation = article.find("MedlineCitation")
    if citation is None or not (citation.findtext("PMID") or "").strip():
        raise ValueError("it has no PMID")
    pmid = citation.findtext("PMID").strip()
    body = citation.find("Article")
    if body is None:
        raise ValueError(f"PMID {pmid} has no Article")
    title = _text(body.find("ArticleTitle"))
    text, sections = _abstract(body)
    ids = {node.get("IdType"): (node.text or "").strip() for node in article.findall("PubmedData/ArticleIdList/ArticleId")}
    types = tuple(_texts(body.findall("PublicationTypeList/PublicationType")))
    notices = tuple(_notices(citation))
    flags = [notice.kind for notice in notices if notice.kind in _NOTICES.values()]
    return Document(
        id=pmid,
        title=title or _text(body.find("VernacularTitle")),
        text=text or title,
        authors=tuple(_authors(body)),
        year=_year(body),
        venue=body.findtext("Journal/Title") or body.findtext("Journal/ISOAbbreviation"),
        pmid=pmid,
        doi=ids.get("doi") or body.findtext("ELocationID[@EIdType='doi']"),
        pmcid=ids.get("pmc"),
        types=types,
        flags=tuple(dict.fromkeys(flags + (["preprint"] if "Preprint" in types else []))),
        mesh=tuple(_mesh(citation)),
        keywords=tuple(_texts(citation.findall("KeywordList/Keyword"))),
        language=body.findtext("Language"),
        trials=tuple(_texts(body.findall("DataBankList/DataBank/AccessionNumberList/AccessionNumber"))),
        sections=sections,
        notices=notices,
    )


def _abstract(body: Any) -> tuple[str, tuple[Section, ...]]:
    text, sections = "", []
    for node in body.findall("Abstract/AbstractText"):
        part = _text(node)
        if not part:
            continue
        start = len(text) + 2 if text else 0
        text = f"{text}\n\n{part}" if text else part
        if label := node.get("Label"):
            sections.append(Section(label=label, start=start, end=len(text)))
    return text, tuple(sections)


def _authors(body: Any) -> Iterator[str]:
    for author in body.iterfind("AuthorList/Author"):
        last = initials = collective = ""
        for part in author:
            tag = part.tag
            if tag == "LastName":
                last = part.text or ""
            elif tag == "Initials":
                initials = part.text or ""
            elif tag == "CollectiveName":
                collective = part.text or ""
        if name := f"{last} {initials}".strip() or collective.strip():
            yield name


def _year(body: Any) -> int | None:
    for place in ("Journal/JournalIssue/PubDate/Year", "Journal/JournalIssue/PubDate/MedlineDate", "ArticleDate/Year"):
        found = re.search(r"\b(1[89]|20)\d\d\b", body.findtext(place) or "")
        if found:
            return int(found.group())
    return None


def _mesh(citation: Any) -> Iterator[str]:
    for heading in citation.iterfind("MeshHeadingList/MeshHeading"):
        parts = [_text(part) for part in heading if part.tag in _HEADING]
        yield parts[0] if len(parts) == 1 else "/".join(part for part in parts if part)


def _notices(citation: Any) -> Iterator[Notice]:
    for node in citation.findall("CommentsCorrectionsList/CommentsCorrections"):
        kind = _NOTICES.get(node.get("RefType", ""), node.get("RefType", ""))
        yield Notice(kind=kind, reference=_text(node.find("RefSource")), pmid=node.findtext("PMID"))


def _texts(nodes: Iterable[Any]) -> list[str]:
    return [text for text in map(_text, nodes) if text]


def _text(node: Any) -> str:
    """All text below a node, markup taken out, white space made single."""
    if node is None:
        return ""
    text = "".join(node.itertext()) if len(node) else node.text or ""
    return " ".join(text.split())
