"""Readers: files of researchers' own papers to `Document`s. What cannot be read is reported, never dropped silently."""

from __future__ import annotations

from retrieval.readers.files import read_paths
from retrieval.readers.jsonl import read_jsonl
from retrieval.readers.skipped import Skipped

__all__ = ["Skipped", "read_jsonl", "read_paths"]
