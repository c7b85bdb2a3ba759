"""The controls that limit a search of the literature: collections, years, designs, preprints and retracted sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import gradio as gr

from core.errors import InputError
from core.types import SearchScope
from grounding.quality import DESIGNS

_FIRST, _LAST = 1800, 2100


@dataclass(frozen=True)
class ScopeParts:
    """The controls, in the order in which `scope_of` takes their values."""

    corpora: gr.Dropdown
    year_from: gr.Textbox
    year_to: gr.Textbox
    designs: gr.Dropdown
    without_preprints: gr.Checkbox
    without_retracted: gr.Checkbox

    def all(self) -> list[gr.Dropdown | gr.Textbox | gr.Checkbox]:
        """As inputs of a handler."""
        return [
            self.corpora, self.year_from, self.year_to, self.designs, self.without_preprints, self.without_retracted,
        ]  # fmt: skip


def lay_out_scope(without_retracted: bool) -> ScopeParts:
    """Make the controls, inside an open layout."""
    corpora = gr.Dropdown([], multiselect=True, label="Collections (none chosen: all)", min_width=160)
    with gr.Row():
        year_from = gr.Textbox("", label="From year", max_length=4, min_width=80)
        year_to = gr.Textbox("", label="To year", max_length=4, min_width=80)
    designs = gr.Dropdown(list(DESIGNS), multiselect=True, label="Study design (none chosen: all)", min_width=160)
    with gr.Row():
        retracted = gr.Checkbox(without_retracted, label="Leave out retracted", min_width=120)
        preprints = gr.Checkbox(False, label="Leave out preprints", min_width=120)
    return ScopeParts(corpora, year_from, year_to, designs, preprints, retracted)


def scope_of(
    corpora: Sequence[str] | None,
    year_from: str | None,
    year_to: str | None,
    designs: Sequence[str] | None,
    without_preprints: bool,
    without_retracted: bool,
) -> SearchScope:
    """The values of the controls. An empty year is no limit.

    Raises:
        InputError: a year is out of reach, or the first is after the last.
    """
    years = [_year(year) for year in (year_from, year_to)]
    if years[0] is not None and years[1] is not None and years[0] > years[1]:
        raise InputError(f"The first year, {years[0]}, is after the last, {years[1]}.")
    return SearchScope(
        corpora=tuple(corpora or ()), year_from=years[0], year_to=years[1], designs=tuple(designs or ()),
        without_preprints=bool(without_preprints), without_retracted=bool(without_retracted),
    )  # fmt: skip


def _year(told: str | None) -> int | None:
    words = (told or "").strip()
    if not words:
        return None
    if not words.isdecimal() or not _FIRST <= int(words) <= _LAST:
        raise InputError(f"A year is from {_FIRST} to {_LAST}; got {words!r}.")
    return int(words)


def shown_scope(parts: ScopeParts, scope: SearchScope, collections: Sequence[str]) -> dict[object, object]:
    """The controls set to a scope."""
    return {
        parts.corpora: gr.update(choices=list(collections), value=[c for c in scope.corpora if c in collections]),
        parts.year_from: str(scope.year_from or ""),
        parts.year_to: str(scope.year_to or ""),
        parts.designs: list(scope.designs),
        parts.without_preprints: scope.without_preprints,
        parts.without_retracted: scope.without_retracted,
    }
