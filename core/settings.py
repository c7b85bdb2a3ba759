"""Settings: data only, from flags, `CONSILIUM_*` variables and `consilium.toml`, in that order of weight."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator
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
    host: str = Field(default="127.0.0.1", description="Address the page listens on.")
    port: int = Field(default=7860, ge=1, le=65535)
    login: SecretStr = Field(default=SecretStr(""), description="USER:PASS; required off loopback.")
    tls_certificate: str = Field(default="", description="PEM file; with tls_key the page is served over TLS.")
    tls_key: str = Field(default="", description="PEM file of the certificate's key.")
    indexes: tuple[str, ...] = Field(
        default=("starter",), description="Literature indexes searched in a conversation; yours come from 'index create'."
    )
    strict: bool = Field(default=False, description="Drop sentences whose evidence check fails.")
    max_file_mb: int = Field(default=2048, gt=0, description="Largest single upload.")
    max_session_mb: int = Field(default=8192, gt=0, description="All files of one conversation.")
    upload_seconds: float = Field(default=300.0, gt=0, description="Longest time that reading an upload may take.")
    upload_memory_mb: int = Field(default=12_288, gt=0, description="Most memory that reading an upload may take.")
    session_days: int = Field(default=30, gt=0, description="Conversations untouched this long are deleted.")
    tool_calls_per_turn: int = Field(default=8, gt=0)

    @field_validator("model")
    @classmethod
    def _model_is_embedded_or_url(cls, value: str) -> str:
        if value == "embedded" or value.startswith(("http://", "https://")):
            return value.rstrip("/")
        msg = f"must be 'embedded' or a URL that starts with http:// or https://, got {value!r}"
        raise ValueError(msg)

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
            shown = "" if name in ("login", "api_key") else f" (got {item['input']!r})"
            lines.append(f"Setting {name!r}: {item['msg']}{shown}.")
    return " ".join(lines)
