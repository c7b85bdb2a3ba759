"""Settings: data only, from flags, `CONSILIUM_*` variables and `consilium.toml`, in that order of weight."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from core.errors import SettingError

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")


def _default_home() -> Path:
    return Path(platformdirs.user_data_dir("consilium", appauthor=False))


class RemoteServer(BaseModel):
    """An MCP server whose tools a site adds: `url` (streamable HTTP) or `command` (a program that is started for each call).

    `tools` names those that are let through; empty: all. `patient_data`: whether a conversation that holds a patient's
    images or record may send to it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern="^[a-z][a-z0-9_]{0,23}$")
    url: str = ""
    command: tuple[str, ...] = ()
    key: SecretStr = SecretStr("")
    tools: tuple[str, ...] = ()
    patient_data: bool = False

    @model_validator(mode="after")
    def _one_way_to_it(self) -> RemoteServer:
        if bool(self.url) == bool(self.command):
            raise ValueError(f"server {self.name!r} needs either url or command")
        if self.url and not self.url.startswith(("http://", "https://")):
            raise ValueError(f"url must start with http:// or https://, got {self.url!r}")
        return self


class Settings(BaseSettings):
    """Everything that can be set. Objects are built from it in `agent/assemble.py`, nowhere else."""

    model_config = SettingsConfigDict(env_prefix="CONSILIUM_", toml_file="consilium.toml", extra="forbid", frozen=True)

    home: Path = Field(default_factory=_default_home, description="Where conversations and indexes live.")
    model: str = Field(default="embedded", description="'embedded', or the base URL of an OpenAI-compatible endpoint.")
    model_name: str = Field(default="", description="Model id at the endpoint; empty: its only one.")
    planner: Literal["auto", "native", "guided"] = Field(
        default="auto", description="How a served model plans tool calls; auto: what the preflight saw to work."
    )
    api_key: SecretStr = Field(default=SecretStr(""), description="Key for the endpoint.")
    endpoint_timeout_s: float = Field(default=60.0, gt=0, description="Silence allowed from the endpoint.")
    answer_tokens: int = Field(default=2048, gt=0, description="Most tokens a served model may write at a time.")
    context_tokens: int | None = Field(
        default=None, gt=0, description="The model's context, where the endpoint does not tell it."
    )
    rate_limit_wait_s: float = Field(
        default=30.0, ge=0, description="Longest wait in one turn for an endpoint that says when it takes requests again."
    )
    strategy: Literal[
        "auto",
        "plain",
        "rationale_first",
        "medprompt",
        "ensemble_refinement",
        "permutation_voting",
        "option_logprobs",
    ] = Field(default="auto", description="How a served model is asked for its answer; auto: chosen for each question.")
    strategy_calls: int = Field(default=64, gt=0, description="Most calls of one strategy on one question.")
    strategy_tokens: int = Field(default=400_000, gt=0, description="Most tokens, read and written, of the same.")
    strategy_parallel: int = Field(default=4, gt=0, description="Calls of a strategy that may run side by side.")
    ensemble_samples: int = Field(default=11, gt=0, description="Drafts of ensemble refinement.")
    ensemble_refinements: int = Field(default=33, gt=0, description="Refined answers of ensemble refinement.")
    examples: Path | None = Field(default=None, description="File of solved questions, for the strategy medprompt.")
    host: str = Field(default="127.0.0.1", description="Address the page listens on.")
    port: int = Field(default=7860, ge=1, le=65535)
    login: SecretStr = Field(default=SecretStr(""), description="USER:PASS; required off loopback.")
    tls_certificate: str = Field(default="", description="PEM file; with tls_key the page is served over TLS.")
    tls_key: str = Field(default="", description="PEM file of the certificate's key.")
    indexes: tuple[str, ...] = Field(
        default=("starter",),
        description="Literature indexes searched in a conversation where none is chosen; not given: all there are.",
    )
    reranker: str = Field(
        default="own",
        description="Second look at the best passages: 'own' (the one that ships), 'none', a cross-encoder, or URL#MODEL.",
    )
    vector_store: str = Field(
        default="faiss",
        description="'faiss', or 'qdrant:PLACE' or 'chroma:PLACE' that follows the indexes; PLACE: a folder or an address.",
    )
    image_encoder: str = Field(
        default="", description="Encoder of image indexes: a transformers folder, or URL#MODEL; empty: the one that ships."
    )
    strict: bool = Field(default=False, description="Drop sentences whose evidence check fails.")
    max_file_mb: int = Field(default=2048, gt=0, description="Largest single upload.")
    max_session_mb: int = Field(default=8192, gt=0, description="All files of one conversation.")
    upload_seconds: float = Field(default=300.0, gt=0, description="Longest time that reading an upload may take.")
    upload_memory_mb: int = Field(default=12_288, gt=0, description="Most memory that reading an upload may take.")
    session_days: int = Field(default=30, gt=0, description="Conversations untouched this long are deleted.")
    tool_calls_per_turn: int = Field(default=8, gt=0)
    turns_at_once: int = Field(default=32, gt=0, description="Questions that are answered at the same time.")
    turns_waiting: int = Field(default=256, ge=0, description="Questions that may wait for a place.")
    turns_per_user: int = Field(default=16, gt=0, description="Questions of one user, answered and waiting together.")
    requests_per_minute: int = Field(default=120, ge=0, description="API requests of one user; 0: no limit.")
    turns_per_day: int = Field(default=0, ge=0, description="Questions of one user a day over the API; 0: no limit.")
    max_request_mb: int = Field(default=64, gt=0, description="Largest body of an API request other than an upload.")
    mcp_servers: tuple[RemoteServer, ...] = Field(default=(), description="Other programs' tools, over MCP.")
    sessions: Path | None = Field(default=None, description="Files of conversations; default: below home. May be shared.")
    database: SecretStr = Field(
        default=SecretStr(""), description="postgresql://... shared by several workers; empty: SQLite below home."
    )
    cors_origins: tuple[str, ...] = Field(default=(), description="Other web origins that may call the API.")

    @field_validator("model")
    @classmethod
    def _model_is_embedded_or_url(cls, value: str) -> str:
        if value == "embedded" or value.startswith(("http://", "https://")):
            return value.rstrip("/")
        msg = f"must be 'embedded' or a URL that starts with http:// or https://, got {value!r}"
        raise ValueError(msg)

    @field_validator("database")
    @classmethod
    def _database_is_postgresql(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must be a URL that starts with postgresql://")
        return value

    @field_validator("login")
    @classmethod
    def _login_has_two_parts(cls, value: SecretStr) -> SecretStr:
        user, _, password = value.get_secret_value().partition(":")
        if value.get_secret_value() and not (user and password):
            raise ValueError("must be USER:PASS with both parts")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags before environment before file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(**flags: Any) -> Settings:
    """Read the settings; flags that are None count as not given.

    Raises:
        SettingError: a value is not allowed; the message names the setting, what is allowed and the value.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise SettingError(_explain(error)) from error
    if settings.host not in LOOPBACK_HOSTS and not settings.login.get_secret_value():
        raise SettingError(
            f"Listening on {settings.host!r} needs a login: give --login USER:PASS or CONSILIUM_LOGIN. "
            f"Without one only {', '.join(LOOPBACK_HOSTS)} are allowed."
        )
    return settings


def _explain(error: ValidationError) -> str:
    lines = []
    for item in error.errors(include_url=False):
        name = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            lines.append(f"There is no setting {name!r}. Allowed: {', '.join(Settings.model_fields)}.")
        else:
            shown = "" if name in ("login", "api_key", "database") else f" (got {item['input']!r})"
            lines.append(f"Setting {name!r}: {item['msg']}{shown}.")
    return " ".join(lines)
