"""The tools beneath an answer, as HTML. Pure."""

from __future__ import annotations

from html import escape

from core.types import Turn


def turn_tools_html(turn: Turn, opinion: str = "") -> str:
    """The tools of one answer: edit, branch, export, and what one thinks of it."""
    name = escape(turn.id, quote=True)
    buttons = [("edit", "Edit and resend", ""), ("branch", "Branch from here", ""), ("export", "Export", "")]
    if turn.answer is not None:
        buttons += [("helpful", "Helpful", "helpful"), ("unhelpful", "Not helpful", "not_helpful")]
    made = "".join(
        f'<button type="button" data-tool="{tool}" data-turn="{name}"'
        f"{f' aria-pressed={str(opinion == stands).lower()}' if stands else ''}>{label}</button>"
        for tool, label, stands in buttons
    )
    return f'<div class="tools" role="group" aria-label="This answer">{made}</div>'
