"""The one address from which an export is fetched."""

from __future__ import annotations

from collections.abc import Callable

from fastapi.responses import FileResponse, PlainTextResponse, Response
from starlette.background import BackgroundTask

from ui.export.tickets import Tickets


def fetching(tickets: Tickets) -> Callable[[str], Response]:
    """A handler of `/export/{ticket}`: the file, once, as a download that no cache keeps."""

    def fetch(ticket: str) -> Response:
        found = tickets.take(ticket)
        if found is None:
            return PlainTextResponse("This export was fetched already or is too old. Export again.", status_code=404)
        return FileResponse(
            found.path,
            filename=found.name,
            media_type=found.media_type,
            headers={"cache-control": "no-store", "x-content-type-options": "nosniff"},
            background=BackgroundTask(found.path.unlink, missing_ok=True),
        )

    return fetch
