"""Where things stand on the page. No behaviour: `ui/app.py` joins these parts to the handlers."""

from __future__ import annotations

from dataclasses import dataclass, fields

import gradio as gr

from ui import render
from ui.languages import switch_html
from ui.rooms import TOOLS, rooms_html
from ui.scope import ScopeParts, lay_out_scope
from ui.welcome import welcome_html

SAFETY = (
    '<p class="safety">A research tool beside a clinician, not a medical device. '
    "It never gives a dose or a diagnosis of its own.</p>"
)


@dataclass(frozen=True)
class Parts:
    """The parts of the page that change."""

    token: gr.BrowserState
    current: gr.State
    shown: gr.HTML
    questions: gr.State
    action: gr.Textbox
    new: gr.Button
    find: gr.Textbox
    conversations: gr.HTML
    delete: gr.Button
    confirm: gr.Group
    really: gr.Button
    keep: gr.Button
    sample: gr.Button
    files: gr.File
    folder: gr.UploadButton
    problems: gr.HTML
    attached: gr.HTML
    scope: ScopeParts
    model: gr.HTML
    history: gr.HTML
    live: gr.HTML
    suggestions: gr.HTML
    note: gr.HTML
    question: gr.Textbox
    send: gr.Button
    stop: gr.Button
    risk: gr.HTML
    timeline: gr.HTML
    record: gr.HTML

    def outputs(self) -> list[gr.components.Component | gr.Group]:
        """Every part, as the outputs of a handler that changes some of them."""
        return [getattr(self, item.name) for item in fields(self) if item.name != "scope"]


def _html(value: str = "", name: str | None = None) -> gr.HTML:
    return gr.HTML(value, js_on_load=None, elem_id=name)


def _left(parts: dict[str, object]) -> None:
    with gr.Column(scale=2, min_width=230, elem_id="side"):
        gr.HTML('<h1 class="brand">Consilium</h1>' + rooms_html("chat") + SAFETY, js_on_load=None)
        parts["new"] = gr.Button("New conversation", variant="primary", size="sm", interactive=False)
        parts["find"] = gr.Textbox(
            placeholder="Search conversations",
            label="Search conversations",
            show_label=False,
            container=False,
            max_length=200,
            elem_id="find",
        )
        parts["conversations"] = _html(render.conversations_html((), ""))
        gr.HTML(TOOLS, js_on_load=None, elem_id="conversation-tools")
        parts["delete"] = gr.Button("Delete this conversation", size="sm", elem_classes="plain", interactive=False)
        with gr.Group(visible=False, elem_id="confirm") as parts["confirm"]:
            gr.HTML('<p role="alert">Delete this conversation and its files for good?</p>', js_on_load=None)
            with gr.Row():
                parts["really"] = gr.Button("Delete", variant="stop", size="sm", min_width=60)
                parts["keep"] = gr.Button("Keep", size="sm", min_width=60)
        gr.HTML("<h2>Files</h2>", js_on_load=None)
        parts["sample"] = gr.Button("Load the sample case", size="sm", interactive=False, elem_id="sample")
        parts["files"] = gr.File(
            label="Drop scans, images, records, PDFs or a zip", file_count="multiple", height=130, elem_id="drop"
        )
        parts["folder"] = gr.UploadButton("Attach a folder", file_count="directory", size="sm", interactive=False)
        parts["problems"] = _html()
        parts["attached"] = _html(render.attachments_html(()))
        with gr.Accordion("Literature search", open=False, elem_id="scope"):
            parts["scope"] = lay_out_scope(without_retracted=False)
        gr.HTML("<h2>Model</h2>", js_on_load=None)
        parts["model"] = _html()
        gr.HTML(switch_html(), js_on_load=None)


def _centre(parts: dict[str, object]) -> None:
    with gr.Column(scale=5, min_width=320, elem_id="middle"):
        with gr.Column(elem_id="chat"):
            parts["history"] = _html(welcome_html(None), "history")
            parts["live"] = _html("", "live")
            parts["suggestions"] = _html()
        parts["note"] = _html("", "note")
        with gr.Row(elem_id="ask"):
            parts["question"] = gr.Textbox(
                placeholder="Ask a question",
                label="Question",
                show_label=False,
                lines=1,
                max_lines=6,
                max_length=8000,
                scale=6,
                submit_btn=False,
                container=False,
                elem_id="question",
            )
            parts["send"] = gr.Button("Send", variant="primary", scale=1, min_width=80, elem_id="send", interactive=False)
            parts["stop"] = gr.Button("Stop", variant="stop", scale=1, min_width=80, visible=False, elem_id="stop")


def _right(parts: dict[str, object]) -> None:
    """The panel. The page's script fills what has an empty host here, from `ui/viewer/routes.py`; the rest is Gradio's."""
    with gr.Column(scale=4, min_width=320, elem_id="panel"):
        parts["shown"] = _html("", "shown")
        gr.HTML('<section id="strip" aria-label="What the sentence stands on"></section>', js_on_load=None)
        with gr.Tabs(selected="sources", elem_id="tabs"):
            for name in ("sources", "images", "record", "steps"):
                with gr.Tab(name.capitalize(), id=name, elem_id=f"tab-{name}", render_children=True):
                    if name == "record":
                        parts["risk"] = _html("", "risk")
                        parts["timeline"] = _html("", "timeline")
                        parts["record"] = _html("", "record")
                    else:
                        gr.HTML(f'<div id="{name}"></div>', js_on_load=None)


def lay_out() -> Parts:
    """Make the parts, inside an open `gr.Blocks`. What needs the browser's token waits for `Handlers.load` to give it."""
    parts: dict[str, object] = {
        # The token is the browser's secret; the server hashes it, so the encryption at rest adds nothing here.
        "token": gr.BrowserState(None, storage_key="consilium-browser", secret="consilium"),  # noqa: S106
        "current": gr.State(""),
        "questions": gr.State(()),
        "action": gr.Textbox(elem_id="action", label="Action", show_label=False, container=False, elem_classes="off"),
    }
    with gr.Row(elem_id="page"):
        _left(parts)
        _centre(parts)
        _right(parts)
    return Parts(**parts)  # type: ignore[arg-type]
