"""A source as a reference: plain text, RIS and BibTeX. Only what is known of it; nothing is made up."""

from __future__ import annotations

import re
from urllib.parse import quote

from core.types import Passage


def citation(passage: Passage) -> str:
    """One line: authors, title, venue, year, identifiers, and its flags."""
    authors = ", ".join(passage.authors[:6]) + (" et al" if len(passage.authors) > 6 else "")
    parts = [authors, passage.title.rstrip("."), " ".join(p for p in (passage.venue or "", str(passage.year or "")) if p)]
    parts += [f"PMID {passage.pmid}" if passage.pmid else "", f"https://doi.org/{passage.doi}" if passage.doi else ""]
    flags = f" [{', '.join(passage.flags).upper()}]" if passage.flags else ""
    return ". ".join(part for part in parts if part) + "." + flags


def ris(passage: Passage) -> str:
    """RIS, lines ending in CR LF as the format asks."""
    lines = [("TY", "JOUR" if passage.venue else "GEN"), ("TI", passage.title)]
    lines += [("AU", author) for author in passage.authors]
    lines += [
        ("JO", passage.venue or ""), ("PY", str(passage.year or "")), ("DO", passage.doi or ""), ("AN", passage.pmid or ""),
        ("N1", "; ".join((*passage.flags, *passage.notices))), ("ER", " "),
    ]  # fmt: skip
    return "".join(f"{tag}  - {_one_line(value)}\r\n" for tag, value in lines if value)


def bibtex(passage: Passage) -> str:
    """One BibTeX entry; braces and backslashes of the source are dropped."""
    first = re.sub(r"\W", "", (passage.authors[0].split()[0] if passage.authors else passage.document_id)) or "source"
    fields = {
        "title": passage.title, "author": " and ".join(passage.authors), "journal": passage.venue or "",
        "year": str(passage.year or ""), "doi": passage.doi or "", "pmid": passage.pmid or "",
        "note": "; ".join((*passage.flags, *passage.notices)),
    }  # fmt: skip
    plain = {name: re.sub(r"[{}\\]", "", _one_line(value)) for name, value in fields.items() if value}
    body = ",\n".join(f"  {name} = {{{value}}}" for name, value in plain.items())
    return f"@{'article' if passage.venue else 'misc'}{{{first}{passage.year or ''},\n{body}\n}}\n"


def data_link(content: str, media_type: str) -> str:
    """A link that carries its own file, so that nothing is asked of a server."""
    return f"data:{media_type};charset=utf-8,{quote(content)}"


def _one_line(value: str) -> str:
    return " ".join(value.split())
