"""Errors as HTTP: a status, headers, and the error object of the OpenAI protocol, which all of our API speaks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel

from core.errors import ConsiliumError, EndpointError, InputError, TooBusy, TooLarge, UnknownConversation, UnknownHandle
from core.types import ErrorKind
from ui.service.access import Forbidden, NoAccess


class ErrorBody(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorReply(BaseModel):
    """The body of every reply that is an error."""

    error: ErrorBody


class BadRequest(InputError):  # noqa: N818
    """A request that cannot be answered as it is. `param` names the field."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.param = param
        self.code = code
        self.status = status


# From the most special to the most general: the first that fits counts.
_STATUSES: tuple[tuple[type[ConsiliumError], int, str, str], ...] = (
    (NoAccess, 401, "authentication_error", "invalid_api_key"),
    (Forbidden, 403, "permission_error", "forbidden"),
    (UnknownConversation, 404, "not_found_error", "conversation_not_found"),
    (UnknownHandle, 404, "not_found_error", "artifact_not_found"),
    (TooLarge, 413, "invalid_request_error", "too_large"),
    (InputError, 400, "invalid_request_error", "invalid_value"),
    (TooBusy, 429, "rate_limit_error", "too_many_requests"),
    (EndpointError, 502, "upstream_error", "model_endpoint"),
    (ConsiliumError, 500, "server_error", "fault"),
)
_TURN_ERRORS: dict[ErrorKind, tuple[int, str, str]] = {
    "endpoint": (502, "upstream_error", "model_endpoint"),
    "input": (400, "invalid_request_error", "invalid_value"),
    "stopped": (499, "cancelled", "stopped"),
    "interrupted": (500, "server_error", "interrupted"),
    "busy": (429, "rate_limit_error", "too_many_requests"),
}


def described(error: ConsiliumError) -> tuple[int, ErrorBody]:
    """Status and body of an error of ours."""
    if isinstance(error, BadRequest):
        body = ErrorBody(message=str(error), type="invalid_request_error", param=error.param, code=error.code)
        return error.status, body
    status, kind, code = next(row[1:] for row in _STATUSES if isinstance(error, row[0]))
    return status, ErrorBody(message=str(error), type=kind, code=code)


def of_turn(text: str, kind: ErrorKind) -> tuple[int, ErrorBody]:
    """Status and body of a turn that ended without an answer."""
    status, name, code = _TURN_ERRORS.get(kind, (500, "server_error", "fault"))
    return status, ErrorBody(message=text, type=name, code=code)


def reply(status: int, body: ErrorBody, retry_after_s: float | None = None) -> JSONResponse:
    """The HTTP reply."""
    headers = {"Retry-After": str(math.ceil(retry_after_s))} if retry_after_s is not None else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": body.model_dump()}, status, headers)


def reply_to(error: ConsiliumError) -> JSONResponse:
    """The HTTP reply to an error of ours."""
    return reply(*described(error), retry_after_s=error.retry_after_s if isinstance(error, TooBusy) else None)


def validation_body(errors: Sequence[Any]) -> ErrorBody:
    """The first fault of a request that does not fit its model, with the place of it; what was sent is not repeated."""
    first = errors[0]
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    if first["type"] == "json_invalid":
        return ErrorBody(message=f"The body is not valid JSON: {first['ctx']['error']}.", type="invalid_request_error")
    more = f" ({len(errors) - 1} more faults)" if len(errors) > 1 else ""
    return ErrorBody(
        message=f"{place or 'body'}: {first['msg']}{more}", type="invalid_request_error", param=place or None,
        code=first["type"],
    )  # fmt: skip
