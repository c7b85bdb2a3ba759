"""PubMed through NCBI's E-utilities: a query to a file of article XML that the ordinary reader takes.

Opt-in: only `consilium index fetch` calls it, and it says beforehand what leaves the machine, the query and nothing else.
Protocol: esearch with the history server, then efetch in pages (NCBI, "A General Introduction to the E-utilities",
2010, revised 2022): at most three requests a second without a key, a named tool, and patience when told to wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from lxml import etree

from core.errors import EndpointError, InputError

NCBI = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils"
MOST = 9999
"""What esearch reaches of one query in PubMed; more must be split by years, or taken from the baseline files."""
_PAGE = 200
_BETWEEN_S = 0.34
_TRIES = 4
_TIMEOUT_S = 60.0


@dataclass
class PubMed:
    """NCBI's service at `base`; `pause` waits, so that tests need not.

    Raises:
        EndpointError: it cannot be reached, refuses, or answers what is not its protocol.
    """

    base: str = NCBI
    key: str = ""
    email: str = ""
    pause: Callable[[float], None] = time.sleep
    _last: float = field(default=0.0, init=False)

    def fetch(
        self, query: str, most: int, target: Path, report: Callable[[int, int], None] | None = None
    ) -> tuple[int, int]:
        """Write the newest `most` articles to `target` as one XML file; returns how many were written and found.

        Raises:
            InputError: the query is empty or finds nothing, or `most` is not 1 to 9,999.
        """
        if not query.strip():
            raise InputError("A query for PubMed is needed, in PubMed's own syntax.")
        if not 1 <= most <= MOST:
            raise InputError(f"From 1 to {MOST} articles can be fetched for one query; got {most}.")
        found, environment, number = self._search(query)
        if not found:
            raise InputError(f"PubMed finds nothing for {query!r}.")
        wanted = min(found, most)
        written = 0
        beside = target.with_name(f"{target.name}.part")
        with beside.open("wb") as file:
            file.write(b'<?xml version="1.0"?>\n<PubmedArticleSet>\n')
            for start in range(0, wanted, _PAGE):
                size = min(_PAGE, wanted - start)
                for article in self._articles(environment, number, start, size):
                    file.write(article + b"\n")
                    written += 1
                if report:
                    report(written, wanted)
            file.write(b"</PubmedArticleSet>\n")
        beside.replace(target)
        return written, found

    def _search(self, query: str) -> tuple[int, str, str]:
        answer = self._asked("esearch.fcgi", {"term": query, "usehistory": "y", "retmax": "0", "sort": "pub_date"})
        if fault := answer.findtext(".//ERROR"):
            raise EndpointError(f"PubMed refused the query: {fault}.")
        found, environment, number = (answer.findtext(name) for name in ("Count", "WebEnv", "QueryKey"))
        if found is None or not found.isdigit() or (found != "0" and not (environment and number)):
            raise EndpointError(f"{self.base} answered a search without Count, WebEnv and QueryKey.")
        return int(found), environment or "", number or ""

    def _articles(self, environment: str, number: str, start: int, size: int) -> Iterator[bytes]:
        asked = {"WebEnv": environment, "query_key": number, "retstart": str(start), "retmax": str(size)}
        answer = self._asked("efetch.fcgi", {**asked, "retmode": "xml", "rettype": "abstract"})
        if fault := answer.findtext(".//ERROR"):
            raise EndpointError(f"PubMed refused to give the articles: {fault}.")
        for article in answer.iter("PubmedArticle"):
            article.tail = None
            yield etree.tostring(article)

    def _asked(self, path: str, parameters: dict[str, str]) -> etree._Element:
        """The parsed answer; waits and asks again when told that there were too many requests."""
        sent = {"db": "pubmed", "tool": "consilium", **parameters}
        sent |= {name: value for name, value in (("api_key", self.key), ("email", self.email)) if value}
        for attempt in range(_TRIES):
            self.pause(max(0.0, self._last + _BETWEEN_S - time.monotonic()))
            self._last = time.monotonic()
            try:
                # By POST: a long query does not fit into an address, and addresses end in logs.
                answer = httpx.post(f"{self.base}/{path}", data=sent, timeout=_TIMEOUT_S)
            except httpx.HTTPError as error:
                raise EndpointError(f"{self.base} cannot be reached: {error}.") from error
            if answer.status_code != httpx.codes.TOO_MANY_REQUESTS and answer.status_code < 500:
                break
            self.pause(float(2**attempt))
        if answer.status_code != httpx.codes.OK:
            raise EndpointError(f"{self.base} answered {answer.status_code} for {path}.")
        try:
            return etree.fromstring(answer.content, _parser())
        except etree.XMLSyntaxError as error:
            raise EndpointError(f"{self.base} answered what is no XML for {path}: {error}.") from error


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
