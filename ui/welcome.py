"""The first screen: what this is, three questions that work offline, what leaves this machine, and what it is not."""

from __future__ import annotations

from urllib.parse import urlsplit

from core.settings import LOOPBACK_HOSTS
from ui.render import text

_SAMPLES = (
    ("Which vertebrae are fractured and how badly?", "on a sample chest CT", True),
    ("Any fractures in the patient's history, and what medicines is she on?", "on a synthetic patient's record", True),
    ("What does the literature say about grading vertebral fractures?", "in the library that comes along", False),
)
READY = (
    '<div class="welcome"><h2>Ready for your question</h2><p>Each sentence of the answer can be clicked: '
    "the panel shows the passage, the slice, the entry or the step that it stands on.</p></div>"
)


def welcome_html(endpoint: str | None) -> str:
    """The first screen. `endpoint` is where the model is: empty for the one in this process, None when not yet known."""
    buttons = "".join(_button(question, where, sample) for question, where, sample in _SAMPLES)
    return (
        '<div class="welcome"><h2>Ask about a scan, a record or the literature</h2>'
        "<p>Every sentence of an answer can be clicked and shows exactly what it stands on: the marked passage, the slice "
        "with its overlay, the entry of the record. What stands on nothing says so.</p>"
        f'<h3>Try one of these</h3><ul class="tries">{buttons}</ul>'
        f'<dl class="notes">{_leaves(endpoint)}<div><dt>What it is not</dt><dd>Not a medical device. '
        "It never gives a dose or a diagnosis of its own, and a clinician decides.</dd></div></dl></div>"
    )


def _button(question: str, where: str, sample: bool) -> str:
    name = "data-sample" if sample else "data-ask"
    return (
        f'<li><button type="button" class="try" {name}="{text(question)}"><span>{text(question)}</span>'
        f'<span class="quiet">{text(where)}</span></button></li>'
    )


def _leaves(endpoint: str | None) -> str:
    if endpoint is None:
        return ""
    host = urlsplit(endpoint).hostname if endpoint else ""
    if not endpoint or host in LOOPBACK_HOSTS:
        words = "Nothing. Files, questions and answers stay here, and the page loads nothing from elsewhere."
    else:
        words = (
            f"Your questions and what the tools found go to the model at {host}, after names, dates and numbers that "
            "identify the patient were replaced. Files stay here."
        )
    return f"<div><dt>What leaves this machine</dt><dd>{text(words)}</dd></div>"
