"""Headers, cookies, other sites' requests, and the login's waits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ui.access import Login
from ui.security import Guard

PLAIN = [(b"host", b"127.0.0.1:7860")]
AWAY = [(b"host", b"records.example.org")]


def _answer(method: str, headers: list[tuple[bytes, bytes]], scheme: str = "http") -> tuple[int, dict[bytes, list[bytes]]]:
    """Send one request through the guard to an application that sets a cookie; status and headers."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        answer = [(b"set-cookie", b"access-token=abc; Path=/; SameSite=Lax"), (b"access-control-allow-origin", b"*")]
        await send({"type": "http.response.start", "status": 200, "headers": answer})
        await send({"type": "http.response.body", "body": b"ok"})

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "headers": headers, "scheme": scheme}
    loop = asyncio.new_event_loop()  # not asyncio.run, which drops a loop that others left current
    loop.run_until_complete(Guard(app)(scope, None, send))
    loop.close()
    told: dict[bytes, list[bytes]] = {}
    for name, value in sent[0]["headers"]:
        told.setdefault(name, []).append(value)
    return sent[0]["status"], told


def test_every_answer_has_the_headers_and_no_other_site_may_read_it() -> None:
    status, headers = _answer("GET", PLAIN)
    assert status == 200
    policy = headers[b"content-security-policy"][0]
    assert b"frame-ancestors 'none'" in policy
    assert b"connect-src 'self'" in policy
    assert b"http:" not in policy
    assert headers[b"x-content-type-options"] == [b"nosniff"]
    assert b"access-control-allow-origin" not in headers


def test_cookies_are_ours_alone_and_secure_off_loopback() -> None:
    here = _answer("GET", PLAIN)[1][b"set-cookie"][0]
    away = _answer("GET", AWAY, "https")[1]
    assert here == b"access-token=abc; Path=/; HttpOnly; SameSite=Strict"
    assert away[b"set-cookie"][0] == b"access-token=abc; Path=/; HttpOnly; SameSite=Strict; Secure"
    assert b"strict-transport-security" in away


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ((b"origin", b"https://evil.example"), 403),
        ((b"origin", b"null"), 403),
        ((b"origin", b"http://127.0.0.1:9999"), 403),
        ((b"sec-fetch-site", b"cross-site"), 403),
        ((b"origin", b"http://127.0.0.1:7860"), 200),
        ((b"sec-fetch-site", b"same-origin"), 200),
    ],
)
def test_requests_of_other_sites_are_refused(header: tuple[bytes, bytes], status: int) -> None:
    assert _answer("POST", [*PLAIN, header])[0] == status


def test_the_login_knows_its_user_and_keeps_no_plain_password() -> None:
    login = Login("ada", "correct horse")
    assert login("ada", "correct horse")
    assert not login("ada", "wrong")
    assert not login("bob", "correct horse")
    assert "correct horse" not in repr(vars(login))


def test_a_hash_may_be_given_instead_of_the_password() -> None:
    from argon2 import PasswordHasher

    login = Login("ada", PasswordHasher().hash("correct horse"))
    assert login("ada", "correct horse")


def test_wrong_passwords_make_a_wait_that_grows_and_that_the_right_one_cannot_skip() -> None:
    now = [1000.0]
    told: list[str] = []
    login = Login("ada", "right", audit=told.append, clock=lambda: now[0])
    for _ in range(6):
        login("ada", "wrong")
        now[0] += 1.01
    assert not login("ada", "right")
    assert told[-1] == "waiting"
    now[0] += 5
    assert login("ada", "right")
    assert login.wait_s == 0
