"""PDFs on their way in."""

from __future__ import annotations

from pathlib import Path

import pypdfium2
import pytest

from core.errors import FileError
from core.store import SessionStore
from tests.ui.viewer.pdf import write_pdf
from tools.documents import add_pdf
from tools.intake import kind_of, read_files

WORDS = ("A graded fracture doubled the risk of another one within two years.",)


def test_a_pdf_is_told_by_its_content_and_kept_as_it_is(tmp_path: Path) -> None:
    store = SessionStore(tmp_path / "s")
    path = write_pdf(tmp_path / "paper.dat", [WORDS, WORDS])
    assert kind_of(path) == "pdf"
    taken = read_files([path], store)
    assert taken.problems == ()
    assert [(a.kind, a.handle, a.title) for a in taken.artifacts] == [("document", "doc1", "PDF, 2 pages")]
    assert store.path("doc1").read_bytes() == path.read_bytes()


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    store = SessionStore(tmp_path / "s")
    empty = pypdfium2.PdfDocument.new()
    empty.new_page(612, 792)
    empty.save(tmp_path / "scan.pdf")
    with pytest.raises(FileError, match="scanned"):
        add_pdf(tmp_path / "scan.pdf", store)
    (tmp_path / "cut.pdf").write_bytes(b"%PDF-1.4\nnothing")
    assert read_files([tmp_path / "cut.pdf"], store).problems == ("'cut.pdf': The PDF is damaged.",)
    assert store.list() == ()
