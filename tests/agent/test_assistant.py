"""Whole turns: the embedded model, and an OpenAI-compatible endpoint over real HTTP."""

from __future__ import annotations

import re
import sqlite3
import threading
from pathlib import Path

import pytest

from agent.assemble import build_assistant
from agent.assistant import Assistant
from agent.ending import STOPPED
from agent.events import StepFinished, TurnDone
from core.errors import InputError, UnknownConversation
from core.settings import load_settings
from core.types import Turn
from tools.ehr import predict_outcome

ME, OTHER = "me", "other"


def ask(assistant: Assistant, conversation: str, question: str) -> Turn:
    *_, last = assistant.ask(ME, conversation, question)
    assert isinstance(last, TurnDone)
    return last.turn


def test_a_question_about_an_image_and_the_literature(assistant: Assistant, spine: list[Path]) -> None:
    conversation = assistant.new_conversation(ME)
    attached = assistant.attach(ME, conversation, spine)
    assert [artifact.handle for artifact in attached.artifacts] == ["ct1", "mask1"]
    question = "Is any vertebra fractured, and what does the literature say about grading it?"
    events = list(assistant.ask(ME, conversation, question))
    turn = events[-1].turn if isinstance(events[-1], TurnDone) else None
    assert turn is not None
    assert turn.answer is not None
    assert [call.name for call in turn.calls] == ["grade_fractures", "search_literature"]
    assert any(isinstance(event, StepFinished) for event in events)
    assert all(sentence.evidence and sentence.verdict == "supported" for sentence in turn.answer.sentences)
    graded = {item.where: item.value for item in turn.evidence if item.kind == "finding"}
    assert graded["T12"] == 3  # its front lost 42 %
    assert not [level for level, grade in graded.items() if level != "T12" and int(str(grade)) >= 2]
    assert [item.id for item in turn.evidence] == [str(n + 1) for n in range(len(turn.evidence))]
    assert turn.answer.figures
    assert turn.answer.tables

    again = ask(assistant, conversation, "and L1?")
    assert [call.arguments.get("levels") for call in again.calls] == [["L1"]]
    shown = ask(assistant, conversation, "show me that one")
    assert [call.name for call in shown.calls] == ["show_image"]
    assert shown.calls[0].status == "done"


@pytest.mark.parametrize("question", ["What is the best treatment for Blorptitis?", "asdkjh qwoeiu zxmcn treatment?"])
def test_nothing_found_is_said_with_what_was_searched(assistant: Assistant, question: str) -> None:
    turn = ask(assistant, assistant.new_conversation(ME), question)
    assert turn.answer is not None
    assert turn.answer.abstained
    assert "documents in 'starter'" in turn.answer.why


def test_a_missing_image_is_asked_for(assistant: Assistant) -> None:
    turn = ask(assistant, assistant.new_conversation(ME), "Which vertebrae are fractured in this scan?")
    assert turn.answer is not None
    assert turn.answer.abstained
    assert "attach a CT" in turn.answer.text


def test_owners_do_not_see_each_other(assistant: Assistant) -> None:
    mine = assistant.new_conversation(ME)
    assert assistant.conversations(OTHER) == ()
    for forbidden in (assistant.turns, assistant.store, assistant.delete):
        with pytest.raises(UnknownConversation):
            forbidden(OTHER, mine)
    with pytest.raises(UnknownConversation):
        list(assistant.ask(OTHER, mine, "hello"))


def test_history_survives_a_restart_and_delete_is_real(assistant: Assistant, tmp_path: Path) -> None:
    conversation = assistant.new_conversation(ME)
    ask(assistant, conversation, "What is RHLV?")
    assistant.close()
    with build_assistant(load_settings()) as again:
        assert [turn.question for turn in again.turns(ME, conversation)] == ["What is RHLV?"]
        assert again.conversations(ME)[0].title == "What is RHLV?"
        folder = again.store(ME, conversation).folder
        again.delete(ME, conversation)
        assert not folder.exists()
        assert again.conversations(ME) == ()
    home = load_settings().home
    with sqlite3.connect(home / "checkpoints.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM checkpoints").fetchone() == (0,)


def test_the_memory_stays_small(assistant: Assistant, spine: list[Path]) -> None:
    conversation = assistant.new_conversation(ME)
    assistant.attach(ME, conversation, spine)
    for number in range(20):
        turn = ask(assistant, conversation, f"show slice {10 + number} of ct1")
        assert turn.calls[0].status == "done"
    assert (load_settings().home / "checkpoints.sqlite").stat().st_size < 1_000_000


def test_a_question_of_risk_gets_the_card_and_no_number_of_its_own(assistant: Assistant) -> None:
    conversation = assistant.new_conversation(ME)
    assistant.attach(ME, conversation, [Path(predict_outcome.__file__).with_name("demo_icu_patient.json")])
    events = list(assistant.ask(ME, conversation, "What is the risk for this patient and why?"))
    turn = events[-1].turn if isinstance(events[-1], TurnDone) else None
    assert turn is not None
    assert turn.answer is not None
    assert [call.name for call in turn.calls] == ["predict_outcome"]
    assert all(sentence.evidence and sentence.verdict == "supported" for sentence in turn.answer.sentences)
    held = " ".join(item.model_dump_json() for item in turn.evidence)
    words = re.sub(r"\[\d+\]", "", turn.answer.text)
    numbers = re.findall(r"\d+(?:\.\d+)?", words)
    assert len(numbers) > 8
    assert all(number in held for number in numbers)


def test_an_empty_question_is_refused(assistant: Assistant) -> None:
    with pytest.raises(InputError, match="empty"):
        list(assistant.ask(ME, assistant.new_conversation(ME), "  "))


def test_a_stop_ends_the_turn(assistant: Assistant) -> None:
    stop = threading.Event()
    stop.set()
    *_, last = assistant.ask(ME, assistant.new_conversation(ME), "What is RHLV?", stop)
    assert isinstance(last, TurnDone)
    assert last.turn.error == STOPPED


def test_a_bad_file_does_not_lose_the_good_one(assistant: Assistant, spine: list[Path], tmp_path: Path) -> None:
    (tmp_path / "empty.nii").touch()
    (tmp_path / "text.dcm").write_text("not an image")
    taken = assistant.attach(ME, assistant.new_conversation(ME), [tmp_path / "empty.nii", spine[0], tmp_path / "text.dcm"])
    assert [artifact.handle for artifact in taken.artifacts] == ["ct1"]
    assert "0 bytes" in taken.problems[0]
    assert "nothing that can be read" in taken.problems[1]


def test_an_emergency_gets_the_notice_and_nothing_else(assistant: Assistant) -> None:
    answer = ask(assistant, assistant.new_conversation(ME), "I have crushing chest pain, what should I do?").answer
    assert answer is not None
    assert "local emergency number" in answer.text
    assert "attach" not in answer.text


def test_a_dose_is_quoted_and_never_advised(assistant: Assistant) -> None:
    conversation = assistant.new_conversation(ME)
    assistant.load_sample(ME, conversation)
    answer = ask(assistant, conversation, "What dose of alendronate should I give her?").answer
    assert answer is not None
    assert answer.text.startswith("I do not give a dose of my own")
    assert all(sentence.evidence for sentence in answer.sentences[1:])


def test_a_decision_is_left_to_the_clinician_and_what_bears_on_it_is_shown(assistant: Assistant) -> None:
    conversation = assistant.new_conversation(ME)
    assistant.load_sample(ME, conversation)
    answer = ask(assistant, conversation, "Can she take ibuprofen?").answer
    assert answer is not None
    assert answer.text.startswith("I do not decide on a treatment")
    assert "Ibuprofen 400 mg oral tablet is recorded as a past medicine (stopped)" in answer.sentences[1].text
    assert "Chronic kidney disease" in answer.sentences[1].text
    assert answer.sentences[-2].text == "I found nothing on this in the literature."


def test_another_script_is_told_apart_from_an_unknown_subject(assistant: Assistant) -> None:
    answer = ask(assistant, assistant.new_conversation(ME), "椎骨有骨折吗？").answer
    assert answer is not None
    assert answer.abstained
    assert "English only" in answer.text
