from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import SettingError
from core.settings import load_settings


def test_defaults_are_local_and_embedded() -> None:
    settings = load_settings()
    assert (settings.model, settings.host, settings.port) == ("embedded", "127.0.0.1", 7860)


def test_flags_outweigh_environment_and_environment_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "consilium.toml").write_text("port = 1111\nsession_days = 3\n", encoding="utf-8")
    monkeypatch.setenv("CONSILIUM_PORT", "2222")
    assert load_settings().port == 2222
    assert load_settings(port=3333, host=None).port == 3333
    assert load_settings().session_days == 3


def test_a_url_loses_its_last_slash() -> None:
    assert load_settings(model="http://127.0.0.1:8000/v1/").model == "http://127.0.0.1:8000/v1"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"model": "gpt"}, r"'model'.*'embedded' or a URL.*got 'gpt'"),
        ({"port": 0}, r"'port'.*greater than or equal to 1.*got 0"),
        ({"colour": "blue"}, r"no setting 'colour'\. Allowed: home, model"),
        ({"login": "justuser"}, r"'login'.*USER:PASS with both parts"),
        ({"host": "192.0.2.7"}, r"'192\.0\.2\.7. needs a login"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(flags: dict[str, object], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        load_settings(**flags)


def test_a_login_opens_other_addresses_and_stays_secret() -> None:
    settings = load_settings(host="0.0.0.0", login="ward:pass-word")  # noqa: S104
    assert "pass-word" not in repr(settings)
    with pytest.raises(SettingError) as caught:
        load_settings(login="secretuser")
    assert "secretuser" not in str(caught.value)
