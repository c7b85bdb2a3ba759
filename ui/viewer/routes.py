"""What the page's script fetches: evidence, voxels, slices, figures. Every address carries a key (`keys.py`)."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.middleware import Middleware

from core.errors import ConsiliumError, InputError, UnknownConversation, UnknownHandle
from core.ports import ArtifactStore
from core.types import Evidence, Passage, Plane, Turn
from ui.jobs import Jobs
from ui.seam import PageAssistant
from ui.security import Guard
from ui.viewer.evidence import TurnEvidence, evidence_of
from ui.viewer.keys import Grant, Keys, Refused, session_in
from ui.viewer.pages import QuotedPage, page_number, page_picture, quoted_page
from ui.viewer.pictures import PICTURE_TYPES, Scene, is_volume, scene_of

_KEPT = "private, max-age=3600, immutable"
"""Artifacts never change under their handle, so a browser may keep them as long as the key holds."""
_MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css"}
_GONE = (UnknownConversation, UnknownHandle)


class JobRow(BaseModel):
    """A question that is being answered, or was lately."""

    conversation: str
    question: str
    running: bool
    failed: bool


def viewer_app(assistant: PageAssistant, keys: Keys, jobs: Jobs) -> FastAPI:
    """What is mounted at `/desk`. Handlers are plain functions, so they run in threads."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, middleware=[Middleware(Guard)])

    def granted(key: str, request: Request) -> Grant:
        return keys.open(key, session_in(request.cookies))

    @app.exception_handler(ConsiliumError)
    async def refused(request: Request, error: ConsiliumError) -> Response:
        status = 403 if isinstance(error, Refused) else 404 if isinstance(error, _GONE) else 400
        return JSONResponse({"error": str(error)}, status, {"cache-control": "no-store"})

    app.state.granted = granted
    _add_static(app)
    _add_evidence(app, assistant, jobs)
    _add_images(app, assistant)
    return app


def _granted(key: str, request: Request) -> Grant:
    grant: Grant = request.app.state.granted(key, request)
    return grant


Granted = Annotated[Grant, Depends(_granted)]


def _add_static(app: FastAPI) -> None:
    folder = files("ui.viewer").joinpath("static")
    known = {item.name: item for item in folder.iterdir() if item.name.endswith(tuple(_MEDIA_TYPES))}

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        """Our own scripts and styles; the browser asks whether they changed."""
        if name not in known:
            return JSONResponse({"error": "There is no such file."}, 404)
        kind = _MEDIA_TYPES["." + name.rsplit(".", 1)[1]]
        return Response(known[name].read_bytes(), media_type=kind, headers={"cache-control": "no-cache"})


def _add_evidence(app: FastAPI, assistant: PageAssistant, jobs: Jobs) -> None:
    @app.get("/{key}/evidence/{turn}")
    def evidence(turn: str, grant: Granted) -> TurnEvidence:
        """All that a turn stands on."""
        found = _turn(assistant, grant, turn)
        return evidence_of(
            found, frozenset(item.id for item in found.evidence if _original(assistant, grant, item) is not None)
        )

    @app.get("/{key}/page/{turn}/{item}/boxes")
    def boxes(turn: str, item: str, grant: Granted) -> QuotedPage:
        """The page of a PDF that a passage comes from, and where its quote stands on it."""
        path, passage = _paged(assistant, grant, turn, item)
        return quoted_page(path, passage)

    @app.get("/{key}/page/{turn}/{item}/picture")
    def picture(turn: str, item: str, grant: Granted) -> Response:
        """That page as PNG."""
        path, passage = _paged(assistant, grant, turn, item)
        return Response(page_picture(path, passage), media_type="image/png", headers={"cache-control": _KEPT})

    @app.get("/{key}/jobs")
    def running(grant: Granted) -> list[JobRow]:
        """The owner's questions in this process, so that a page that shows something else can say that one is done."""
        return [
            JobRow(conversation=job.conversation, question=job.live.question, running=not job.done, failed=bool(job.failure))
            for job in jobs.all_of(grant.owner)
        ]


def _add_images(app: FastAPI, assistant: PageAssistant) -> None:
    def store_of(grant: Grant) -> ArtifactStore:
        return assistant.store(grant.owner, grant.conversation)

    @app.get("/{key}/scene")
    def scene(grant: Granted) -> Scene:
        """Which images there are."""
        return scene_of(store_of(grant))

    @app.get("/{key}/voxels/{handle}")
    def voxels(handle: str, grant: Granted) -> FileResponse:
        """A volume or mask as it is kept: an uncompressed NIfTI file in RAS order."""
        store = store_of(grant)
        if not is_volume(store.get(handle)):
            raise InputError(f"{handle} is no volume.")
        return FileResponse(store.path(handle), media_type="application/octet-stream", headers={"cache-control": _KEPT})

    @app.get("/{key}/file/{handle}")
    def file(handle: str, grant: Granted) -> FileResponse:
        """A picture: a figure of an answer or an attached image."""
        store = store_of(grant)
        artifact = store.get(handle)
        if artifact.media_type not in PICTURE_TYPES:
            raise InputError(f"{handle} is no picture.")
        return FileResponse(store.path(handle), media_type=artifact.media_type, headers={"cache-control": _KEPT})

    @app.get("/{key}/slice/{handle}")
    def slice_png(
        handle: str,
        grant: Granted,
        plane: Plane = "sagittal",
        index: int = 0,
        window: Annotated[str, Field(pattern="^(bone|soft|lung|brain|full)$")] = "full",
        overlay: str | None = None,
        opacity: Annotated[float, Field(ge=0, le=1)] = 0.4,
    ) -> Response:
        """A slice drawn here, for a browser that has not the voxels (yet)."""
        owner, conversation = grant.owner, grant.conversation
        count = max(assistant.slice_count(owner, conversation, handle, plane), 1)
        place = min(max(index, 0), count - 1)
        picture = assistant.draw_slice(owner, conversation, handle, plane, place, window, overlay or None, opacity)
        return Response(picture, media_type="image/png", headers={"cache-control": _KEPT})


def _original(assistant: PageAssistant, grant: Grant, item: Evidence) -> Path | None:
    """The PDF of a passage whose page is known."""
    if not isinstance(item, Passage) or page_number(item) is None:
        return None
    return assistant.original(grant.owner, grant.conversation, item)


def _paged(assistant: PageAssistant, grant: Grant, turn: str, name: str) -> tuple[Path, Passage]:
    for item in _turn(assistant, grant, turn).evidence:
        path = _original(assistant, grant, item) if item.id == name else None
        if path is not None and isinstance(item, Passage):
            return path, item
    raise UnknownHandle(name, ())


def _turn(assistant: PageAssistant, grant: Grant, name: str) -> Turn:
    for turn in assistant.turns(grant.owner, grant.conversation):
        if turn.id == name:
            return turn
    raise UnknownConversation("That turn is not in this conversation any more.")
