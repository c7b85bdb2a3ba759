"""A chat model that can be used now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from langchain_core.language_models import BaseChatModel

from agent.models.preflight import Check
from agent.served import Served


@dataclass(frozen=True)
class ReadyModel:
    """A chat model, what is known of it, and whether patient data stays on this machine with it."""

    chat: BaseChatModel
    name: str
    endpoint: str = ""
    keeps_data_here: bool = True
    abilities: str = ""
    served: Served | None = None
    table: tuple[Check, ...] = ()


Connect = Callable[[], ReadyModel]
"""Gives the model; raises `EndpointError` while it is away."""
