"""Collections, their entries, search results and opened documents as HTML. Pure; what comes from sources stays text."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from agent.library import Added, Collection, Entry, Listing, Opened
from core.ports import NeighbourOutcome, SearchOutcome
from ui.panel import flowing, passage_card
from ui.render import text

PAGE = 25


def _tell(**action: object) -> str:
    return f"data-library='{text(json.dumps(action))}'"


def collections_html(found: Sequence[Collection], current: str) -> str:
    """The list, the open one marked."""
    if not found:
        return '<p class="quiet">No collections yet. The starter collection is made with the first question or search.</p>'
    return '<ul class="collections">' + "".join(_collection_html(item, current) for item in found) + "</ul>"


def _collection_html(item: Collection, current: str) -> str:
    here = ' aria-current="true"' if f"{item.kind}:{item.name}" == current else ""
    unit = "documents" if item.kind == "literature" else "images"
    passages = f" · {item.passages} <span>passages</span>" if item.passages else ""
    told = f"{item.entries} <span>{unit}</span>{passages} · {_size(item.megabytes)}"
    marks = '<span class="flag">ships with Consilium</span>' if not item.own else ""
    marks += '<span class="flag">searched by default</span>' if item.always and item.kind == "literature" else ""
    fault = f'<span class="warn">{text(item.fault)}</span>' if item.fault else ""
    return (
        f'<li><button type="button" {_tell(kind="open", name=item.name, of=item.kind)}{here}>'
        f'<span class="name" data-content>{text(item.name)}</span><span class="quiet">{told}</span>'
        f"{marks}{fault}</button></li>"
    )


def _size(megabytes: float) -> str:
    return f'<span class="figure">{megabytes:g} MB</span>' if megabytes >= 0.1 else '<span class="figure">&lt; 0.1 MB</span>'


def _picture(png: bytes) -> str:
    """A thumbnail as an address that needs no request."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def about_html(item: Collection) -> str:
    """The open collection: what it is made with, when, and its removal."""
    when = f"{item.updated:%Y-%m-%d %H:%M} UTC" if item.updated else ""
    remove = (
        f'<button type="button" class="danger" {_tell(kind="remove", name=item.name, of=item.kind)} '
        'data-confirm="Remove this collection and all that is in it?">Remove collection</button>'
        if item.own
        else ""
    )
    return (
        f'<div class="about"><h2 data-content>{text(item.name)}</h2><p class="quiet" data-content>{text(item.encoder)} · '
        f'{text(when)}</p><div class="tools">{remove}</div></div>'
    )


def listing_html(item: Collection, listing: Listing, start: int) -> str:
    """A page of entries, with the way to the next and the one before."""
    if not listing.total:
        return '<p class="quiet">Nothing here yet. Drop files above.</p>'
    body = "".join((_document_row if item.kind == "literature" else _film)(item, entry) for entry in listing.entries)
    frame = f'<ul class="entries">{body}</ul>' if item.kind == "literature" else f'<ul class="films">{body}</ul>'
    last = min(start + PAGE, listing.total)
    before = f'<button type="button" {_tell(kind="page", start=max(start - PAGE, 0))}>Previous</button>' if start else ""
    after = f'<button type="button" {_tell(kind="page", start=start + PAGE)}>Next</button>' if last < listing.total else ""
    range_told = f'<span class="figure">{start + 1}–{last} / {listing.total}</span>'
    return f'{frame}<div class="tools pager">{range_told}{before}{after}</div>'


def _flags(entry: Entry) -> str:
    return "".join(f'<span class="flag{" bad" if flag == "retracted" else ""}">{text(flag)}</span>' for flag in entry.flags)


def _remove(item: Collection, entry: Entry) -> str:
    if not item.own:
        return ""
    return (
        f'<button type="button" class="plain" {_tell(kind="remove_entry", id=entry.id)} data-confirm="Remove this entry?" '
        f'aria-label="Remove">×</button>'
    )


def _document_row(item: Collection, entry: Entry) -> str:
    facts = " · ".join(text(part) for part in (entry.venue, entry.year) if part)
    facts = f"<span data-content>{facts}</span>" + (f" · <span>{text(entry.design)}</span>" if entry.design else "")
    return (
        f'<li><button type="button" class="entry" {_tell(kind="document", id=entry.id)}><span class="name" data-content>'
        f'{text(entry.title)}</span><span class="quiet">{facts} {_flags(entry)}</span></button>{_remove(item, entry)}</li>'
    )


def _film(item: Collection, entry: Entry) -> str:
    told = " · ".join(text(part) for part in (entry.venue, entry.design) if part)
    return (
        f'<li><figure><img src="{_picture(entry.thumbnail)}" alt="{text(entry.title)}" loading="lazy">'
        f"<figcaption data-content>{text(entry.title)}<br>{told} {_flags(entry)}</figcaption></figure>"
        f"{_remove(item, entry)}</li>"
    )


def results_html(found: SearchOutcome) -> str:
    """Source cards, best first; for nothing, where was looked."""
    if not found.passages:
        nearest = (
            f" <span>Nearest:</span> <span data-content>{text(found.best_rejected)}.</span>" if found.best_rejected else ""
        )
        where = f"<span data-content>{text(found.searched)}</span>"
        return f'<p class="notice warning"><span>Nothing found.</span>{nearest} {where}</p>'
    cards = "".join(
        passage_card(passage.model_copy(update={"id": str(place)})) + _way_in(passage.corpus, passage.document_id)
        for place, passage in enumerate(found.passages, start=1)
    )
    return f'<p class="quiet" data-content>{text(found.searched)}</p><div class="results">{cards}</div>'


def _way_in(corpus: str, document: str) -> str:
    action = _tell(kind="document", name=corpus, id=document)
    return f'<div class="tools"><button type="button" {action}>Open the whole document</button></div>'


def document_html(opened: Opened) -> str:
    """The whole text, each passage apart as it is searched, under its source card's head."""
    passages = "".join(
        f'<li><span class="number">{place}</span><p data-content>{text(flowing(opened.text[start:end]))}</p></li>'
        for place, (start, end) in enumerate(opened.passages, start=1)
    )
    head = passage_card(opened.about.model_copy(update={"text": "", "span": (0, 0), "id": ""}))
    return (
        f'<div class="tools"><button type="button" {_tell(kind="back")}>Back to the list</button></div>{head}'
        f'<h3><span>Passages</span> <span class="figure">({len(opened.passages)})</span></h3>'
        f'<ol class="passages">{passages}</ol>'
    )


def added_html(done: Added) -> str:
    """What came of adding, and what was left out and why."""
    skipped = "".join(f"<li>{text(line)}</li>" for line in done.skipped)
    left = f'<ul class="problems">{skipped}</ul>' if skipped else ""
    return f'<p class="notice">Added: {done.added}, replaced: {done.replaced}, unchanged: {done.unchanged}</p>{left}'


def neighbours_html(found: NeighbourOutcome) -> str:
    """Pictures that look alike, nearest first."""
    if not found.neighbours:
        return f'<p class="notice warning"><span>Nothing found.</span> <span data-content>{text(found.searched)}</span></p>'
    films = "".join(
        f'<li><figure><img src="{_picture(item.thumbnail)}" alt="{text(item.key)}"><figcaption data-content>'
        f'{text(item.label or item.key)} <span class="figure">{item.similarity:.3f}</span></figcaption></figure></li>'
        for item in found.neighbours
    )
    return f'<p class="quiet" data-content>{text(found.searched)}</p><ul class="films">{films}</ul>'
