"""A pydantic model from a JSON Schema that another program gives: enough to call the tool and to check the call."""

from __future__ import annotations

import re
from typing import Any, Literal

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import BaseModel, ConfigDict, Field, create_model

from core.errors import CallError, InputError

_TYPES: dict[str, Any] = {
    "string": str, "integer": int, "number": float, "boolean": bool, "array": list[Any], "object": dict[str, Any],
}  # fmt: skip
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_LONGEST = 400


class RemoteParams(BaseModel):
    """Parent of the parameters of every remote tool."""

    model_config = ConfigDict(extra="forbid")


def params_of(name: str, schema: dict[str, Any]) -> type[BaseModel]:
    """The model of a tool's parameters.

    Raises:
        InputError: the schema is none, or has parameters whose names a model cannot type.
    """
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise InputError(f"{name}: its parameters are no JSON Schema: {error.message[:200]}.") from error
    properties = schema.get("properties", {})
    bad = [key for key in properties if not _NAME.fullmatch(key) or key.startswith("model_")]
    if schema.get("type", "object") != "object" or bad:
        raise InputError(f"{name}: parameters must be an object of plain names, got {', '.join(bad) or schema.get('type')}.")
    required = set(schema.get("required", ()))
    fields: dict[str, Any] = {key: _field(key, value, key in required) for key, value in properties.items()}
    model: type[BaseModel] = create_model(name, __base__=RemoteParams, **fields)
    return model


def check(name: str, schema: dict[str, Any], arguments: dict[str, Any]) -> None:
    """Hold arguments against the schema as it was given. Raises `CallError` with the first fault."""
    fault = next(Draft202012Validator(schema).iter_errors(arguments), None)
    if fault is not None:
        place = ".".join(str(part) for part in fault.path) or "arguments"
        raise CallError(f"{name}: {place}: {fault.message[:200]}.")


def _field(key: str, schema: Any, required: bool) -> tuple[Any, Any]:
    schema = schema if isinstance(schema, dict) else {}
    kind = schema.get("type")
    choices = schema.get("enum")
    simple = isinstance(choices, list) and choices and all(isinstance(item, str) for item in choices)
    annotation: Any = (
        Literal[tuple(choices)] if simple and choices else _TYPES.get(kind if isinstance(kind, str) else "", Any)
    )
    description = str(schema.get("description") or schema.get("title") or key)[:_LONGEST]
    if required:
        return annotation, Field(description=description)
    return annotation | None, Field(default=None, description=description)
