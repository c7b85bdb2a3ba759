from __future__ import annotations

import threading
from pathlib import Path

import pytest

from core.keyfile import kept_key
from ui.viewer.keys import COOKIE, Keys, Refused, new_session, session_in

SECRET = b"k" * 32
MINE, OTHER = "m" * 43, "o" * 43


def test_a_key_opens_its_conversation_for_the_session_it_was_made_for() -> None:
    grant = Keys(SECRET).open(Keys(SECRET).key("ana", "c1", MINE), MINE)
    assert (grant.owner, grant.conversation) == ("ana", "c1")


@pytest.mark.parametrize("session", [OTHER, "", MINE[:-1]])
def test_another_session_is_refused(session: str) -> None:
    with pytest.raises(Refused, match="another session"):
        Keys(SECRET).open(Keys(SECRET).key("ana", "c1", MINE), session)


def test_without_a_session_there_is_no_key() -> None:
    assert Keys(SECRET).key("ana", "c1", "") == ""


@pytest.mark.parametrize("change", ["body", "mac", "cut", "empty", "secret"])
def test_a_key_that_was_changed_is_refused(change: str) -> None:
    key = Keys(SECRET).key("ana", "c1", MINE)
    body, mac = key.split(".")
    other = Keys(SECRET).key("ana", "c2", MINE).split(".")[0]
    bad = {"body": f"{other}.{mac}", "mac": f"{body}.{'0' * 64}", "cut": body, "empty": "", "secret": key}[change]
    with pytest.raises(Refused):
        Keys(b"x" * 32 if change == "secret" else SECRET).open(bad, MINE)


def test_a_key_ends() -> None:
    now = [1000.0]
    keys = Keys(SECRET, lambda: now[0])
    key = keys.key("ana", "c1", MINE)
    now[0] += 11 * 3600
    keys.open(key, MINE)
    now[0] += 2 * 3600
    with pytest.raises(Refused, match="ended"):
        keys.open(key, MINE)


def test_logging_out_ends_the_session() -> None:
    cookie = new_session()
    before = session_in({COOKIE: cookie, "access-token-unsecure-1": "login"})
    assert before != session_in({COOKIE: cookie})
    assert session_in({COOKIE: "short"}) == session_in({}) == session_in(None) == ""


def test_the_secret_is_made_once_for_all_that_begin_together_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path, found = tmp_path / "home" / "session.key", []
    threads = [threading.Thread(target=lambda: found.append(kept_key(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found[0]) == 32
    assert path.stat().st_mode & 0o077 == 0
    assert [item.name for item in path.parent.iterdir()] == ["session.key"]
