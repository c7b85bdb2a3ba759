"""Fetching from PubMed, against a server on loopback that speaks NCBI's protocol."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from core.errors import EndpointError, InputError
from retrieval.eutils import PubMed
from retrieval.readers import Skipped, read_paths
from tests.retrieval.local_server import serving

_DOCTYPE = '<?xml version="1.0"?><!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD" "https://dtd.nlm.nih.gov/x.dtd">'


def article(number: int) -> str:
    return (
        f"<PubmedArticle><MedlineCitation><PMID>{number}</PMID><Article><ArticleTitle>Title {number}</ArticleTitle>"
        f"<Abstract><AbstractText>The <i>text</i> of {number}.</AbstractText></Abstract></Article></MedlineCitation>"
        "</PubmedArticle>"
    )


class Ncbi:
    """Holds `count` articles; refuses the first `busy` requests."""

    def __init__(self, count: int, busy: int = 0) -> None:
        self.count, self.busy = count, busy
        self.asked: list[dict[str, list[str]]] = []

    def search(self, body: bytes) -> tuple[int, bytes]:
        self.asked.append(parse_qs(body.decode()))
        if self.busy:
            self.busy -= 1
            return 429, b'{"error":"API rate limit exceeded"}'
        if self.asked[-1]["term"] == ["wrong["]:
            return 200, b"<eSearchResult><ERROR>Invalid query</ERROR></eSearchResult>"
        answer = f"<Count>{self.count}</Count><QueryKey>1</QueryKey><WebEnv>MCID_1</WebEnv>"
        return 200, f"<eSearchResult>{answer}</eSearchResult>".encode()

    def fetch(self, body: bytes) -> tuple[int, bytes]:
        asked = parse_qs(body.decode())
        self.asked.append(asked)
        assert asked["WebEnv"] == ["MCID_1"]
        start, size = int(asked["retstart"][0]), int(asked["retmax"][0])
        held = "".join(article(number) for number in range(start, min(start + size, self.count)))
        return 200, f"{_DOCTYPE}<PubmedArticleSet>{held}</PubmedArticleSet>".encode()

    def serving(self) -> AbstractContextManager[str]:
        return serving({"/esearch.fcgi": self.search, "/efetch.fcgi": self.fetch})


def test_all_pages_are_read_in_order_and_by_the_ordinary_reader(tmp_path: Path) -> None:
    ncbi = Ncbi(450)
    waited: list[float] = []
    with ncbi.serving() as url:
        assert PubMed(url, email="a@b.c", pause=waited.append).fetch("bone[mh]", 420, tmp_path / "f.xml") == (420, 450)
    skipped: list[Skipped] = []
    read = list(read_paths([tmp_path / "f.xml"], skipped))
    assert [document.id for document in read] == [str(number) for number in range(420)]
    assert read[3].text == "The text of 3."
    assert not skipped
    assert [path.name for path in tmp_path.iterdir()] == ["f.xml"]
    assert all(asked["tool"] == ["consilium"] and asked["email"] == ["a@b.c"] for asked in ncbi.asked)
    assert len(ncbi.asked) == len(waited) == 4
    assert max(waited) <= 0.34


def test_it_waits_when_told_that_there_were_too_many_requests(tmp_path: Path) -> None:
    waited: list[float] = []
    with Ncbi(3, busy=2).serving() as url:
        assert PubMed(url, pause=waited.append).fetch("x", 10, tmp_path / "f.xml") == (3, 3)
    assert [seconds for seconds in waited if seconds >= 1] == [1.0, 2.0]
    with Ncbi(3, busy=99).serving() as url, pytest.raises(EndpointError, match="429"):
        PubMed(url, pause=waited.append).fetch("x", 10, tmp_path / "f.xml")


@pytest.mark.parametrize(("query", "most", "message"), [(" ", 5, "query"), ("x", 0, "1 to 9999"), ("x", 10**4, "9999")])
def test_what_cannot_be_asked_is_not_sent(query: str, most: int, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        PubMed("http://127.0.0.1:9").fetch(query, most, tmp_path / "f.xml")


def test_refusals_and_nothing_found_are_told(tmp_path: Path) -> None:
    with Ncbi(0).serving() as url:
        with pytest.raises(InputError, match="finds nothing"):
            PubMed(url).fetch("blorptitis", 5, tmp_path / "f.xml")
        with pytest.raises(EndpointError, match="Invalid query"):
            PubMed(url).fetch("wrong[", 5, tmp_path / "f.xml")
    with pytest.raises(EndpointError, match="cannot be reached"):
        PubMed("http://127.0.0.1:9").fetch("x", 5, tmp_path / "f.xml")
    maintenance = serving({"/esearch.fcgi": lambda _: (200, b"<html>maintenance")})
    with maintenance as url, pytest.raises(EndpointError, match="no XML"):
        PubMed(url).fetch("x", 5, tmp_path / "f.xml")
    assert list(tmp_path.iterdir()) == []
