"""The list of conversations: found again, renamed, branched, and gone for good when deleted."""

from __future__ import annotations

from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage

from agent.assemble import build_assistant
from agent.assistant import Assistant
from agent.branching import messages_before
from agent.conversations import LONGEST_TITLE, Feedback
from agent.events import TurnDone
from core.errors import InputError, UnknownConversation
from core.settings import load_settings
from core.types import NewArtifact, Turn

ME, OTHER = "me", "other"
GRADING = "What does the literature say about grading vertebral fractures?"


def ask(assistant: Assistant, conversation: str, question: str) -> Turn:
    *_, last = assistant.ask(ME, conversation, question)
    assert isinstance(last, TurnDone)
    return last.turn


def questions_remembered(assistant: Assistant, conversation: str) -> list[str]:
    kept = assistant.state.checkpoints.saver.get_tuple({"configurable": {"thread_id": conversation, "checkpoint_ns": ""}})
    messages = [] if kept is None else kept.checkpoint["channel_values"]["messages"]
    return [str(message.content) for message in messages if isinstance(message, HumanMessage)]


def test_a_title_given_by_hand_stays_and_has_limits(assistant: Assistant) -> None:
    conversation = assistant.new_conversation(ME)
    assistant.rename(ME, conversation, "  Mrs  X,\nspine ")
    ask(assistant, conversation, GRADING)
    assert [info.title for info in assistant.conversations(ME)] == ["Mrs X, spine"]
    for bad in (" ", "x" * (LONGEST_TITLE + 1)):
        with pytest.raises(InputError, match=f"1 to {LONGEST_TITLE}"):
            assistant.rename(ME, conversation, bad)
    with pytest.raises(UnknownConversation):
        assistant.rename(OTHER, conversation, "mine now")


@pytest.mark.parametrize("words", ["GENANT 20\\%_!", 'say "wörd"', "الكسر", "骨折", "literature grading"])
def test_search_finds_words_of_questions_answers_and_titles(assistant: Assistant, words: str) -> None:
    one, two, other = assistant.new_conversation(ME), assistant.new_conversation(ME), assistant.new_conversation(OTHER)
    ask(assistant, one, f"{words} {GRADING}")
    assistant.rename(OTHER, other, words)
    assert [hit.conversation for hit in assistant.search_conversations(ME, words)] == [one]
    assistant.rename(ME, two, f"About {words}")
    hits = assistant.search_conversations(ME, words)
    assert [(hit.conversation, hit.turn) for hit in hits] == [(one, "1"), (two, "")]
    assert assistant.search_conversations(ME, f"{words} zzzzz") == ()
    assert assistant.search_conversations(ME, "   ") == ()


def test_search_takes_percent_and_underscore_for_what_they_are(assistant: Assistant) -> None:
    conversation = assistant.new_conversation(ME)
    assistant.rename(ME, conversation, "plain title")
    assert assistant.search_conversations(ME, "%") == ()
    assert assistant.search_conversations(ME, "pl_in") == ()


def test_a_branch_has_the_turns_files_and_memory_of_its_moment(assistant: Assistant) -> None:
    conversation = assistant.new_conversation(ME)
    store = assistant.store(ME, conversation)
    note = NewArtifact(kind="document", title="a note", media_type="text/plain")
    first = store.add(b"first", note, ".txt")
    questions = [GRADING, "And who proposed masked autoencoders for chest films?", "What is a voxel?"]
    ask(assistant, conversation, questions[0])
    store.add(b"second", note, ".txt")
    for question in questions[1:]:
        ask(assistant, conversation, question)
    early = assistant.branch(ME, conversation, 1)
    assert [turn.question for turn in assistant.turns(ME, early)] == questions[:1]
    assert questions_remembered(assistant, early) == questions[:1]
    assert [a.handle for a in assistant.store(ME, early).list()] == ["doc1", "doc2"], "there when question 2 was asked"
    assert assistant.store(ME, early).path("doc1").read_bytes() == b"first"
    beginning = assistant.branch(ME, conversation, 0)
    assert assistant.store(ME, beginning).list() == (first,)
    assert questions_remembered(assistant, beginning) == []
    whole = assistant.branch(ME, conversation, 3)
    assert questions_remembered(assistant, whole) == questions
    ask(assistant, early, questions[2])
    assert len(assistant.turns(ME, conversation)) == 3, "the original goes on untouched"
    assistant.delete(ME, conversation)
    assert questions_remembered(assistant, early) == [questions[0], questions[2]]
    with pytest.raises(InputError, match="cannot be kept"):
        assistant.branch(ME, early, 9)


def test_messages_are_cut_before_the_questions_that_came_later() -> None:
    messages = [HumanMessage("a"), HumanMessage("b"), HumanMessage("c")]
    assert messages_before(messages, 0) == messages
    assert messages_before(messages, 2) == messages[:1]
    assert messages_before(messages, 4) == []


def test_feedback_is_kept_with_its_reason_and_replaced_by_a_second_one(assistant: Assistant) -> None:
    conversation = assistant.new_conversation(ME)
    ask(assistant, conversation, GRADING)
    assistant.give_feedback(ME, conversation, Feedback(turn="1", opinion="helpful"))
    second = Feedback(turn="1", opinion="not_helpful", reason="misses the sagittal view")
    assistant.give_feedback(ME, conversation, second)
    assert assistant.feedback(ME, conversation) == (second,)
    with pytest.raises(InputError, match="not in this conversation"):
        assistant.give_feedback(ME, conversation, Feedback(turn="7", opinion="helpful"))
    with pytest.raises(UnknownConversation):
        assistant.feedback(OTHER, conversation)


SECRET = "Quetzalwort"  # a word that occurs nowhere else


def test_after_deletion_no_byte_of_the_text_is_left_in_any_file(home_with_index: None) -> None:
    settings = load_settings()
    with build_assistant(settings) as assistant:
        kept = assistant.new_conversation(ME)
        for number in range(3):  # pages that are shared, split and moved about
            ask(assistant, kept, f"{GRADING} ({number})")
        gone = assistant.new_conversation(ME)
        store = assistant.store(ME, gone)
        store.add(f"note on {SECRET}".encode(), NewArtifact(kind="document", title=SECRET, media_type="text/plain"), ".txt")
        for number in range(4):
            ask(assistant, gone, f"{GRADING} The patient {SECRET} asks, number {number}.")
        assistant.rename(ME, gone, f"About {SECRET}")
        assistant.give_feedback(ME, gone, Feedback(turn="1", opinion="not_helpful", reason=f"{SECRET} is wrong"))
        branch = assistant.branch(ME, gone, 2)
        assert _holding(settings.home), "the test sees the word while it is there"
        assistant.delete(ME, branch)
        assert _holding(settings.home)
        assistant.delete(ME, gone)
        assert _holding(settings.home) == []
        assert len(assistant.turns(ME, kept)) == 3


def _holding(folder: Path) -> list[str]:
    word = SECRET.encode()
    return [path.name for path in folder.rglob("*") if path.is_file() and word in path.read_bytes()]
