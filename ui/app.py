"""The page: layout joined to behaviour, and its launch on this machine alone unless settings say otherwise."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read by Gradio when it is imported

import gradio as gr
from fastapi import FastAPI
from gradio.events import Dependency
from starlette.middleware import Middleware

from agent.assistant import Assistant
from core.audit import AuditLog
from core.keyfile import kept_key
from core.settings import Settings
from ui.access import Login
from ui.handlers import Handlers
from ui.jobs import Jobs
from ui.layout import Parts, lay_out
from ui.seam import PageAssistant
from ui.security import Guard
from ui.viewer.keys import Keys
from ui.viewer.routes import viewer_app

_HERE = Path(__file__).parent
_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "monospace")
_HOUR = 3600
_HANDLERS = 64  # questions wait for each other in the agent's own queue, which is fair between users
_GRACE_S = 5
_KEEP_S = 75  # longer than programs keep an idle connection: one closed as it is used again would lose a question
_HEADER_BYTES = 64 * 1024


def build_app(assistant: PageAssistant, settings: Settings, keys: Keys, jobs: Jobs) -> gr.Blocks:
    """The page over an assistant. Uploads that were left behind are removed after a day."""
    with gr.Blocks(title="Consilium", fill_width=True, analytics_enabled=False, delete_cache=(_HOUR, 24 * _HOUR)) as app:
        parts = lay_out()
        _join(app, parts, Handlers(assistant, parts, keys, jobs))
    app.queue(api_open=False, default_concurrency_limit=_HANDLERS, max_size=4 * _HANDLERS)
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
    wire(parts.sample.click, on.sample, who)
    wire(parts.files.upload, on.attach, [*who, parts.files])
    wire(parts.folder.upload, on.attach, [*who, parts.folder])
    wire(parts.stop.click, on.stop, who)
    asked = [parts.question, *who, parts.questions]
    wire(parts.question.submit, on.ask, asked, mode="multiple")
    wire(parts.send.click, on.ask, asked, mode="multiple")
    followed(wire(parts.action.change, on.act, [parts.action, *who], mode="multiple"))


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
    keys, jobs = Keys(kept_key(settings.home / "session.key")), Jobs()
    app.mount("/desk", viewer_app(assistant, keys, jobs))
    user, _, password = settings.login.get_secret_value().partition(":")
    gr.mount_gradio_app(
        app,
        build_app(assistant, settings, keys, jobs),
        path="/",
        server_name=settings.host,
        server_port=settings.port,
        auth=Login(user, password, audit=_noted(settings)) if user else None,
        app_kwargs={"middleware": [Middleware(Guard)]},
        max_file_size=f"{settings.max_file_mb}mb",
        css_paths=_HERE / "style.css",
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


def _head() -> str:
    """The page's own script, and the viewer's as modules that the browser keeps."""
    inline = (_HERE / "page.js").read_text(encoding="utf-8")
    own = '<link rel="stylesheet" href="/desk/static/viewer.css"><script type="module" src="/desk/static/desk.js"></script>'
    return f"<script>{inline}</script>{own}"
