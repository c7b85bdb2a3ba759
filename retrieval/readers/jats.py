"""JATS / PubMed Central full text: abstract, sections, figure captions and tables as labelled parts of one text."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

from core.errors import FileError
from retrieval.corpus import Document, Section
from retrieval.readers.skipped import Skipped

_MAX_BYTES = 64 << 20


def read_jats(path: Path, skipped: list[Skipped]) -> Iterator[Document]:
    """One document per article. The references are not part of the text: they would be found instead of the article.

    Raises:
        FileError: it cannot be read, is not XML, or holds no text.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise FileError(f"{path.name!r} cannot be read: {error}.") from error
    if len(raw) > _MAX_BYTES:
        raise FileError(f"{path.name!r} is larger than {_MAX_BYTES >> 20} MB.")
    if b"<!ENTITY" in raw[:20000]:
        raise FileError(f"{path.name!r} declares entities of its own, which is not read for safety.")
    # `recover` keeps what stands around a fault; the fault itself is reported.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True, huge_tree=False)
    try:
        root = etree.fromstring(raw, parser)
    except etree.XMLSyntaxError as error:  # nothing to recover
        raise FileError(f"{path.name!r} is not XML: {error.msg}.") from error
    if root is None:
        raise FileError(f"{path.name!r} is not XML.")
    for fault in list(parser.error_log)[:1]:
        skipped.append(Skipped(file=path.name, line=fault.line, reason=f"broken XML, read around: {fault.message}"))
    articles = [root] if _name(root) == "article" else [node for node in root.iter() if _name(node) == "article"]
    if not articles:
        raise FileError(f"{path.name!r} is XML but neither PubMed nor JATS.")
    for article in articles:
        try:
            yield _document(article, path)
        except ValueError as error:  # names that lxml recovered and does not take back
            raise FileError(f"{path.name!r} is broken XML: {error}.") from error


def _document(article: Any, path: Path) -> Document:
    meta = article.find("front/article-meta")
    if meta is None:
        raise FileError(f"{path.name!r} has no article-meta.")
    ids = {node.get("pub-id-type"): "".join(node.itertext()).strip() for node in meta.findall("article-id")}
    pmcid = ids.get("pmc") or ids.get("pmcid")
    pmcid = f"PMC{pmcid.removeprefix('PMC')}" if pmcid else None
    title = _text(meta.find("title-group/article-title"))
    text, sections = _body(article, meta)
    if not (text or title):
        raise FileError(f"{path.name!r} holds no text.")
    years = [node.findtext("year") for node in meta.findall("pub-date")]
    kind = article.get("article-type", "")
    related = {node.get("related-article-type", "") for node in meta.findall("related-article")}
    flags = ["retracted"] if any("retraction-forward" in name or name == "retracted-article" for name in related) else []
    return Document(
        id=ids.get("pmid") or pmcid or ids.get("doi") or path.stem,
        title=title,
        text=text or title,
        authors=tuple(_authors(meta)),
        year=min((int(year) for year in years if year and re.fullmatch(r"\d{4}", year.strip())), default=None),
        venue=_text(article.find("front/journal-meta//journal-title")) or None,
        pmid=ids.get("pmid"),
        doi=ids.get("doi"),
        pmcid=pmcid,
        types=(kind,) if kind else (),
        flags=tuple(flags),
        keywords=tuple(filter(None, (_text(node) for node in meta.findall("kwd-group/kwd")))),
        language=article.get("{http://www.w3.org/XML/1998/namespace}lang"),
        sections=sections,
    )


def _body(article: Any, meta: Any) -> tuple[str, tuple[Section, ...]]:
    parts: list[tuple[str, str]] = []
    for abstract in meta.findall("abstract"):
        parts += list(_parts(abstract, "Abstract"))
    if (body := article.find("body")) is not None:
        parts += list(_parts(body, ""))
    text, sections = "", []
    for label, part in parts:
        start = len(text) + 2 if text else 0
        text = f"{text}\n\n{part}" if text else part
        if label:
            sections.append(Section(label=label, start=start, end=len(text)))
    return text, tuple(sections)


def _parts(node: Any, label: str) -> Iterator[tuple[str, str]]:
    """(section path, paragraph, caption or table) in reading order."""
    for child in node:
        name = _name(child)
        if name == "sec":
            heading = _text(child.find("title"))
            yield from _parts(child, " / ".join(part for part in (label, heading) if part))
        elif name in ("fig", "table-wrap"):
            kind = _text(child.find("label")) or ("Figure" if name == "fig" else "Table")
            caption = _text(child.find("caption"))
            cells = [" | ".join(_text(cell) for cell in row if _name(cell) in ("td", "th")) for row in child.iter("tr")]
            content = "\n".join(part for part in (caption, *cells) if part.strip(" |"))
            if content:
                yield kind, f"{kind}. {content}"
        elif name in ("title", "label", "ref-list"):
            continue
        elif name == "p":
            if text := _text(child, without=("fig", "table-wrap")):
                yield label, text
            for inner in list(child.iter("fig", "table-wrap")):
                yield from _parts([inner], label)
        elif name:
            yield from _parts(child, label)


def _authors(meta: Any) -> Iterator[str]:
    for person in meta.findall("contrib-group/contrib[@contrib-type='author']"):
        surname = _text(person.find("name/surname"))
        initials = "".join(part[0] for part in _text(person.find("name/given-names")).split())
        if surname or (surname := _text(person.find("collab"))):
            yield " ".join(part for part in (surname, initials) if part)


def _name(node: Any) -> str:
    return etree.QName(node).localname if isinstance(node.tag, str) else ""


def _text(node: Any, without: tuple[str, ...] = ()) -> str:
    if node is None:
        return ""
    if without and any(True for _ in node.iter(*without)):
        node = etree.fromstring(etree.tostring(node, with_tail=False))
        etree.strip_elements(node, *without, with_tail=False)
    return " ".join("".join(node.itertext()).split())
