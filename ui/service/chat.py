"""`/v1`: the OpenAI chat protocol. Any chat program can use Consilium as a model; our tools run here, on the server."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from agent.assistant import Assistant
from agent.conversations import Place
from agent.ending import CUT
from agent.events import Event, Notice, Queued, StepFinished, StepProgress, StepStarted, TextDelta, TurnDone
from agent.turns import Asked
from core.errors import ConsiliumError, InputError, UnknownConversation
from core.types import Turn
from ui.service import chat_text, errors
from ui.service.access import Caller, Principal
from ui.service.chat_messages import GivenFile, on_disk, read_messages
from ui.service.chat_messages import Request as Read
from ui.service.chat_types import (
    MODEL,
    ChatReply,
    ChatRequest,
    Choice,
    ModelCard,
    ModelList,
    ReplyMessage,
    extension,
    usage_of,
)
from ui.service.errors import BadRequest, ErrorReply
from ui.service.limits import DailyQuota
from ui.service.running import TurnEvents, end_or_leave

_QUIET = frozenset({"user", "metadata", "safety_identifier", "prompt_cache_key", "service_tier", "parallel_tool_calls"})
_ERRORS: dict[int | str, dict[str, object]] = {
    status: {"model": ErrorReply} for status in (400, 401, 403, 404, 413, 429, 500, 502)
}


@dataclass
class Exchange:
    """One request being answered."""

    caller: Principal
    conversation: str
    position: int
    read: Read
    request: ChatRequest
    events: TurnEvents
    finished: bool = False
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def ignored(self) -> tuple[str, ...]:
        """Parameters that were given and have no effect."""
        return tuple(sorted(set(self.request.model_extra or ()) - _QUIET))


class Chat:
    """Matches requests with conversations and runs them."""

    def __init__(self, assistant: Assistant, quota: DailyQuota, *, strict: bool) -> None:
        self._assistant = assistant
        self._conversations = assistant.state.conversations
        self._quota = quota
        self.strict = strict

    async def begin(self, caller: Principal, request: ChatRequest) -> Exchange:
        """Find or make the conversation, take in the files, start the turn; what is wrong is raised before that."""
        _check(request)
        read = read_messages(request)
        events = TurnEvents()
        return await run_in_threadpool(self._begin, caller, request, read, events)

    def abandon(self, exchange: Exchange) -> None:
        """The client went away: stop the turn, and do what is to be done at its end when it has ended."""
        exchange.events.stop()

        def afterwards() -> None:
            exchange.events.join()
            self.finish(exchange, None, "")

        threading.Thread(target=afterwards, name="abandoned-turn", daemon=True).start()

    def finish(self, exchange: Exchange, turn: Turn | None, text: str) -> None:
        """Note where this list of messages led, or forget the conversation when the client does not want it stored."""
        exchange.finished = True
        owner, read = exchange.caller.owner, exchange.read
        if exchange.request.store is False:
            with suppress(UnknownConversation):
                self._assistant.delete(owner, exchange.conversation)
            return
        place = Place(conversation=exchange.conversation, position=exchange.position + 1)
        if turn is not None and turn.answer is not None:
            self._conversations.led_to(owner, read.digest_with(text), place)
        elif read.history_digest:  # a turn that failed left the memory as it was: asking again goes on from here
            self._conversations.led_to(owner, read.history_digest, place)

    def _begin(self, caller: Principal, request: ChatRequest, read: Read, events: TurnEvents) -> Exchange:
        self._quota.take(caller.owner)
        named = request.consilium.conversation
        if named is not None:
            place = Place(conversation=named, position=len(self._assistant.turns(caller.owner, named)))
            return self._start(caller, request, read, events, place)
        if request.store is not False and read.history_digest:
            known = self._conversations.continued(caller.owner, read.history_digest)
            if known is not None:
                # Another request may continue it at this moment, or it may just be deleted: then this one branches off.
                with suppress(InputError):
                    return self._start(caller, request, read, events, known)
        return self._start(caller, request, read, events, None)

    def _start(
        self, caller: Principal, request: ChatRequest, read: Read, events: TurnEvents, place: Place | None
    ) -> Exchange:
        owner = caller.owner
        is_new = place is None
        place = place or Place(conversation=self._assistant.new_conversation(owner), position=0)
        try:
            self._take_in(owner, place.conversation, (*(read.earlier_files if is_new else ()), *read.files))
            asked = Asked(
                question=read.question,
                history=read.earlier if is_new else (),
                instructions=read.instructions,
                position=place.position,
            )
            events.began(self._assistant.start(owner, place.conversation, asked, events.emit))
        except ConsiliumError:
            if is_new:
                self._assistant.delete(owner, place.conversation)
            raise
        return Exchange(caller, place.conversation, place.position, read, request, events)

    def _take_in(self, owner: str, conversation: str, files: Sequence[GivenFile]) -> None:
        if not files:
            return
        with on_disk(files) as paths:
            taken = self._assistant.attach(owner, conversation, paths)
        if taken.problems:
            raise BadRequest(" ".join(taken.problems), "messages", "unreadable_file")


def _check(request: ChatRequest) -> None:
    """What cannot be done is refused rather than left out silently."""
    if request.model != MODEL:
        raise BadRequest(
            f"There is no model {request.model!r}. The only one is {MODEL!r}.", "model", "model_not_found", status=404
        )
    refused = {
        "n": request.n not in (None, 1),
        "tools": bool(request.tools),
        "functions": bool(request.functions),
        "logprobs": bool(request.logprobs),
        "response_format": (request.response_format or {}).get("type", "text") != "text",
    }
    for name, is_given in refused.items():
        if is_given:
            raise BadRequest(f"{name}: {_REFUSED[name]}", name, "unsupported_parameter")
    if request.store is False and request.consilium.conversation is not None:
        raise BadRequest("store: a conversation that is named is kept; delete it over /api.", "store")


_REFUSED = {
    "n": "one answer is given.",
    "tools": "tools run on the server; a client's own tools are not called.",
    "functions": "tools run on the server; a client's own functions are not called.",
    "logprobs": "answers are checked sentences; they have no log-probabilities.",
    "response_format": "answers are text; what they stand on is in the field consilium.",
}


class _Text:
    """The text of an answer as it goes out: drafts while they come, or the checked sentences alone in strict mode."""

    def __init__(self, *, strict: bool, sources: bool) -> None:
        self.sent = ""
        self._strict = strict
        self._sources = sources
        self._gap = False

    def add(self, event: Event) -> str:
        """What to send for an event that is not the last."""
        if isinstance(event, StepStarted):
            self._gap = bool(self.sent)
        if not isinstance(event, TextDelta) or self._strict:
            return ""
        piece = ("\n\n" if self._gap else "") + event.text
        self._gap = False
        self.sent += piece
        return piece

    def close(self, turn: Turn) -> str:
        """What to send at the end of a turn that has an answer."""
        rest = ""
        if turn.answer is not None and not self.sent.strip():
            rest = chat_text.whole(turn.answer)
        if self._sources:
            rest += chat_text.closing(turn)
        self.sent += rest
        return rest


def chat_routes(chat: Chat) -> APIRouter:
    """The routes below `/v1`."""
    routes = APIRouter(prefix="/v1", tags=["OpenAI"], responses=_ERRORS)
    started = int(time.time())

    @routes.get("/models", response_model=ModelList)
    async def models(principal: Caller) -> ModelList:
        """The one model."""
        return ModelList(data=(ModelCard(id=MODEL, created=started),))

    @routes.get("/models/{name}", response_model=ModelCard)
    async def model(name: str, principal: Caller) -> ModelCard:
        """One model."""
        if name != MODEL:
            raise BadRequest(f"There is no model {name!r}.", "model", "model_not_found", status=404)
        return ModelCard(id=MODEL, created=started)

    @routes.post("/chat/completions", response_model=ChatReply)
    async def complete(body: ChatRequest, request: Request, principal: Caller) -> Response:
        """Answer the last message; as server-sent events with `stream`."""
        exchange = await chat.begin(principal, body)
        if body.stream:
            return _TurnResponse(_streamed(chat, exchange), chat, exchange)
        return await _at_once(chat, exchange, request)

    return routes


async def _at_once(chat: Chat, exchange: Exchange, request: Request) -> Response:
    turn_text = _Text(strict=chat.strict, sources=exchange.request.consilium.sources)
    exchange.events.tap(turn_text.add)
    turn = await end_or_leave(exchange.events, request)
    turn_text.close(turn)
    await run_in_threadpool(chat.finish, exchange, turn, turn_text.sent)
    if turn.answer is None:
        return errors.reply(*errors.of_turn(turn.error, turn.error_kind))
    reply = ChatReply(
        id=exchange.id,
        created=exchange.created,
        model=MODEL,
        choices=(Choice(message=ReplyMessage(content=turn_text.sent), finish_reason=_finish(turn)),),
        usage=usage_of(turn),
        consilium=extension(turn, exchange.conversation, exchange.ignored),
    )
    return JSONResponse(reply.model_dump(mode="json"))


async def _streamed(chat: Chat, exchange: Exchange) -> AsyncIterator[bytes]:
    """Chunks as server-sent events: drafts as they come, steps in the extension, then what the answer stands on."""
    text = _Text(strict=chat.strict, sources=exchange.request.consilium.sources)
    yield _chunk(exchange, {"role": "assistant", "content": ""})
    before, after = _around_text(exchange)
    turn: Turn | None = None
    async for event in exchange.events:
        if isinstance(event, TurnDone):
            turn = event.turn
        elif event is None:
            yield b": still working\n\n"
        elif piece := text.add(event):
            yield before + json.dumps(piece, ensure_ascii=False).encode() + after
        elif not isinstance(event, TextDelta):
            yield _chunk(exchange, {}, event=_told(event))
    if turn is None or turn.answer is None:
        await run_in_threadpool(chat.finish, exchange, turn, "")
        _, body = errors.of_turn(turn.error if turn else "", turn.error_kind if turn else "fault")
        yield _data({"error": body.model_dump()})
        yield b"data: [DONE]\n\n"
        return
    if rest := text.close(turn):
        yield _chunk(exchange, {"content": rest})
    await run_in_threadpool(chat.finish, exchange, turn, text.sent)
    told = extension(turn, exchange.conversation, exchange.ignored)
    yield _chunk(exchange, {}, finish=_finish(turn), event=told.model_dump(mode="json"))
    options = exchange.request.stream_options
    if options is not None and options.include_usage:
        yield _data({**_head(exchange), "choices": [], "usage": usage_of(turn).model_dump()})
    yield b"data: [DONE]\n\n"


def _finish(turn: Turn) -> Literal["stop", "length"]:
    return "length" if turn.answer is not None and CUT in turn.answer.limits else "stop"


_MARK = "<words>"


def _head(exchange: Exchange) -> dict[str, object]:
    return {"id": exchange.id, "object": "chat.completion.chunk", "created": exchange.created, "model": MODEL}


def _chunk(exchange: Exchange, delta: dict[str, object], finish: str | None = None, event: object = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    extra = {} if event is None else {"consilium": event}
    return _data({**_head(exchange), "choices": [choice], **extra})


def _around_text(exchange: Exchange) -> tuple[bytes, bytes]:
    """What stands before and after the words in every chunk of text; written once, as there are many."""
    before, _, after = _chunk(exchange, {"content": _MARK}).partition(json.dumps(_MARK).encode())
    return before, after


def _data(body: object) -> bytes:
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n".encode()


def _told(event: Event) -> dict[str, object] | None:
    """A step, a notice or a place in the queue, for programs that show them."""
    if isinstance(event, (Queued, StepStarted, StepProgress, StepFinished, Notice)):
        return {"event": event.model_dump(mode="json")}
    return None


class _TurnResponse(StreamingResponse):
    """However the response ends, also before its first byte, the turn ends with it."""

    def __init__(self, content: AsyncIterator[bytes], chat: Chat, exchange: Exchange) -> None:
        super().__init__(content, media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self._chat = chat
        self._exchange = exchange

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            if not self._exchange.finished:
                self._chat.abandon(self._exchange)
