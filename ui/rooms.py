"""The way between the pages, and the tools of the open conversation, as HTML."""

from __future__ import annotations

from typing import Literal

Room = Literal["chat", "library", "settings"]
_ROOMS: tuple[tuple[Room, str, str], ...] = (
    ("chat", "./", "Chat"),
    ("library", "library", "Library"),
    ("settings", "settings", "Settings"),
)
TOOLS = (
    '<div class="tools" role="group" aria-label="This conversation">'
    '<button type="button" data-tool="rename">Rename</button>'
    '<button type="button" data-tool="export">Export</button></div>'
)


def rooms_html(here: Room) -> str:
    """Links to the pages; the open one is marked."""
    links = "".join(
        f'<a href="{address}"{" aria-current=page" if room == here else ""}>{name}</a>' for room, address, name in _ROOMS
    )
    return f'<nav class="rooms" aria-label="Pages">{links}</nav>'
