"""Collections without a conversation, and a person's limits that the model cannot widen."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agent.assemble import build_assistant
from agent.assistant import Assistant
from agent.events import TurnDone
from agent.library import Library
from core.errors import FileError, InputError
from core.settings import load_settings
from core.types import Passage, SearchScope, Turn
from tests.retrieval.local_server import serving

ME = "me"
RIS = "TY  - JOUR\nTI  - {title}\nAB  - {text}\nPY  - {year}\nJO  - {venue}\nER  - \n"
TRIAL = "We randomly assigned 300 women with osteoporosis to teriparatide or placebo; vertebral fractures fell by half."
COHORT = "In a prospective cohort of 900 women, teriparatide use and vertebral fractures were followed for five years."


@pytest.fixture
def library(assistant: Assistant) -> Library:
    assert assistant.library is not None
    return assistant.library


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    path = tmp_path / "papers.ris"
    path.write_text(
        RIS.format(title="Teriparatide trial", text=TRIAL, year=2001, venue="N Engl J Med")
        + RIS.format(title="Teriparatide cohort", text=COHORT, year=2019, venue="medRxiv")
    )
    return path


def titles(passages: tuple[Passage, ...]) -> set[str]:
    return {passage.title for passage in passages}


def test_a_collection_is_made_filled_browsed_searched_and_removed(library: Library, papers: Path) -> None:
    library.create("project-a", "literature")
    told: list[str] = []
    done = library.add("project-a", "literature", [papers], told.append)
    assert (done.added, done.skipped) == (2, ())
    assert told
    assert library.add("project-a", "literature", [papers]).unchanged == 2
    listing = library.entries("project-a", "literature")
    assert listing.total == 2
    assert {entry.design for entry in listing.entries} == {"randomised trial", "cohort study"}
    assert [entry.year for entry in library.entries("project-a", "literature", "COHORT").entries] == [2019]
    assert library.entries("project-a", "literature", start=1, count=1).entries == listing.entries[1:]
    opened = library.open("project-a", listing.entries[0].id)
    assert TRIAL in opened.text
    assert all(opened.text[start:end] for start, end in opened.passages)
    library.remove_entry("project-a", "literature", listing.entries[0].id)
    assert library.entries("project-a", "literature").total == 1
    library.remove("project-a", "literature")
    assert "project-a" not in {item.name for item in library.collections()}


@pytest.mark.parametrize(
    ("scope", "found"),
    [
        (SearchScope(), {"Teriparatide trial", "Teriparatide cohort"}),
        (SearchScope(designs=("cohort study",)), {"Teriparatide cohort"}),
        (SearchScope(without_preprints=True), {"Teriparatide trial"}),
        (SearchScope(year_from=2010), {"Teriparatide cohort"}),
        (SearchScope(year_to=2010), {"Teriparatide trial"}),
    ],
)
def test_filters_hold(library: Library, papers: Path, scope: SearchScope, found: set[str]) -> None:
    library.create("project-a", "literature")
    library.add("project-a", "literature", [papers])
    outcome = library.search("teriparatide vertebral fractures", scope.model_copy(update={"corpora": ("project-a",)}))
    assert titles(outcome.passages) == found
    assert scope.told in outcome.searched


@pytest.mark.parametrize("name", ["", "../x", "a/b", "x" * 65, ".hidden"])
def test_names_that_could_be_paths_are_refused(library: Library, name: str) -> None:
    with pytest.raises(InputError, match="letters, digits"):
        library.create(name, "literature")


def test_the_starter_is_kept_as_it_ships_and_rubbish_is_told(library: Library, papers: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ships with"):
        library.remove("starter", "literature")
    with pytest.raises(InputError, match="as it ships"):
        library.add("starter", "literature", [papers])
    with pytest.raises(InputError, match="There are: "):
        library.entries("nowhere", "literature")
    library.create("b", "literature")
    rubbish = tmp_path / "x.pdf"
    rubbish.write_text("no")
    with pytest.raises(FileError, match=r"x\.pdf"):
        library.add("b", "literature", [rubbish])


def test_images_are_added_listed_with_thumbnails_and_found_again(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    for number in range(3):
        rows = np.random.default_rng(number).integers(0, 255, (64, 64), dtype=np.uint8)
        Image.fromarray(rows).resize((256, 256)).save(folder / f"film{number}.png")
    library.create("films", "images")
    assert library.add("films", "images", sorted(folder.iterdir())).added == 3
    listing = library.entries("films", "images")
    assert listing.total == 3
    assert all(entry.thumbnail.startswith(b"\x89PNG") for entry in listing.entries)
    assert "3 " in library.neighbours("films", folder / "film0.png").searched
    library.remove_entry("films", "images", listing.entries[0].id)
    assert library.entries("films", "images").total == 2


def ask(assistant: Assistant, conversation: str, question: str) -> Turn:
    *_, last = assistant.ask(ME, conversation, question)
    assert isinstance(last, TurnDone)
    return last.turn


def test_a_conversation_is_answered_from_its_own_collections_only(
    assistant: Assistant, library: Library, papers: Path
) -> None:
    library.create("project-a", "literature")
    library.add("project-a", "literature", [papers])
    question = "What does the literature say about teriparatide and vertebral fractures?"
    conversation = assistant.new_conversation(ME)
    assistant.limit_search(ME, conversation, SearchScope(corpora=("project-a",), designs=("randomised trial",)))
    turn = ask(assistant, conversation, question)
    assert {item.title for item in turn.evidence if isinstance(item, Passage)} == {"Teriparatide trial"}
    other = assistant.new_conversation(ME)
    assistant.limit_search(ME, other, SearchScope(corpora=("starter",)))
    corpora = {item.corpus for item in ask(assistant, other, question).evidence if isinstance(item, Passage)}
    assert corpora <= {"starter"}
    branch = assistant.branch(ME, conversation, 1)
    assert assistant.search_scope(ME, branch).designs == ("randomised trial",)


STORES = ["qdrant", *(["chroma"] if importlib.util.find_spec("chromadb") else [])]


@pytest.mark.parametrize("kind", STORES)
def test_the_library_and_the_chat_search_alike_with_the_reranker_and_the_store_of_the_settings(
    home_with_index: None, papers: Path, tmp_path: Path, kind: str
) -> None:
    scope = SearchScope(corpora=("project-a",))
    question = "What does the literature say about teriparatide and vertebral fractures?"
    asked: list[list[str]] = []

    def rerank(body: bytes) -> tuple[int, bytes]:
        asked.append(json.loads(body)["documents"])
        rows = [{"index": place, "relevance_score": 0.5} for place in range(len(asked[-1]))]
        return 200, json.dumps({"results": rows}).encode()

    with serving({"/v1/rerank": rerank}) as url:
        settings = load_settings(reranker=f"{url}/v1#r", vector_store=f"{kind}:{tmp_path / 'stores'}")
        with build_assistant(settings) as assistant:
            library = assistant.library
            assert library is not None
            library.create("project-a", "literature")
            library.add("project-a", "literature", [papers])
            found = [passage.title for passage in library.search(question, scope).passages]
            assert len(asked) == 1
            conversation = assistant.new_conversation(ME)
            assistant.limit_search(ME, conversation, scope)
            evidence = ask(assistant, conversation, question).evidence
            cited = [item.title for item in evidence if isinstance(item, Passage)]
    assert found == cited
    assert len(asked) >= 2
    assert all(len(texts) == 2 for texts in asked)
    assert [path.name for path in (tmp_path / "stores").iterdir()] == ["consilium-project-a"]
