"""The page: layout joined to behaviour, and its launch on this machine alone unless settings say otherwise."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read by Gradio when it is imported

import gradio as gr
from fastapi import FastAPI
from gradio.events import Dependency
from starlette.middleware import Middleware

from agent.assistant import Assistant
from core.audit import AuditLog
from core.keyfile import kept_key
from core.settings import Settings
from ui import languages
from ui.access import Login
from ui.conversations import Desk, DeskParts, lay_out_desk
from ui.early import Early
from ui.export.fetching import fetching
from ui.export.tickets import Tickets
from ui.handlers import Handlers
from ui.jobs import Jobs
from ui.layout import Parts, lay_out
from ui.library_page import join_library
from ui.seam import PageAssistant
from ui.security import Guard
from ui.settings_page import join_settings
from ui.viewer.keys import Keys
from ui.viewer.routes import viewer_app

_HERE = Path(__file__).parent
_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "monospace")
_HOUR = 3600
_LOOK_FOR_WORK_S = 0.01
_HANDLERS = 64  # questions wait for each other in the agent's own queue, which is fair between users
_GRACE_S = 5
_KEEP_S = 75  # longer than programs keep an idle connection: one closed as it is used again would lose a question
_HEADER_BYTES = 64 * 1024


def build_app(
    assistant: PageAssistant, settings: Settings, keys: Keys, jobs: Jobs, tickets: Tickets | None = None
) -> gr.Blocks:
    """The page over an assistant. Uploads that were left behind are removed after a day; exports go through `tickets`."""
    with gr.Blocks(title="Consilium", fill_width=True, analytics_enabled=False, delete_cache=(_HOUR, 24 * _HOUR)) as app:
        parts = lay_out()
        mine = lay_out_desk(parts.scope)
        on = Handlers(assistant, parts, keys, jobs)
        _join(app, parts, on)
        _join_desk(parts, mine, on, Desk(assistant, parts, mine, on, tickets or Tickets(settings.home / "exports")))
    if assistant.library is not None:
        join_library(app, assistant.library)
    join_settings(app, assistant)
    app.queue(api_open=False, default_concurrency_limit=_HANDLERS, max_size=4 * _HANDLERS)
    # Gradio looks for work a thousand times a second, which costs a service that is not the page's a tenth of a core.
    app._queue.sleep_when_free = _LOOK_FOR_WORK_S
    app._queue.progress_update_sleep_when_free = _LOOK_FOR_WORK_S
    built: gr.Blocks = app
    return built


def _join(app: gr.Blocks, parts: Parts, on: Handlers) -> None:
    """Which handler answers what."""
    everything = parts.outputs()
    who = [parts.token, parts.current]

    def wire(
        trigger: Callable[..., Dependency],
        handler: Callable[..., object],
        inputs: Sequence[object],
        mode: str | None = None,
    ) -> Dependency:
        return trigger(handler, inputs, everything, show_progress="hidden", trigger_mode=mode, api_visibility="private")

    def followed(opened: Dependency) -> None:
        """When a conversation was opened: take up what is being answered in it."""
        opened.then(on.follow, [*who, parts.questions], everything, show_progress="hidden", api_visibility="private")

    followed(wire(app.load, on.load, [parts.token]))
    wire(parts.new.click, on.new, [parts.token])
    wire(parts.delete.click, on.ask_delete, [])
    wire(parts.keep.click, on.keep, [])
    wire(parts.really.click, on.delete, who)
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    wire(parts.sample.click, on.expect_files, who).then(on.sample, who, everything, **quiet)
    for box in (parts.files, parts.folder):
        wire(box.upload, on.expect_files, who).then(on.attach, [*who, box], everything, **quiet)
    wire(parts.stop.click, on.stop, who)
    asked = [parts.question, *who, parts.questions]
    wire(parts.question.submit, on.ask, asked, mode="multiple")
    wire(parts.send.click, on.ask, asked, mode="multiple")
    followed(wire(parts.action.change, on.act, [parts.action, *who], mode="multiple"))


def _join_desk(parts: Parts, mine: DeskParts, page: Handlers, desk: Desk) -> None:
    """The conversation tools. A question that was edited is asked as soon as its branch is open."""
    everything = [*parts.outputs(), mine.pending, mine.download]
    who = [parts.token, parts.current]
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    parts.current.change(desk.show_scope, who, mine.scope.all(), **quiet)
    for control in mine.scope.all():
        control.input(
            desk.limit, [*who, *mine.scope.all()], [parts.current, parts.note], trigger_mode="always_last", **quiet
        )
    parts.find.change(desk.find, [parts.find, *who], [parts.conversations], trigger_mode="always_last", **quiet)
    mine.action.change(desk.act, [mine.action, *who], everything, trigger_mode="multiple", **quiet).then(
        page.ask, [mine.pending, *who, parts.questions], parts.outputs(), **quiet
    )


def _noted(settings: Settings) -> Callable[[str], None]:
    log = AuditLog(settings.home)
    return lambda result: log.write("login", result=result)


def launch(assistant: Assistant, settings: Settings) -> None:
    """Serve the page, the API and MCP until interrupted."""
    import uvicorn

    from ui.service.app import build_service

    app = build_service(assistant, settings)
    mount_page(app, assistant, settings)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=_KEEP_S,
        ssl_certfile=settings.tls_certificate or None,
        ssl_keyfile=settings.tls_key or None,
        h11_max_incomplete_event_size=_HEADER_BYTES,
    )


def mount_page(app: FastAPI, assistant: PageAssistant, settings: Settings) -> None:
    """Put the page under a service; its paths are all that the service has not taken."""
    tickets = Tickets(settings.home / "exports")
    app.get("/export/{ticket}", include_in_schema=False)(fetching(tickets))
    keys, jobs = Keys(kept_key(settings.home / "session.key")), Jobs()
    app.mount("/desk", viewer_app(assistant, keys, jobs))
    user, _, password = settings.login.get_secret_value().partition(":")
    # Gradio warns that pages are not rendered on the server, which we did not ask for.
    warnings.filterwarnings("ignore", message="SSR mode is not supported with multi-page apps")
    gr.mount_gradio_app(
        app,
        build_app(assistant, settings, keys, jobs, tickets),
        path="/",
        server_name=settings.host,
        server_port=settings.port,
        auth=Login(user, password, audit=_noted(settings)) if user else None,
        app_kwargs={"middleware": [Middleware(Guard), Middleware(Early, script=languages.script(), shell=_shell())]},
        max_file_size=f"{settings.max_file_mb}mb",
        css_paths=[_HERE / "style.css", _HERE / "desk.css"],
        head=_head(),
        theme=gr.themes.Base(primary_hue="teal", neutral_hue="slate", font=list(_FONTS), font_mono=list(_MONO)),
        show_error=False,
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
    )


def _shell() -> str:
    """What is seen before Gradio has drawn: the name, the safety note, and that it is opening."""
    return (_HERE / "shell.html").read_text(encoding="utf-8")


def _head() -> str:
    """The page's own scripts, and the viewer's as modules that the browser keeps."""
    own = [(_HERE / name).read_text(encoding="utf-8") for name in ("page.js", "desk.js", "timeline.js")]
    inline = "".join(f"<script>{code}</script>" for code in own)
    style = '<link rel="stylesheet" href="/desk/static/viewer.css">'
    return f'{inline}{style}<script type="module" src="/desk/static/desk.js"></script>'
