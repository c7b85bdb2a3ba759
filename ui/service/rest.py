"""`/api`: conversations, questions, files, artifacts, tools and the state of the service."""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, UploadFile
from fastapi.responses import FileResponse, Response, StreamingResponse
from pydantic import BaseModel, Field, JsonValue
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from agent.answering import VERSION
from agent.assistant import Assistant
from agent.conversations import ConversationInfo
from agent.status import Attached, ModelStatus, SampleCase
from agent.turns import Asked
from core.types import Artifact, Plane, ToolResult, Turn
from ui.service.access import Caller
from ui.service.errors import BadRequest, ErrorReply
from ui.service.limits import DailyQuota
from ui.service.running import TurnEvents, end_or_leave

_SAFE_NAME = re.compile(r"[^\w.-]+", re.ASCII)
_MAX_UPLOADS = 2000
_ERRORS: dict[int | str, dict[str, Any]] = {status: {"model": ErrorReply} for status in (400, 401, 403, 404, 413, 429, 502)}


class Status(BaseModel):
    """What drives the agent, and how busy the service is."""

    version: str
    user: str
    model: ModelStatus
    running: int
    waiting: int


class NewConversation(BaseModel):
    """A conversation that was opened."""

    id: str


class Question(BaseModel):
    """A question in a conversation. With `stream`, the reply is server-sent events: each one event of the turn as JSON."""

    question: str = Field(min_length=1, max_length=100_000)
    stream: bool = False


class Stopped(BaseModel):
    """Whether a question was being answered."""

    stopped: bool


class ToolInfo(BaseModel):
    """A tool, its parameters as JSON Schema, and its card."""

    name: str
    version: str
    description: str
    effect: Literal["read", "write", "send"]
    parameters: dict[str, Any]
    examples: tuple[str, ...]
    method: str
    trained_on: str
    performance: str
    intended_use: str
    known_failures: tuple[str, ...]
    ready: bool


def rest_routes(assistant: Assistant, quota: DailyQuota) -> APIRouter:
    """The routes below `/api`. Handlers that are plain functions run in threads."""
    routes = APIRouter(prefix="/api", tags=["Consilium"], responses=_ERRORS)
    _add_overview(routes, assistant)
    _add_conversations(routes, assistant)
    _add_questions(routes, assistant, quota)
    _add_files(routes, assistant)
    return routes


def _add_overview(routes: APIRouter, assistant: Assistant) -> None:
    @routes.get("/status")
    def status(principal: Caller) -> Status:
        """What drives the agent, and how busy the service is."""
        running, waiting = assistant.load()
        return Status(version=VERSION, user=principal.user, model=assistant.model_status(), running=running, waiting=waiting)

    @routes.get("/tools")
    def tools(principal: Caller) -> tuple[ToolInfo, ...]:
        """Every tool."""
        return tuple(_tool_info(tool.spec) for tool in assistant.tools())


def _add_conversations(routes: APIRouter, assistant: Assistant) -> None:
    @routes.post("/conversations", status_code=201)
    def new(principal: Caller) -> NewConversation:
        """Open a conversation."""
        return NewConversation(id=assistant.new_conversation(principal.owner))

    @routes.get("/conversations")
    def conversations(principal: Caller) -> tuple[ConversationInfo, ...]:
        """Your conversations, newest first."""
        return assistant.conversations(principal.owner)

    @routes.delete("/conversations/{conversation}", status_code=204)
    def delete(conversation: str, principal: Caller) -> None:
        """Delete a conversation, its memory and its files; a question being answered in it is stopped."""
        assistant.stop(principal.owner, conversation)
        assistant.delete(principal.owner, conversation)

    @routes.get("/conversations/{conversation}/turns")
    def turns(conversation: str, principal: Caller) -> tuple[Turn, ...]:
        """Questions and answers so far."""
        return assistant.turns(principal.owner, conversation)


def _add_questions(routes: APIRouter, assistant: Assistant, quota: DailyQuota) -> None:
    @routes.post("/conversations/{conversation}/turns", response_model=Turn)
    async def ask(conversation: str, body: Question, request: Request, principal: Caller) -> Response:
        """Ask a question. A turn that ends in an error is a turn too: see its `error`."""
        events = TurnEvents()
        await run_in_threadpool(_begin, assistant, quota, principal.owner, conversation, body.question, events)
        if body.stream:
            return _Events(_lines(events), events)
        turn = await end_or_leave(events, request)
        return Response(turn.model_dump_json(), media_type="application/json")

    @routes.post("/conversations/{conversation}/stop")
    def stop(conversation: str, principal: Caller) -> Stopped:
        """Stop the question that is being answered."""
        return Stopped(stopped=assistant.stop(principal.owner, conversation))

    @routes.post("/conversations/{conversation}/tools/{name}")
    def call(conversation: str, name: str, arguments: dict[str, JsonValue], principal: Caller) -> ToolResult:
        """Run one tool on the files of a conversation. A call that is refused or fails says so in `status` and `summary`."""
        return assistant.call_tool(principal.owner, conversation, name, arguments)


def _add_files(routes: APIRouter, assistant: Assistant) -> None:
    @routes.post("/conversations/{conversation}/files")
    def upload(conversation: str, files: list[UploadFile], principal: Caller) -> Attached:
        """Attach files: DICOM files or a zip of them, NIfTI, PNG, JPEG, FHIR JSON. What cannot be read is told."""
        assistant.store(principal.owner, conversation)
        return _take_in(assistant, principal.owner, conversation, files)

    @routes.post("/conversations/{conversation}/sample")
    def sample(conversation: str, principal: Caller) -> SampleCase:
        """Attach the sample case."""
        return assistant.load_sample(principal.owner, conversation)

    @routes.get("/conversations/{conversation}/artifacts")
    def artifacts(conversation: str, principal: Caller) -> tuple[Artifact, ...]:
        """What is attached, and what tools made."""
        return assistant.store(principal.owner, conversation).list()

    @routes.get("/conversations/{conversation}/artifacts/{handle}", response_class=FileResponse)
    def content(conversation: str, handle: str, principal: Caller) -> FileResponse:
        """The content of an artifact, as a download."""
        store = assistant.store(principal.owner, conversation)
        path = store.path(handle)
        return FileResponse(path, media_type=store.get(handle).media_type, filename=f"{handle}{''.join(path.suffixes)}")

    @routes.get("/conversations/{conversation}/artifacts/{handle}/slice", response_class=Response)
    def slice_png(
        conversation: str,
        handle: str,
        principal: Caller,
        plane: Plane = "sagittal",
        index: int = 0,
        window: Literal["bone", "soft", "lung", "brain", "full"] = "full",
        overlay: str | None = None,
        opacity: Annotated[float, Field(ge=0, le=1)] = 0.4,
    ) -> Response:
        """A slice as PNG; `index` counts slices of the RAS array from 0."""
        count = assistant.slice_count(principal.owner, conversation, handle, plane)
        if not 0 <= index < max(count, 1):
            raise BadRequest(f"index: {handle} has {plane} slices 0 to {max(count, 1) - 1}, got {index}.", "index")
        picture = assistant.draw_slice(principal.owner, conversation, handle, plane, index, window, overlay, opacity)
        return Response(picture, media_type="image/png")


def _begin(
    assistant: Assistant, quota: DailyQuota, owner: str, conversation: str, question: str, events: TurnEvents
) -> None:
    assistant.store(owner, conversation)
    quota.take(owner)
    events.began(assistant.start(owner, conversation, Asked(question=question), events.emit))


def _take_in(assistant: Assistant, owner: str, conversation: str, files: list[UploadFile]) -> Attached:
    if len(files) > _MAX_UPLOADS:
        raise BadRequest(f"At most {_MAX_UPLOADS} files at a time, got {len(files)}; send a zip.", "files")
    with tempfile.TemporaryDirectory(prefix="consilium-") as folder:
        paths = []
        for number, file in enumerate(files):
            name = _SAFE_NAME.sub("_", Path(file.filename or "").name)[-80:].lstrip(".") or "file"
            path = Path(folder) / f"{number:04d}" / name
            path.parent.mkdir()
            with path.open("wb") as target:
                while block := file.file.read(1024 * 1024):
                    target.write(block)
            paths.append(path)
        return assistant.attach(owner, conversation, paths)


def _tool_info(spec: Any) -> ToolInfo:
    card = spec.card
    return ToolInfo(
        name=spec.name,
        version=spec.version,
        description=spec.description,
        effect=spec.effect,
        parameters=spec.params.model_json_schema(),
        examples=spec.examples,
        method=card.method,
        trained_on=card.trained_on,
        performance=card.performance,
        intended_use=card.intended_use,
        known_failures=card.known_failures,
        ready=all(need.present() for need in spec.requires),
    )


async def _lines(events: TurnEvents) -> AsyncIterator[bytes]:
    async for event in events:
        if event is None:
            yield b": still working\n\n"
        else:
            yield f"event: {event.kind}\ndata: {event.model_dump_json()}\n\n".encode()


class _Events(StreamingResponse):
    """Server-sent events of a turn, which ends when the client leaves."""

    def __init__(self, content: AsyncIterator[bytes], events: TurnEvents) -> None:
        super().__init__(content, media_type="text/event-stream")
        self._turn = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._turn.stop()
