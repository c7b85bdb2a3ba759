"""A PDF that is attached to a conversation: searched, quoted, shown on its page, and gone with the conversation."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.assistant import Assistant
from agent.document_plans import document_named, in_documents
from agent.events import TurnDone
from agent.plans import Situation
from core.errors import InputError
from core.types import Artifact, Passage, SearchScope, Turn
from tests.ui.viewer.pdf import write_pdf

ME = "me"
SHEEP = "After twelve weeks the Kestrel group of sheep had kept more of its anterior height."
DOGS = "Twelve dogs with Kestrel cement were followed for two years without a leak."


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    return write_pdf(tmp_path / "Jane Doe 1970.pdf", [(SHEEP,), (DOGS,)])


def ask(assistant: Assistant, conversation: str, question: str) -> Turn:
    last = list(assistant.ask(ME, conversation, question))[-1]
    assert isinstance(last, TurnDone)
    return last.turn


def passages(turn: Turn) -> list[Passage]:
    return [item for item in turn.evidence if isinstance(item, Passage)]


def test_what_is_attached_is_quoted_with_its_page_and_found_from_no_other_conversation(
    assistant: Assistant, paper: Path
) -> None:
    mine, other = assistant.new_conversation(ME), assistant.new_conversation(ME)
    taken = assistant.attach(ME, mine, [paper])
    assert [artifact.handle for artifact in taken.artifacts] == ["doc1"]
    assert "Doe" not in taken.artifacts[0].model_dump_json()
    turn = ask(assistant, mine, "What does the attached paper say about dogs with Kestrel cement?")
    found = passages(turn)[0]
    assert (found.quoted_text, found.section, found.document_id) == (DOGS, "page 2", "doc1#2")
    original = assistant.original(ME, mine, found)
    assert original is not None
    assert original.read_bytes() == paper.read_bytes()
    assert assistant.original(ME, other, found) is None
    with pytest.raises(InputError):
        assistant.original("someone else", mine, found)
    assert ask(assistant, other, "What is known about Kestrel cement in sheep and dogs?").evidence == ()


def test_it_is_found_beside_the_collections_also_where_others_were_chosen(assistant: Assistant, paper: Path) -> None:
    mine = assistant.new_conversation(ME)
    assistant.attach(ME, mine, [paper])
    assistant.limit_search(ME, mine, SearchScope(corpora=("starter",)))
    turn = ask(assistant, mine, "What is known about Kestrel cement and anterior height in sheep?")
    assert passages(turn)[0].quoted_text == SHEEP
    assert "1 attached document and 97 documents in 'starter'" in turn.calls[0].summary


def test_a_document_that_comes_later_is_found_and_all_goes_with_the_conversation(
    assistant: Assistant, paper: Path, tmp_path: Path
) -> None:
    mine = assistant.new_conversation(ME)
    assistant.attach(ME, mine, [paper])
    ask(assistant, mine, "What does doc1 say about sheep?")
    assistant.attach(ME, mine, [write_pdf(tmp_path / "b.pdf", [("Marmots with Kestrel cement did well in the winter.",)])])
    assert passages(ask(assistant, mine, "What does doc2 say about marmots?"))[0].document_id == "doc2#1"
    home = assistant.settings.home
    assistant.delete(ME, mine)
    left = [file for file in home.rglob("*") if file.is_file() and b"Kestrel" in file.read_bytes()]
    assert left == []


def test_a_collection_made_on_the_page_is_searched_unless_the_setting_names_others(
    assistant: Assistant, paper: Path
) -> None:
    library = assistant.library
    assert library is not None
    library.create("project-a", "literature")
    library.add("project-a", "literature", [paper])
    conversation = assistant.new_conversation(ME)
    found = passages(ask(assistant, conversation, "What is known about Kestrel cement in dogs?"))[0]
    assert found.corpus == "project-a"
    assert assistant.original(ME, conversation, found) is not None
    (library._folder("project-a", "literature") / "CURRENT").write_text("999")  # damaged: the others are still searched
    library._searches.clear()
    assert library.by_default() == ("starter",)


def test_no_collection_is_called_as_what_is_attached(assistant: Assistant) -> None:
    assert assistant.library is not None
    with pytest.raises(InputError, match="attached"):
        assistant.library.create("attached", "literature")


@pytest.mark.parametrize(
    ("question", "query"),
    [
        ("What does doc1 say about dogs?", "dogs"),
        ("What does the attached paper report on anterior height?", "anterior height"),
        ("According to this PDF, was there a leak of cement?", "was there a leak of cement"),
        ("How many sheep were compared in the attached study?", "How many sheep were compared"),
        ("How many sheep are there in doc1?", "How many sheep are there"),
        ("doc1", "doc1"),
    ],
)
def test_the_words_that_name_a_document_are_no_part_of_what_is_looked_for(question: str, query: str) -> None:
    document = Artifact(
        kind="document", title="PDF, 1 page", media_type="application/pdf", handle="doc1", sha256="", bytes=1
    )
    situation = Situation(question=question, artifacts=(document,))
    assert in_documents(question, False, situation)
    assert document_named(question, situation) == {"query": query, "document": "doc1"}
    assert document_named(question, Situation(question=question, artifacts=())) is None
    assert not in_documents("What is the Genant grade?", False, situation)
    assert in_documents("Who won?", True, situation)
