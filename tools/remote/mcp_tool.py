"""A tool of another program, called over MCP.

What it is sent leaves this program, so its effect is "send", and a gate stands before it: a conversation with a patient's
images or record sends nothing to a server that the site has not cleared for patient data. What it returns is somebody else's
text: it becomes a passage of evidence, marked as remote, and is data like every other source.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any, TypeVar

import anyio
from pydantic import BaseModel

from core.errors import CallError, ConsiliumError, GateRefusal, ToolCancelled, ToolFailed
from core.settings import RemoteServer
from core.types import Passage, ToolProvenance, ToolResult
from tools.base import Card, ToolContext, ToolSpec
from tools.remote.schema import check, params_of

T = TypeVar("T")
_LIST_S = 10.0
_CALL_S = 60.0
_LONGEST_TEXT = 20_000
_MOST_TOOLS = 64
_PATIENT_KINDS = frozenset({"volume", "mask", "radiograph", "image", "cine", "record", "document", "signal", "table"})
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
_NAME = re.compile(r"[a-z][a-z0-9_]{2,63}")


class McpTool:
    """One tool of one server."""

    def __init__(self, server: RemoteServer, remote_name: str, description: str, schema: dict[str, Any]) -> None:
        name = local_name(server, remote_name)
        self._server = server
        self._remote_name = remote_name
        self._schema = schema
        self.spec = ToolSpec(
            name=name,
            version="1",
            description=f"{_clean(description, 600) or remote_name} (a tool of the site's server {server.name}.)",
            params=params_of(name, schema),
            examples=(),
            card=Card(
                method=f"tool {remote_name} of the MCP server {server.name}",
                trained_on="unknown: another program's",
                performance="not measured by us",
                intended_use="what the site that added it intends",
                known_failures=("its answers are not checked for truth, only quoted",),
            ),
            effect="send",
            timeout_s=_CALL_S,
        )

    def run(self, params: BaseModel, context: ToolContext) -> ToolResult:
        """Send the call and quote what comes back.

        Raises:
            GateRefusal: the conversation holds a patient's data and the server is not cleared for it.
            CallError: the arguments do not fit the server's own schema.
            ToolFailed: the server cannot be reached, or says that the call failed.
        """
        self._gate(context)
        arguments = params.model_dump(mode="json", exclude_none=True)
        check(self.spec.name, self._schema, arguments)
        context.progress(0.1, f"asking {self._server.name}")
        result = _in_time(self._server, lambda client: client.call_tool(self._remote_name, arguments), context)
        text = _text_of(result)
        if result.is_error:
            raise ToolFailed(f"{self._server.name} says that {self._remote_name} failed: {_clean(text, 300)}")
        return self._told(text, left_out=sum(item.type != "text" for item in result.content))

    def _gate(self, context: ToolContext) -> None:
        held = [item.handle for item in context.store.list() if item.kind in _PATIENT_KINDS and not item.synthetic]
        if held and not self._server.patient_data:
            raise GateRefusal(
                f"{self.spec.name} would send to {self._server.name}, which is not cleared for patient data, and this "
                f"conversation holds {', '.join(held[:5])}. Answer without it, or ask in a conversation without files."
            )

    def _told(self, text: str, left_out: int) -> ToolResult:
        shown = _clean(text, _LONGEST_TEXT)
        warnings = [f"{self._server.name} is another program; its text is quoted, not checked."]
        if len(text) > _LONGEST_TEXT:
            warnings.append(f"Its answer was cut at {_LONGEST_TEXT} characters.")
        if left_out:
            warnings.append(f"{left_out} part(s) of its answer are no text and were left out.")
        document = f"{self._server.name}/{self._remote_name}"
        passage = Passage(
            passage_id=f"{document}#0", document_id=document, text=shown, span=(0, len(shown)), title=document,
            corpus=self._server.name, score=1.0, flags=("remote",),
        )  # fmt: skip
        return ToolResult(
            summary=f"{document} answered." if shown else f"{document} answered with nothing.",
            evidence=(passage,) if shown else (),
            warnings=tuple(warnings),
            provenance=ToolProvenance(tool=self.spec.name, version=self.spec.version),
            searched=f"the site's server {self._server.name}",
        )


def tools_of(server: RemoteServer, taken: Sequence[str]) -> tuple[list[McpTool], list[str]]:
    """The tools that a server offers and the site lets through, and a message for each that cannot be used.

    A server that is away gives no tools and one message: the rest of the program goes on.
    """
    try:
        listed = _in_time(server, lambda client: client.list_tools(), None).tools[:_MOST_TOOLS]
    except ConsiliumError as error:
        return [], [str(error)]
    tools: list[McpTool] = []
    problems = [f"{server.name} has no tool {name!r}." for name in server.tools if name not in {t.name for t in listed}]
    names = set(taken)
    for offered in listed:
        if server.tools and offered.name not in server.tools:
            continue
        try:
            tool = McpTool(server, offered.name, offered.description or "", offered.input_schema)
        except ConsiliumError as error:
            problems.append(str(error))
            continue
        if tool.spec.name in names:
            problems.append(f"{tool.spec.name} of {server.name} is refused: there is a tool of this name already.")
            continue
        names.add(tool.spec.name)
        tools.append(tool)
    return tools, problems


def local_name(server: RemoteServer, remote_name: str) -> str:
    """The name that a model types: the server's and the tool's. Raises `CallError` when it cannot be typed."""
    name = re.sub(r"\W+", "_", f"{server.name}_{remote_name}".lower(), flags=re.ASCII)
    if not _NAME.fullmatch(name):
        raise CallError(f"The tool {remote_name!r} of {server.name} has a name that cannot be used.")
    return name


def _in_time(server: RemoteServer, use: Callable[[Any], Awaitable[T]], context: ToolContext | None) -> T:
    """Connect, do one thing, leave. Raises `ToolFailed` whatever goes wrong, `ToolCancelled` on a stop."""
    outcome: list[T] = []

    async def work() -> None:
        from mcp import Client

        async with anyio.create_task_group() as group:
            if context is not None:
                group.start_soon(_watch, context, group.cancel_scope)
            async with AsyncExitStack() as open_now:
                transport = await _transport(server, open_now)
                client = await open_now.enter_async_context(Client(transport, read_timeout_seconds=_CALL_S, cache=None))
                outcome.append(await use(client))
            group.cancel_scope.cancel()

    async def bounded() -> None:
        with anyio.fail_after(_LIST_S if context is None else _CALL_S):
            await work()

    try:
        anyio.run(bounded)
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        raise ToolFailed(f"The site's server {server.name} cannot be used: {_reason(error)}.") from error
    if not outcome:
        raise ToolCancelled(f"{server.name} was stopped.")
    return outcome[0]


async def _watch(context: ToolContext, scope: anyio.CancelScope) -> None:
    while not context.cancelled.is_set():
        await anyio.sleep(0.1)
    scope.cancel()


async def _transport(server: RemoteServer, open_now: AsyncExitStack) -> Any:
    """The way to a server. The transport does not close an HTTP client that it is given: `open_now` does."""
    from mcp import StdioServerParameters, stdio_client
    from mcp.client.streamable_http import streamable_http_client
    from mcp.shared._httpx_utils import create_mcp_http_client

    if server.command:
        program, *arguments = server.command
        return stdio_client(StdioServerParameters(command=program, args=arguments))
    key = server.key.get_secret_value()
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    http = await open_now.enter_async_context(create_mcp_http_client(headers=headers))
    return streamable_http_client(server.url, http_client=http)


def _reason(error: BaseException) -> str:
    """The innermost reason of nested groups of errors, in one line."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    return _clean(str(error), 200) or type(error).__name__


def _text_of(result: Any) -> str:
    texts = [item.text for item in result.content if item.type == "text"]
    if not texts and result.structured_content is not None:
        with suppress(TypeError, ValueError):
            return json.dumps(result.structured_content, ensure_ascii=False)
    return "\n".join(texts)


def _clean(text: str, longest: int) -> str:
    """Without characters that hide or turn around what stands there."""
    return _CONTROL.sub("", text).strip()[:longest]
