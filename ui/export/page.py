"""A conversation as one HTML file that needs nothing else: no script, no request, prints on A4."""

from __future__ import annotations

import base64
import re
from html import escape
from pathlib import Path

from core.types import Table
from ui.export.content import Answered, Content, Figure, Reference, Said
from ui.languages import is_rtl

_STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_MARKER = re.compile(r"\[(\d+)\]")


def page(content: Content) -> str:
    """The document. Citations link to their references, pictures are in the file."""
    code = content.words.language
    direction = "rtl" if is_rtl(code) else "ltr"
    attached = "".join(f"<li>{escape(line)}</li>" for line in content.attached)
    files = f"<h3>{escape(content.words('Files'))}</h3><ul>{attached}</ul>" if attached else ""
    turns = "".join(_turn(turn, place, content) for place, turn in enumerate(content.turns, start=1))
    return (
        f'<!doctype html><html lang="{code}" dir="{direction}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(content.title)}</title>'
        f"<style>{_STYLE}</style></head>"
        f'<body><h1>{escape(content.title)}</h1><p class="safety">{escape(content.safety)}</p>{files}{turns}'
        f'<p class="quiet">{escape(content.words("Exported"))} {content.exported:%Y-%m-%d %H:%M} UTC</p></body></html>\n'
    )


def _turn(turn: Answered, place: int, content: Content) -> str:
    say = content.words
    known = {item.number for item in turn.references}
    sentences = " ".join(_sentence(said, place, known) for said in turn.sentences)
    limits = "".join(f"<li>{escape(line)}</li>" for line in turn.limits)
    references = "".join(_reference(item, place) for item in turn.references)
    tail = "; ".join(part for part in (*turn.steps, turn.made) if part)
    return "".join(
        (
            f"<section><h2>{escape(turn.question)}</h2>",
            f"<p>{sentences}</p>" if sentences else "",
            f"<p><em>{escape(turn.note)}</em></p>" if turn.note else "",
            "".join(_table(table) for table in turn.tables),
            "".join(_figure(figure) for figure in turn.figures),
            f"<h3>{escape(say('Limits'))}</h3><ul>{limits}</ul>" if limits else "",
            f'<h3>{escape(say("References"))}</h3><ol class="references">{references}</ol>' if references else "",
            f"<p>{escape(say('Feedback'))}: {escape(turn.feedback)}</p>" if turn.feedback else "",
            f'<p class="quiet">{turn.asked:%Y-%m-%d %H:%M}; {escape(tail)}</p></section>',
        )
    )


def _sentence(said: Said, place: int, known: set[str]) -> str:
    def link(number: str) -> str:
        return f'<a href="#r{place}-{number}">[{number}]</a>' if number in known else f"[{number}]"

    body = _MARKER.sub(lambda found: link(found[1]), escape(said.text))
    body += "".join(f" {link(escape(number))}" for number in said.cites)
    if not said.mark:
        return body
    why = f" ({escape(said.why)})" if said.why else ""
    return f'<span class="doubt">{body} <span class="mark">⚠ {escape(said.mark)}{why}</span></span>'


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.columns)
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row.cells) + "</tr>" for row in table.rows)
    return f"<table><caption>{escape(table.title)}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _figure(figure: Figure) -> str:
    data = base64.b64encode(figure.png).decode("ascii")
    caption = escape(figure.caption)
    picture = f'<img src="data:{figure.media_type};base64,{data}" alt="{caption}">'
    return f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"


def _reference(item: Reference, place: int) -> str:
    quote = f" <q>{escape(item.quote)}</q>" if item.quote else ""
    source = f' <span class="quiet">{escape(item.source)}</span>' if item.source else ""
    number = escape(item.number)
    return f'<li id="r{place}-{number}">[{number}] {escape(item.told)}{quote}{source}</li>'
