"""Who may call what, from where, and how much of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from core.settings import load_settings
from tests.ui.service.conftest import Service, home_in, serving
from ui.cli import main
from ui.service.keys import KeyStore
from ui.service.limits import RateLimit
from ui.session import owner_of

BODY = {"model": "consilium", "messages": [{"role": "user", "content": "hello"}]}
OPEN = ("/healthz", "/readyz")
CLOSED = ("/v1/models", "/api/status", "/api/conversations", "/api/tools", "/metrics")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, starter: Path) -> Iterator[Service]:
    """As it listens to a network: with a login, so keys are wanted."""
    home = home_in(tmp_path_factory.mktemp("guarded"), starter)
    settings = load_settings(
        home=home, host="192.0.2.7", login="ana:secret", requests_per_minute=30, turns_per_day=2,
        cors_origins=("https://chat.example.org",),
    )  # fmt: skip
    with serving(settings) as running:
        yield running


def key_of(service: Service, user: str, days: int | None = None) -> tuple[str, str]:
    info, key = KeyStore(service.assistant.state.database).create(user, days)
    return info.id, key


def test_off_loopback_everything_but_health_wants_a_key(guarded: Service) -> None:
    with guarded.http() as http:
        assert [http.get(path).status_code for path in OPEN] == [200, 200]
        refused = [http.get(path) for path in CLOSED]
        refused += [http.post("/v1/chat/completions", json=BODY), http.post("/mcp", json={})]
    assert {reply.status_code for reply in refused} == {401}
    assert {reply.json()["error"]["code"] for reply in refused} == {"invalid_api_key"}
    assert {reply.headers["www-authenticate"] for reply in refused} == {"Bearer"}


@pytest.mark.parametrize("spoil", ["{}x", "x{}", "ck_000000000000_{}", "{:.30}", "Bearer {}"])
def test_a_wrong_key_is_refused(guarded: Service, spoil: str) -> None:
    _, key = key_of(guarded, "eve")
    with guarded.http(spoil.format(key)) as http:
        assert http.get("/api/status").status_code == 401


def test_a_key_opens_its_users_conversations_and_no_others(guarded: Service) -> None:
    _, anas = key_of(guarded, "ana")
    _, bobs = key_of(guarded, "bob")
    pages = guarded.assistant.new_conversation(owner_of(None, "ana"))
    with guarded.http(anas) as ana, guarded.http(bobs) as bob:
        assert ana.get("/api/status").json()["user"] == "ana"
        mine = ana.post("/api/conversations").json()["id"]
        assert {row["id"] for row in ana.get("/api/conversations").json()} == {mine, pages}, "the page's are there too"
        assert bob.get("/api/conversations").json() == []
        for path in ("turns", "artifacts", "artifacts/ct1"):
            assert bob.get(f"/api/conversations/{mine}/{path}").status_code == 404
        assert bob.post(f"/api/conversations/{mine}/turns", json={"question": "hello"}).status_code == 404
        assert bob.delete(f"/api/conversations/{mine}").status_code == 404
        assert ana.delete(f"/api/conversations/{mine}").status_code == 204
        assert ana.get(f"/api/conversations/{mine}/turns").status_code == 404


def test_a_revoked_or_expired_key_is_refused_at_once(guarded: Service) -> None:
    name, key = key_of(guarded, "carol", days=1)
    store = KeyStore(guarded.assistant.state.database)
    with guarded.http(key) as http:
        assert http.get("/api/status").status_code == 200
        assert store.revoke(name).revoked is not None
        assert http.get("/api/status").status_code == 401
    late, old = key_of(guarded, "carol", days=1)
    guarded.assistant.state.database.run("UPDATE api_keys SET expires = '2020-01-01' WHERE id = ?", late)
    with guarded.http(old) as http:
        assert http.get("/api/status").status_code == 401


def test_secrets_are_not_kept(guarded: Service, tmp_path: Path) -> None:
    _, key = key_of(guarded, "dora")
    secret = key.split("_", 2)[2]
    rows = guarded.assistant.state.database.run("SELECT * FROM api_keys")
    assert not any(secret in str(value) for row in rows for value in row)


def test_too_many_requests_are_told_when_to_come_back(guarded: Service) -> None:
    _, key = key_of(guarded, "flood")
    with guarded.http(key) as http:
        replies = [http.get("/v1/models") for _ in range(40)]
        limited = [reply for reply in replies if reply.status_code == 429]
    assert 5 <= len(limited) <= 11, "30 at once, and one more every two seconds"
    assert all(1 <= int(reply.headers["retry-after"]) <= 2 for reply in limited)
    assert limited[0].json()["error"]["type"] == "rate_limit_error"
    _, other = key_of(guarded, "calm")
    with guarded.http(other) as http:
        assert http.get("/v1/models").status_code == 200, "another user is not held up"


def test_the_days_questions_are_counted(guarded: Service) -> None:
    _, key = key_of(guarded, "gus")
    with guarded.http(key) as http:
        replies = [http.post("/v1/chat/completions", json=BODY) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert 0 < int(replies[-1].headers["retry-after"]) <= 86_400


def test_other_web_sites_may_not_call_unless_named(guarded: Service, service: Service) -> None:
    _, key = key_of(guarded, "hal")
    with guarded.http(key) as http:
        evil = http.get("/v1/models", headers={"Origin": "https://evil.example"})
        good = http.get("/v1/models", headers={"Origin": "https://chat.example.org"})
    assert evil.status_code == 403
    assert "access-control-allow-origin" not in evil.headers
    assert good.headers["access-control-allow-origin"] == "https://chat.example.org"
    with service.http() as http:
        assert http.post("/v1/chat/completions", json=BODY, headers={"Origin": "https://evil.example"}).status_code == 403
        assert http.get("/v1/models", headers={"Origin": service.url}).status_code == 200
        assert http.get("/v1/models", headers={"Host": "rebound.example:80"}).status_code == 403
        preflight = http.options(
            "/v1/models", headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
        )
        assert "access-control-allow-origin" not in preflight.headers


def test_replies_carry_security_headers(service: Service) -> None:
    with service.http() as http:
        headers = http.get("/api/status").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers or "uvicorn" in headers["server"]


def test_a_body_over_the_limit_is_refused_with_and_without_a_length(service: Service) -> None:
    huge = b'{"model": "consilium", "messages": [{"role": "user", "content": "' + b"x" * 2_000_000 + b'"}]}'

    def pieces() -> Iterator[bytes]:
        yield huge

    with service.http() as http:
        headers = {"Content-Type": "application/json"}
        told = http.post("/v1/chat/completions", content=huge, headers=headers)
        untold = http.post("/v1/chat/completions", content=pieces(), headers=headers)
    assert [told.status_code, untold.status_code] == [413, 413]
    assert untold.json()["error"]["code"] == "too_large"


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (b'{"model": ', "application/json", "not valid JSON"),
        (b"[]", "application/json", "valid dictionary"),
        (b'{"model": "consilium", "messages": "hello"}', "application/json", "messages"),
        (b'{"model": "consilium", "messages": [{"role": "king", "content": "x"}]}', "application/json", "messages.0.role"),
        (b'{"model": "consilium", "messages": [{"role": "user", "content": "hello"}]}', "text/plain", "body"),
        (b"\xff\xfe\x00", "application/json", ""),
    ],
)
def test_a_malformed_body_is_a_bad_request(service: Service, content: bytes, kind: str, words: str) -> None:
    with service.http() as http:
        reply = http.post("/v1/chat/completions", content=content, headers={"Content-Type": kind})
    assert reply.status_code == 400
    assert words in reply.json()["error"]["message"]


def test_a_path_or_method_that_there_is_not_is_told_as_an_error_object(service: Service) -> None:
    with service.http() as http:
        assert http.get("/v1/nothing").json()["error"]["type"] == "not_found_error"
        wrong: httpx.Response = http.get("/v1/chat/completions")
    assert wrong.status_code == 405
    assert "error" in wrong.json()


def test_a_bucket_fills_evenly() -> None:
    limit = RateLimit(per_minute=6)
    for _ in range(6):
        limit.take("a", now=0.0)
    with pytest.raises(Exception, match="More than 6 requests"):
        limit.take("a", now=9.0)
    limit.take("a", now=10.1)
    limit.take("b", now=10.1)


def test_the_command_makes_lists_and_revokes_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "create", "ana", "--days", "3", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["key"].startswith(f"ck_{made['id']}_")
    assert main(["keys", "revoke", made["id"]]) == 0
    assert main(["keys", "list"]) == 0
    listed = capsys.readouterr().out
    assert "revoked" in listed
    assert made["key"] not in listed
    assert main(["keys", "revoke", "nope"]) == 2
    assert main(["keys", "create", "a b"]) == 2
    assert main(["keys", "create", "ana", "--days", "0"]) == 2
