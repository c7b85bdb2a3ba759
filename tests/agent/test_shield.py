"""Nothing that says who the patient is reaches an endpoint that is not on this machine, and the answer has it again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from agent.assemble import build_assistant
from agent.assistant import Assistant
from agent.events import Event, TextDelta, TurnDone
from agent.models.completions import Completions, Request
from agent.models.endpoint import Endpoint
from agent.shield import Shield, hidden, hidden_protocol, shielded_by
from agent.turns import Asked
from core.settings import load_settings
from core.types import Turn
from tests.agent.openai_server import ALL, COUNTS, NO_NATIVE, Script, serving
from tools.text.deidentify.mapping import Mapping

ME = "me"
SECRETS = (
    "Oluwaseun",
    "Brzezinski",
    "4471902",
    "617-555-0142",
    "Tewksbury",
    "1951-03-07",
    "12 Larkspur Lane",
    "o.brzezinski",
)
BUNDLE = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [
        {
            "resource": {
                "resourceType": "Patient",
                "id": "pat-4471902",
                "identifier": [{"type": {"coding": [{"code": "MR"}]}, "value": "4471902"}],
                "name": [{"family": "Brzezinski", "given": ["Oluwaseun"]}],
                "telecom": [{"system": "phone", "value": "617-555-0142"}],
                "birthDate": "1951-03-07",
                "address": [{"line": ["12 Larkspur Lane"], "city": "Tewksbury", "state": "MA"}],
            }
        },
        {
            "resource": {
                "resourceType": "Condition",
                "id": "c1",
                "subject": {"reference": "Patient/pat-4471902"},
                "code": {"text": "Fracture of vertebra of Oluwaseun Brzezinski"},
                "onsetDateTime": "2020-02-11",
            }
        },
    ],
}
QUESTION = (
    "Oluwaseun Brzezinski (MRN 4471902, born 1951-03-07, tel 617-555-0142, o.brzezinski@example.org) of 12 Larkspur Lane, "
    "Tewksbury: any fractures in the record?"
)

pytestmark = pytest.mark.usefixtures("home_with_index")
both_planners = pytest.mark.parametrize("can", [ALL, NO_NATIVE], ids=["native", "guided"])


@pytest.fixture
def record(tmp_path: Path) -> Path:
    path = tmp_path / "record.json"
    path.write_text(json.dumps(BUNDLE), encoding="utf-8")
    return path


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.models.endpoint.Endpoint.is_local", False)


def ask(assistant: Assistant, conversation: str, question: str) -> tuple[Turn, str]:
    events = list(assistant.ask(ME, conversation, question))
    last = events[-1]
    assert isinstance(last, TurnDone)
    return last.turn, "".join(event.text for event in events if isinstance(event, TextDelta))


def conversing(script: Script, record: Path) -> Iterator[tuple[Assistant, str]]:
    with serving(script) as url, build_assistant(load_settings(model=url)) as assistant:
        conversation = assistant.new_conversation(ME)
        assert not assistant.attach(ME, conversation, [record]).problems
        yield assistant, conversation


def test_the_secrets_would_reach_a_model_on_this_machine(record: Path) -> None:
    script = Script([[("read_record", '{"record": "record1", "about": "conditions"}')], "A fracture [1]."])
    for assistant, conversation in conversing(script, record):
        ask(assistant, conversation, QUESTION)
    assert "Brzezinski" in json.dumps(script.requests)


@both_planners
def test_no_identifier_leaves_in_question_history_or_tool_results(
    can: frozenset[str], record: Path, elsewhere: None
) -> None:
    script = Script(
        [
            [("read_record", '{"record": "record1", "about": "conditions", "name": "fracture"}')],
            "[NAME-1] has a fracture [1].",
            [("read_record", '{"record": "record1", "about": "conditions"}')],
            "As said of [NAME-1], one fracture [1].",
        ],
        can=can,
    )
    for assistant, conversation in conversing(script, record):
        turn, streamed = ask(assistant, conversation, QUESTION)
        ask(assistant, conversation, "And what else is there about Mr Brzezinski?")
        assert len(script.requests) >= 4
        sent = json.dumps(script.requests, ensure_ascii=False)
        assert [call.status for call in turn.calls] == ["done"]
        assert "Fracture of vertebra" in sent
        for secret in SECRETS:
            assert secret.lower() not in sent.lower(), secret
        assert "2020-02-11" not in sent
        assert turn.answer is not None
        assert "Oluwaseun Brzezinski has a fracture" in turn.answer.text
        assert "Oluwaseun Brzezinski" in streamed
        assert "[NAME-1]" not in streamed


@both_planners
def test_the_arguments_of_a_call_get_the_real_words_again(can: frozenset[str], record: Path, elsewhere: None) -> None:
    script = Script([[("search_literature", '{"query": "fractures of [NAME-1]"}')], "Nothing [1]."], can=can)
    for assistant, conversation in conversing(script, record):
        turn, _ = ask(assistant, conversation, "What is known of Oluwaseun Brzezinski?")
        assert turn.calls[0].arguments["query"] == "fractures of Oluwaseun Brzezinski"


def test_calls_results_and_pictures_words_are_hidden_and_artifacts_dropped() -> None:
    shield = Shield(known={"Quenby": "NAME"})
    sent = hidden(
        [
            HumanMessage([{"type": "text", "text": "Is Quenby well?"}], additional_kwargs={"artifacts": ["Quenby"]}),
            AIMessage("", tool_calls=[{"name": "t", "args": {"a": ["Quenby"]}, "id": "1", "type": "tool_call"}]),
            ToolMessage("QUENBY is well", tool_call_id="1", artifact={"x": "Quenby"}),
        ],
        shield,
    )
    assert "quenby" not in repr(sent).lower()
    assert sent[2].text == "[NAME-1] is well"


def test_the_mapping_outlives_a_restart(tmp_path: Path) -> None:
    first = Shield(tmp_path / "identifiers.json")
    hidden = first.hide("Seen by Dr. Ngozi Achterberg on 2021-04-05.")
    again = Shield(tmp_path / "identifiers.json")
    assert again.show(hidden) == "Seen by Dr. Ngozi Achterberg on 2021-04-05."
    assert again.hide("Seen by Dr. Ngozi Achterberg on 2021-04-05.") == hidden
    assert (tmp_path / "identifiers.json").stat().st_mode & 0o077 == 0


def test_a_date_in_another_form_comes_back_as_the_real_day(tmp_path: Path) -> None:
    Mapping(shift_days=-7 * 60).save(tmp_path / "identifiers.json")
    shield = Shield(tmp_path / "identifiers.json")
    assert shield.hide("The operation was on 2021-04-05.") == "The operation was on 2020-02-10."
    assert shield.show("It was on 2/10/2020, a Monday.") == "It was on 4/5/2021, a Monday."
    assert shield.show("It was on February 10, 2020.") == "It was on April 5, 2021."


def test_what_a_strategy_asks_itself_is_hidden_and_its_reply_has_the_real_words_again(elsewhere: None) -> None:
    script = Script(["[NAME-1] should be asked."])
    shield = Shield(known={"Quenby": "NAME"})
    with serving(script) as url, shielded_by(shield):
        request = Request(({"role": "user", "content": "Whom does Quenby ask?"},), max_tokens=20)
        reply = Completions(Endpoint(f"{url}/v1", "scripted"), "", 10.0).chat(request)
    assert "Quenby" not in json.dumps(script.requests)
    assert reply.text == "Quenby should be asked."


def test_what_is_counted_at_the_endpoint_and_what_a_client_instructs_is_hidden(record: Path, elsewhere: None) -> None:
    script = Script(["I can help."], can=ALL | COUNTS)
    told = Asked(question="What now?", instructions="Call her Mrs. Oluwaseun Brzezinski, MRN 4471902, of Tewksbury.")
    for assistant, conversation in conversing(script, record):
        events: list[Event] = []
        assistant.start(ME, conversation, told, events.append).join()
        assert isinstance(events[-1], TurnDone)
        sent = json.dumps([script.requests, script.counted], ensure_ascii=False)
        assert "Call her Mrs. [NAME" in sent
        for secret in ("Oluwaseun", "Brzezinski", "4471902"):
            assert secret not in sent, secret


def test_messages_of_the_protocol_lose_names_in_parts_and_in_arguments_of_calls() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "t", "arguments": json.dumps({"who": "Quenby"})}}
    sent = hidden_protocol(
        [
            {"role": "user", "content": [{"type": "text", "text": "Is Quenby well?"}]},
            {"role": "assistant", "content": None, "tool_calls": [call]},
        ],
        Shield(known={"Quenby": "NAME"}),
    )
    assert "Quenby" not in json.dumps(sent)
    assert json.loads(sent[1]["tool_calls"][0]["function"]["arguments"]) == {"who": "[NAME-1]"}
