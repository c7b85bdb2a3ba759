"""The settings: the model and its preflight, how it answers, language, theme, login, and the doctor's list."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, get_args

import gradio as gr

from core.errors import ConsiliumError
from core.settings import Settings
from ui import render
from ui.commands.doctor import Check, machine_checks, shown_settings, tool_checks
from ui.handlers import Changes
from ui.languages import switch_html
from ui.render import notice_html, text
from ui.rooms import rooms_html
from ui.seam import PageAssistant

_THEMES = (("system", "As the system has it"), ("light", "Light"), ("dark", "Dark"))
_HERE_ONLY = (
    "These hold from the next question on, for everyone who uses this Consilium, until it is started again. "
    "To keep them, put the lines below into consilium.toml."
)


@dataclass(frozen=True)
class SettingsParts:
    """The parts of the page that change."""

    status: gr.HTML
    model: gr.Textbox
    model_name: gr.Textbox
    api_key: gr.Textbox
    planner: gr.Dropdown
    strategy: gr.Dropdown
    strict: gr.Checkbox
    apply: gr.Button
    check: gr.Button
    note: gr.HTML
    toml: gr.HTML
    login: gr.HTML
    doctor: gr.HTML

    def outputs(self) -> list[gr.components.Component]:
        """Every part, as the outputs of a handler that changes some of them."""
        return [getattr(self, item.name) for item in fields(self)]


def _html(value: str = "", name: str | None = None) -> gr.HTML:
    return gr.HTML(value, js_on_load=None, elem_id=name)


def _options(name: str) -> list[str]:
    return [str(value) for value in get_args(Settings.model_fields[name].annotation)]


def theme_html() -> str:
    """The choice of a theme; `desk.js` keeps it in the browser."""
    options = "".join(f'<option value="{value}">{label}</option>' for value, label in _THEMES)
    return f'<label class="switch"><span>Theme</span><select data-theme>{options}</select></label>'


def lay_out_settings() -> SettingsParts:
    """Make the parts, inside an open route."""
    parts: dict[str, object] = {}
    with gr.Row(elem_id="page", elem_classes="settings"):
        with gr.Column(scale=2, min_width=230, elem_id="side"):
            gr.HTML('<h1 class="brand">Consilium</h1>' + rooms_html("settings"), js_on_load=None)
            gr.HTML("<h2>This browser</h2>" + switch_html() + theme_html(), js_on_load=None, elem_id="this-browser")
            gr.HTML("<h2>Login</h2>", js_on_load=None)
            parts["login"] = _html(name="login-state")
        with gr.Column(scale=4, min_width=320, elem_id="answering"):
            gr.HTML("<h2>Model</h2>", js_on_load=None)
            parts["status"] = _html(name="model-state")
            parts["model"] = gr.Textbox(
                label="Endpoint: 'embedded', or the URL of an OpenAI-compatible server", max_length=500
            )
            with gr.Row():
                parts["model_name"] = gr.Textbox(label="Model name (empty: its only one)", max_length=200, min_width=140)
                parts["api_key"] = gr.Textbox(label="Key (empty: as it is)", type="password", max_length=500, min_width=140)
            gr.HTML("<h2>Answering</h2>", js_on_load=None)
            with gr.Row():
                parts["planner"] = gr.Dropdown(_options("planner"), label="Planner", min_width=140)
                parts["strategy"] = gr.Dropdown(_options("strategy"), label="Strategy", min_width=140)
            parts["strict"] = gr.Checkbox(
                label="Strict: drop sentences that fail their evidence check, instead of marking them"
            )
            with gr.Row():
                parts["apply"] = gr.Button("Use these", variant="primary", size="sm", min_width=90)
                parts["check"] = gr.Button("Check the model again", size="sm", min_width=90)
            parts["note"] = _html(name="settings-note")
            gr.HTML(f'<p class="quiet">{_HERE_ONLY}</p>', js_on_load=None)
            parts["toml"] = _html(name="settings-toml")
        with gr.Column(scale=5, min_width=320, elem_id="works-here"):
            gr.HTML("<h2>What works here</h2>", js_on_load=None)
            parts["doctor"] = _html(name="doctor")
    return SettingsParts(**parts)  # type: ignore[arg-type]


class SettingsDesk:
    """The page's behaviour."""

    def __init__(self, assistant: PageAssistant, parts: SettingsParts) -> None:
        self._assistant = assistant
        self._parts = parts

    def load(self, request: gr.Request) -> Changes:
        """The page opens."""
        settings = self._assistant.settings
        parts = self._parts
        return {
            **self.check(),
            parts.model: settings.model,
            parts.model_name: settings.model_name,
            parts.planner: settings.planner,
            parts.strategy: settings.strategy,
            parts.strict: settings.strict,
            parts.toml: toml_html(settings),
            parts.login: login_html(bool(settings.login.get_secret_value()), request.username or ""),
            parts.doctor: doctor_html([*machine_checks(settings), *tool_checks(self._assistant.tools())], settings),
        }

    def check(self) -> Changes:
        """Ask the model again."""
        status = self._assistant.model_status()
        shown = render.model_html(status.model, status.reachable, status.detail, status.endpoint, status.table)
        return {self._parts.status: shown.replace("<details ", "<details open ")}

    def apply(self, model: str, name: str, key: str, planner: str, strategy: str, strict: bool) -> Changes:
        """Use other settings; a value that is not allowed changes nothing."""
        changes: dict[str, str | bool] = {
            "model": model.strip() or "embedded", "model_name": name.strip(), "planner": planner, "strategy": strategy,
            "strict": strict,
        }  # fmt: skip
        if key:
            changes["api_key"] = key
        try:
            self._assistant.change_settings(changes)
        except ConsiliumError as error:
            return {self._parts.note: notice_html(str(error), "error"), self._parts.api_key: ""}
        told = notice_html("In use from the next question on.")
        settings = self._assistant.settings
        return {**self.check(), self._parts.note: told, self._parts.api_key: "", self._parts.toml: toml_html(settings)}


def toml_html(settings: Settings) -> str:
    """The lines that keep these settings. A key is never shown."""
    quoted = {name: str(getattr(settings, name)) for name in ("model", "model_name", "planner", "strategy")}
    lines = [f'{name} = "{value}"' for name, value in quoted.items() if value] + [f"strict = {str(settings.strict).lower()}"]
    return f'<pre tabindex="0">{text(chr(10).join(lines))}</pre>'


def login_html(needed: bool, user: str) -> str:
    """Whether there is a login, and the way out."""
    if user:
        return f'<p><span>Logged in as</span> <b data-content>{text(user)}</b>. <a href="logout">Log out</a></p>'
    if needed:
        return "<p>A login is set.</p>"
    return (
        "<p>No login is set: only this machine can reach the page, and each browser sees its own conversations.</p>"
        '<p class="quiet">Set one at the start:</p><pre tabindex="0">consilium serve --login USER:PASS</pre>'
    )


def doctor_html(checks: list[Check], settings: Settings) -> str:
    """What works, what is missing and the command that gets it; then every setting, secrets masked."""
    rows = "".join(_check_row(check) for check in checks)
    values = "".join(
        f"<tr><th scope=row><code>{text(name)}</code></th><td data-content>{text(value)}</td></tr>"
        for name, value in shown_settings(settings).items()
    )
    head = (
        "<thead><tr><th scope=col>What</th><th scope=col>State</th><th scope=col>Seen, and how to get it</th></tr></thead>"
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="What works here"><table class="data doctor">{head}'
        f"<tbody>{rows}</tbody></table></div>"
        f'<details><summary>All settings</summary><div class="scroll" tabindex="0" role="region" aria-label="All settings">'
        f'<table class="data">{values}</table></div></details>'
    )


def _check_row(check: Check) -> str:
    state = "works" if check.works else ("missing" if check.needed else "not here")
    mark = "✓" if check.works else "!" if check.needed else "–"
    command = f"<br><code>{text(check.command)}</code>" if check.command else ""
    return (
        f'<tr class="{state.replace(" ", "-")}"><th scope="row" data-content>{text(check.name)}</th>'
        f'<td><span aria-hidden="true">{mark}</span> <span>{state}</span></td>'
        f"<td data-content>{text(check.seen)}{command}</td></tr>"
    )


def join_settings(app: gr.Blocks, assistant: PageAssistant) -> None:
    """Put the page under the app."""
    with app.route("Settings", "settings"):
        parts = lay_out_settings()
        on = SettingsDesk(assistant, parts)
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        app.load(on.load, None, parts.outputs(), **quiet)
        asked = [parts.model, parts.model_name, parts.api_key, parts.planner, parts.strategy, parts.strict]
        parts.apply.click(on.apply, asked, parts.outputs(), **quiet)
        parts.check.click(on.check, None, parts.outputs(), **quiet)
