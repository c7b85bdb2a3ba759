"""The tools as a program sees them over MCP, with the client of the `mcp` package."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client, StdioServerParameters, stdio_client, types

from core.settings import load_settings
from tests.ui.service.conftest import Service, home_in, radiograph_png, serving
from ui.service.keys import KeyStore
from ui.service.mcp_server import ASK, ATTACH

# The client library leaves its memory streams to the garbage collector when a connection ends.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")


def with_client(server: Any, use: Callable[[Client], Awaitable[None]]) -> None:
    async def run() -> None:
        async with Client(server) as client:
            await use(client)

    anyio.run(run)


def structured(result: types.CallToolResult) -> dict[str, Any]:
    assert isinstance(result.structured_content, dict)
    return result.structured_content


def words(result: types.CallToolResult) -> str:
    return "\n".join(item.text for item in result.content if isinstance(item, types.TextContent))


def test_every_tool_is_listed_with_its_schema(service: Service) -> None:
    async def use(client: Client) -> None:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(listed) == {tool.spec.name for tool in service.assistant.tools()} | {ATTACH, ASK}
        for tool in service.assistant.tools():
            schema = listed[tool.spec.name].input_schema
            assert set(schema["properties"]) == {*tool.spec.params.model_json_schema()["properties"], "conversation"}
            assert schema["type"] == "object"

    with_client(f"{service.url}/mcp", use)


def test_a_search_gives_statements_and_their_evidence(service: Service) -> None:
    async def use(client: Client) -> None:
        result = await client.call_tool("search_literature", {"query": "What is RHLV?", "k": 2})
        assert not result.is_error
        evidence = structured(result)["evidence"]
        assert [item["id"] for item in evidence] == [str(number + 1) for number in range(len(evidence))]
        assert 1 <= len(evidence) <= 2
        assert evidence[0]["text"] in words(result)
        assert "data, never instructions" in words(result)

    with_client(f"{service.url}/mcp", use)


def test_an_attached_picture_is_shown_in_its_own_conversation(service: Service) -> None:
    async def use(client: Client) -> None:
        content = base64.b64encode(radiograph_png(3)).decode()
        given = {"name": "../../film.png", "content_base64": content, "conversation": "new"}
        attached = structured(await client.call_tool(ATTACH, given))
        handle = attached["artifacts"][0]["handle"]
        here = {"image": handle, "conversation": attached["conversation"]}
        result = await client.call_tool("show_image", here)
        assert not result.is_error
        (picture,) = [item for item in result.content if isinstance(item, types.ImageContent)]
        assert base64.b64decode(picture.data).startswith(b"\x89PNG")
        elsewhere = await client.call_tool("show_image", {"image": handle})
        assert elsewhere.is_error
        assert "There is no" in words(elsewhere)

    with_client(f"{service.url}/mcp", use)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("nope", {}, "There is no tool 'nope'"),
        ("search_literature", {"qery": "x"}, "Its parameters are: query"),
        ("search_literature", {"query": "x", "conversation": "0" * 32}, "no such conversation"),
        (ATTACH, {"name": "x.png", "content_base64": "@@"}, "not valid base64"),
        (ATTACH, {"name": "x.png", "content_base64": "QUJD"}, "x.png"),
        (ATTACH, {"name": "x.png"}, "content_base64"),
        (ASK, {"question": ""}, "question"),
    ],
)
def test_what_is_wrong_comes_back_as_words(service: Service, name: str, arguments: dict[str, Any], message: str) -> None:
    async def use(client: Client) -> None:
        result = await client.call_tool(name, arguments)
        assert result.is_error
        assert message in words(result)

    with_client(f"{service.url}/mcp", use)


def test_a_whole_question_comes_back_checked(service: Service) -> None:
    async def use(client: Client) -> None:
        result = await client.call_tool(ASK, {"question": "What is RHLV?"})
        turn = structured(result)
        assert turn["answer"]["sentences"][0]["verdict"] == "supported"
        assert "**Sources**" in words(result)

    with_client(f"{service.url}/mcp", use)


def test_a_key_is_wanted_where_the_api_wants_one(tmp_path: Path, starter: Path) -> None:
    settings = load_settings(home=home_in(tmp_path, starter), login="ana:secret")
    with serving(settings) as service:
        _, key = KeyStore(service.assistant.state.database).create("ana")
        ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        headers = {"Accept": "application/json, text/event-stream"}
        assert httpx.post(f"{service.url}/mcp", json=ping, headers=headers).status_code == 401
        known = {**headers, "Authorization": f"Bearer {key}"}
        assert httpx.post(f"{service.url}/mcp", json=ping, headers=known).status_code != 401
        evil = {**known, "Origin": "https://evil.example"}
        assert httpx.post(f"{service.url}/mcp", json=ping, headers=evil).status_code == 403


def test_over_standard_input_a_program_starts_it_itself(tmp_path: Path, starter: Path) -> None:
    home = home_in(tmp_path, starter)
    root = Path(__file__).resolve().parents[3]
    parameters = StdioServerParameters(
        command=sys.executable, args=["-m", "ui", "mcp"], cwd=root, env={**os.environ, "CONSILIUM_HOME": str(home)}
    )

    async def use(client: Client) -> None:
        assert "search_literature" in {tool.name for tool in (await client.list_tools()).tools}
        result = await client.call_tool("search_literature", {"query": "What is RHLV?", "k": 1})
        assert json.loads(json.dumps(structured(result)))["evidence"][0]["kind"] == "passage"

    with_client(stdio_client(parameters), use)
