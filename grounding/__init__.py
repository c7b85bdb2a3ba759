"""Checks each sentence of an answer against the evidence it cites. Pure; knows nothing of models."""

from grounding.check import check_answer

__all__ = ["check_answer"]
