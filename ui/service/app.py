"""The whole service as one ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from agent.answering import VERSION
from agent.assistant import Assistant
from core.errors import ConsiliumError
from core.settings import Settings
from ui.service import errors
from ui.service.access import Access, Principal
from ui.service.chat import Chat, chat_routes
from ui.service.errors import ErrorBody
from ui.service.guard import Guard, is_api
from ui.service.keys import KeyStore
from ui.service.limits import DailyQuota, RateLimit
from ui.service.mcp_server import McpService
from ui.service.metrics import MEDIA_TYPE, Metrics
from ui.service.rest import rest_routes

_THREADS = 256
"""Handlers that wait on the disk or on a tool hold a thread each; the page's running questions hold one too."""
_DESCRIPTION = (
    "A medical assistant that shows its work. A research tool beside a clinician, not a medical device. "
    "Off this machine every call needs an API key."
)


def build_service(assistant: Assistant, settings: Settings) -> FastAPI:
    """The API, MCP, health and metrics. The page is mounted on it by `ui.app`."""
    access = Access(settings, KeyStore(assistant.state.database))
    rate = RateLimit(settings.requests_per_minute)
    quota = DailyQuota(assistant.state.database, settings.turns_per_day)
    metrics = Metrics((tool.spec.name for tool in assistant.tools()), assistant.load, VERSION)
    assistant.watch(metrics.turn)

    def caller(request: Request) -> Principal:
        """Who calls; counts the request."""
        principal = access.principal(request)
        rate.take(principal.owner)
        return principal

    mcp = McpService(assistant, settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
        async with mcp.running():
            yield

    # The interactive docs would load scripts from elsewhere; the schema is served alone.
    app = FastAPI(
        title="Consilium", version=VERSION, description=_DESCRIPTION, lifespan=lifespan,
        openapi_url="/api/openapi.json", docs_url=None, redoc_url=None,
    )  # fmt: skip
    app.state.caller = caller
    app.include_router(chat_routes(Chat(assistant, quota, strict=settings.strict)))
    app.include_router(rest_routes(assistant, quota))
    app.router.routes.append(mcp.route(caller))
    _add_health(app, assistant, metrics, access)
    _add_errors(app)
    app.add_middleware(
        Guard, access=access, max_request_mb=settings.max_request_mb, max_upload_mb=settings.max_file_mb,
        count=metrics.request,
    )  # fmt: skip
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=list(settings.cors_origins), allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Mcp-Session-Id", "Mcp-Protocol-Version"],
        )  # fmt: skip
    return app


def _add_health(app: FastAPI, assistant: Assistant, metrics: Metrics, access: Access) -> None:
    @app.get("/healthz", include_in_schema=False)
    async def alive() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz", include_in_schema=False)
    async def ready() -> Response:
        """The stores answer. A model that is away is told and is no reason to send nobody here: the page says it better."""
        stores = await run_in_threadpool(assistant.stores_answer)
        model = await run_in_threadpool(lambda: assistant.model_status().reachable)
        body = {"status": "ready" if stores else "not ready", "stores": stores, "model": model}
        return JSONResponse(body, 200 if stores else 503)

    @app.get("/metrics", include_in_schema=False)
    async def prometheus(request: Request) -> Response:
        """Metrics for Prometheus; with a key where the API wants one."""
        access.principal(request)
        return Response(metrics.text(), media_type=MEDIA_TYPE)


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(ConsiliumError)
    async def ours(request: Request, error: ConsiliumError) -> Response:
        return errors.reply_to(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return errors.reply(400, errors.validation_body(error.errors()))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        if not is_api(request.url.path):
            return Response(str(error.detail), error.status_code, dict(error.headers or {}))
        kind = "not_found_error" if error.status_code == 404 else "invalid_request_error"
        body = ErrorBody(message=f"{request.method} {request.url.path}: {error.detail}.", type=kind)
        return JSONResponse({"error": body.model_dump()}, error.status_code, dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def fault(request: Request, error: Exception) -> Response:
        body = ErrorBody(message="The request failed because of a fault in the program; see the log.", type="server_error")
        return errors.reply(500, body)
