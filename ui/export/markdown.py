"""A conversation as Markdown (CommonMark with GitHub's tables). Words from outside stay words: markup in them is escaped."""

from __future__ import annotations

import base64
import re

from core.types import Table
from ui.export.content import Answered, Content, Figure, Reference, Said

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~$])")
_LINE_START = re.compile(r"^(\s*)([-=>]|\d+(?=[.)]))", re.MULTILINE)


def plain(value: str) -> str:
    """Text in which no character means anything to a Markdown reader."""
    return _LINE_START.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", " ".join(value.split())))


def markdown(content: Content) -> str:
    """The document, pictures embedded."""
    parts = [f"# {plain(content.title)}", f"> {plain(content.safety)}"]
    if content.attached:
        parts.append(f"{content.words('Files')}:\n\n" + "\n".join(f"- {plain(line)}" for line in content.attached))
    parts += [_turn(turn, content) for turn in content.turns]
    parts.append(f"{content.words('Exported')} {content.exported:%Y-%m-%d %H:%M} UTC")
    return "\n\n".join(parts) + "\n"


def _turn(turn: Answered, content: Content) -> str:
    say = content.words
    parts = [f"## {plain(turn.question)}"]
    if turn.sentences:
        parts.append(" ".join(_sentence(said) for said in turn.sentences))
    if turn.note:
        parts.append(f"*{plain(turn.note)}*")
    parts += [_table(table) for table in turn.tables]
    parts += [_figure(figure) for figure in turn.figures]
    if turn.limits:
        parts.append(f"### {say('Limits')}\n\n" + "\n".join(f"- {plain(line)}" for line in turn.limits))
    if turn.references:
        parts.append(f"### {say('References')}\n\n" + "\n".join(_reference(item) for item in turn.references))
    if turn.feedback:
        parts.append(f"{say('Feedback')}: {plain(turn.feedback)}")
    tail = "; ".join(part for part in (*turn.steps, turn.made) if part)
    return "\n\n".join([*parts, f"<small>{plain(tail)}</small>"] if tail else parts)


def _sentence(said: Said) -> str:
    cites = "".join(f" \\[{plain(number)}\\]" for number in said.cites)
    mark = f" **⚠ {plain(said.mark)}**{f' ({plain(said.why)})' if said.why else ''}" if said.mark else ""
    return f"{plain(said.text)}{cites}{mark}"


def _table(table: Table) -> str:
    rows = [table.columns, ("---",) * len(table.columns), *(row.cells for row in table.rows)]
    lines = [f"| {' | '.join(cell if cell == '---' else plain(cell) for cell in row)} |" for row in rows]
    return f"**{plain(table.title)}**\n\n" + "\n".join(lines)


def _figure(figure: Figure) -> str:
    data = base64.b64encode(figure.png).decode("ascii")
    return f"![{plain(figure.caption)}](data:{figure.media_type};base64,{data})\n\n*{plain(figure.caption)}*"


def _reference(item: Reference) -> str:
    quote = f" “{plain(item.quote)}”" if item.quote else ""
    return f"- \\[{plain(item.number)}\\] {plain(item.told)}{quote}{f' ({plain(item.source)})' if item.source else ''}"
