"""Each reader on small files made here, good and bad."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from core.errors import FileError
from retrieval.corpus import Document
from retrieval.readers import Skipped, read_paths

ARTICLE = """<PubmedArticle><MedlineCitation><PMID Version="1">{pmid}</PMID><Article><Journal><JournalIssue><PubDate>
<MedlineDate>1999 Nov-Dec</MedlineDate></PubDate></JournalIssue><Title>J Bone</Title></Journal>
<ArticleTitle>Effect of <i>alendronate</i> on bone.</ArticleTitle><Abstract>
<AbstractText Label="METHODS">We gave 10&#xa0;mg.</AbstractText><AbstractText Label="RESULTS">It helped.</AbstractText>
</Abstract><AuthorList><Author><LastName>Smith</LastName><Initials>JA</Initials></Author>
<Author><CollectiveName>Bone Group</CollectiveName></Author></AuthorList><Language>eng</Language>
<PublicationTypeList><PublicationType>Randomized Controlled Trial</PublicationType></PublicationTypeList></Article>
<MeshHeadingList><MeshHeading><DescriptorName>Bone</DescriptorName><QualifierName>drug effects</QualifierName>
</MeshHeading></MeshHeadingList><CommentsCorrectionsList>{notice}</CommentsCorrectionsList></MedlineCitation>
<PubmedData><ArticleIdList><ArticleId IdType="doi">10.1/x</ArticleId></ArticleIdList></PubmedData></PubmedArticle>
"""
RETRACTION = (
    '<CommentsCorrections RefType="RetractionIn"><RefSource>J Bone 2001</RefSource><PMID>9</PMID></CommentsCorrections>'
)


def read(path: Path) -> tuple[list[Document], list[Skipped]]:
    skipped: list[Skipped] = []
    return list(read_paths([path], skipped)), skipped


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    raw = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return path


@pytest.mark.parametrize("name", ["a.xml", "a.xml.gz"])
def test_pubmed_keeps_every_field(tmp_path: Path, name: str) -> None:
    text = "<PubmedArticleSet>" + ARTICLE.format(pmid=1, notice=RETRACTION) + "</PubmedArticleSet>"
    (document,), skipped = read(written(tmp_path, name, text))
    assert skipped == []
    assert (document.id, document.title, document.year) == ("1", "Effect of alendronate on bone.", 1999)
    assert document.authors == ("Smith JA", "Bone Group")
    assert document.text == "We gave 10 mg.\n\nIt helped."
    assert [(s.label, document.text[s.start : s.end]) for s in document.sections] == [
        ("METHODS", "We gave 10 mg."),
        ("RESULTS", "It helped."),
    ]
    assert (document.mesh, document.language, document.doi) == (("Bone/drug effects",), "eng", "10.1/x")
    assert document.flags == ("retracted",)
    assert document.notices[0].reference == "J Bone 2001"


def test_broken_articles_cost_only_themselves_and_are_named_by_line(tmp_path: Path) -> None:
    good = [ARTICLE.format(pmid=pmid, notice="") for pmid in range(5)]
    good[1] = good[1].replace("</Abstract>", "</Abstrct>")
    good[3] = good[3].replace("</PubmedArticle>", "")
    documents, skipped = read(written(tmp_path, "b.xml", "<PubmedArticleSet>\n" + "".join(good) + "</PubmedArticleSet>"))
    assert [document.id for document in documents] == ["0", "2", "4"]
    lines = good[0].count("\n")
    assert [fault.line for fault in skipped] == [2 + lines, 2 + 3 * lines]


def test_entities_are_neither_fetched_nor_expanded(tmp_path: Path) -> None:
    secret = written(tmp_path, "secret.txt", "SECRET")
    laughs = '<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">'
    head = f'<!DOCTYPE x [<!ENTITY xxe SYSTEM "{secret.as_uri()}">{laughs}]>'
    for entity in ("&xxe;", "&c;"):
        article = ARTICLE.format(pmid=1, notice="").replace("It helped.", entity)
        documents, skipped = read(written(tmp_path, "x.xml", head + "<PubmedArticleSet>" + article + "</PubmedArticleSet>"))
        assert documents == []
        assert len(skipped) == 1
        jats = f"<article><front><article-meta/></front><body><p>{entity}</p></body></article>"
        documents, skipped = read(written(tmp_path, "x.nxml", head + jats))
        assert documents == []
        assert "entities" in skipped[0].reason


def test_a_truncated_gzip_keeps_what_came_before(tmp_path: Path) -> None:
    noise = random.Random(1)  # noqa: S311
    articles = [
        ARTICLE.format(pmid=n, notice="").replace("It helped.", "".join(noise.choices("abcdefgh ", k=400)))
        for n in range(9000)
    ]
    whole = gzip.compress("".join(articles).encode())
    path = tmp_path / "c.xml.gz"
    path.write_bytes(whole[: len(whole) // 2])
    documents, skipped = read(path)
    assert len(documents) > 1000
    assert "ends early" in skipped[-1].reason


def test_jats_keeps_sections_captions_and_tables(tmp_path: Path) -> None:
    text = """<article article-type="research-article"><front><journal-meta><journal-title-group><journal-title>J
    </journal-title></journal-title-group></journal-meta><article-meta><article-id pub-id-type="pmc">12</article-id>
    <title-group><article-title>T &amp; U</article-title></title-group><pub-date><year>2012</year></pub-date>
    <contrib-group><contrib contrib-type="author"><name><surname>Li</surname><given-names>Wei Min</given-names></name>
    </contrib></contrib-group><abstract><p>Short.</p></abstract></article-meta></front><body><sec><title>Results</title>
    <p>Loss <bold>fell</bold>.<fig><label>Fig. 1</label><caption><p>Curve.</p></caption></fig></p><table-wrap>
    <label>Table 1</label><table><tr><td>a</td><td>1</td></tr></table></table-wrap></sec></body>
    <back><ref-list><ref>Other paper</ref></ref-list></back></article>"""
    (document,), _ = read(written(tmp_path, "d.nxml", text))
    assert (document.id, document.title, document.year, document.authors) == ("PMC12", "T & U", 2012, ("Li WM",))
    parts = [(section.label, document.text[section.start : section.end]) for section in document.sections]
    assert parts == [
        ("Abstract", "Short."),
        ("Results", "Loss fell."),
        ("Fig. 1", "Fig. 1. Curve."),
        ("Table 1", "Table 1. a | 1"),
    ]


def test_reference_manager_files(tmp_path: Path) -> None:
    nbib = (
        "PMID- 7\nTI  - A long\n      title\nAB  - Text.\nFAU - Smith, John\nAU  - Smith J\nDP  - 2003 May\n"
        "RIN - J 2004\nPT  - Review\n\nPMID- 8\nTI  - B\n"
    )
    first, second = read(written(tmp_path, "a.nbib", nbib))[0]
    assert (first.id, first.title, first.text, first.year, first.flags) == (
        "7",
        "A long title",
        "Text.",
        2003,
        ("retracted",),
    )
    assert (second.id, second.text) == ("8", "B")
    ris = (
        "TY  - JOUR\nTI  - R\nAB  - Body.\nAU  - Smith, J\nAU  - Li, W\nPY  - 2011/05\nDO  - 10.1/r\nER  - \n\n"
        "TY  - JOUR\nER  -\n"
    )
    documents, skipped = read(written(tmp_path, "a.ris", ris))
    assert [(d.id, d.year, d.authors) for d in documents] == [("10.1/r", 2011, ("Smith, J", "Li, W"))]
    assert skipped[0].line == 10
    bib = (
        '@article{k1, title = {The {TNF} na\\"{i}ve, case}, author="M{\\"u}ller, A and Li, W", year=2010,\n abstract={Yes.}}'
    )
    (entry,), _ = read(written(tmp_path, "a.bib", bib))
    assert (entry.id, entry.title, entry.year) == ("k1", "The TNF naïve, case", 2010)
    assert entry.authors == ("Müller, A", "Li, W")


def test_plain_files_and_odd_encodings(tmp_path: Path) -> None:
    (document,), _ = read(written(tmp_path, "n.md", "# Title\nDose 5 µg – “ok”".encode("cp1252")))
    assert (document.title, document.text) == ("Title", "# Title\nDose 5 µg – “ok”")
    page = "<html><head><title>Page</title><script>evil()</script></head><body><p>One.</p><p>Two &lt; 3</p></body></html>"
    (document,), _ = read(written(tmp_path, "p.html", page))
    assert (document.title, document.text) == ("Page", "One.\nTwo < 3")


def test_json_lines_of_other_programs_are_read_and_empty_files_are_told(tmp_path: Path) -> None:
    marked = b'\xef\xbb\xbf{"id": 1, "text": "Bone.", "year": "2004-05-01"}\n{"id": 2, "text": "Hip.", "year": "May 1998"}'
    documents, skipped = read(written(tmp_path, "a.jsonl", marked))
    assert ([(d.id, d.year) for d in documents], skipped) == ([("1", 2004), ("2", 1998)], [])
    documents, skipped = read(written(tmp_path, "b.jsonl", '{"id": 3, "text": "Knee.", "year": "19xx"}'))
    assert (documents, skipped[0].line) == ([], 1)
    assert "year" in skipped[0].reason
    for empty in ("", "\n \n"):
        documents, skipped = read(written(tmp_path, "c.jsonl", empty))
        assert (documents, [fault.reason for fault in skipped]) == ([], ["'c.jsonl' holds no document."])


def test_xml_in_another_encoding_is_told_apart_from_other_xml(tmp_path: Path) -> None:
    documents, skipped = read(written(tmp_path, "u.xml", ARTICLE.format(pmid=1, notice="").encode("utf-16")))
    assert documents == []
    assert "UTF-16; save it as UTF-8" in skipped[0].reason


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    written(tmp_path, "a.docx", "x")
    written(tmp_path, "b.pdf", b"%PDF-1.4 nonsense")
    written(tmp_path, "c.txt", b"\x00\x01\x02")
    written(tmp_path, "d.xml", "<html/>")
    documents, skipped = read(tmp_path)
    assert documents == []
    assert [fault.file for fault in skipped] == ["a.docx", "b.pdf", "c.txt", "d.xml"]
    with pytest.raises(FileError, match="There is no file"):
        read(tmp_path / "none*.xml")


def test_pdf_pages_are_sections_and_scans_are_told(tmp_path: Path) -> None:
    path = written(tmp_path, "t.pdf", _pdf("Alendronate reduced vertebral fractures by half."))
    (document,), _ = read(path)
    assert "Alendronate reduced" in document.text
    assert document.sections[0].label == "page 1"
    _, skipped = read(written(tmp_path, "s.pdf", _pdf("")))
    assert "scanned" in skipped[0].reason


def _pdf(text: str) -> bytes:
    """A PDF of one page with one line of text."""
    stream = f"BT /F1 12 Tf 50 700 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + trailer
