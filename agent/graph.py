"""The agent's graph: LangChain's `create_agent` with our middleware and checkpointer."""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langgraph.checkpoint.base import BaseCheckpointSaver

from agent.adapters import as_langchain_tools
from agent.ledger import TurnRun
from agent.middleware import Consult
from agent.served import Served
from tools.registry import Registry


def build_graph(
    model: BaseChatModel, registry: Registry, saver: BaseCheckpointSaver[Any], served: Served | None = None
) -> Any:
    """Compile once per model; a turn is one `stream` with a `TurnRun` as context."""
    return create_agent(
        model,
        as_langchain_tools(registry),
        middleware=[Consult(served)],
        context_schema=TurnRun,
        checkpointer=saver,
    )
