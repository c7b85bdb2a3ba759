from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.testclient import TestClient

from ui.export.fetching import fetching
from ui.export.tickets import LIFETIME_S, Tickets


def test_a_file_is_fetched_once_and_is_gone_then(tmp_path: Path) -> None:
    tickets = Tickets(tmp_path / "exports")
    path = tickets.place(".pdf")
    path.write_bytes(b"%PDF")
    app = FastAPI()
    app.get("/export/{ticket}")(fetching(tickets))
    ticket = tickets.issue(path, "a b.pdf", "application/pdf")
    with TestClient(app) as client:
        first = client.get(f"/export/{ticket}")
        assert (first.content, first.headers["cache-control"]) == (b"%PDF", "no-store")
        assert "attachment" in first.headers["content-disposition"]
        assert not path.exists()
        assert client.get(f"/export/{ticket}").status_code == 404
        assert client.get("/export/guess").status_code == 404


def test_what_is_not_fetched_goes_after_five_minutes_and_at_the_next_start(tmp_path: Path) -> None:
    now = [0.0]
    tickets = Tickets(tmp_path / "exports", clock=lambda: now[0])
    paths = [tickets.place(".md"), tickets.place(".md")]
    for path in paths:
        path.write_text("x")
        ticket = tickets.issue(path, "x.md", "text/markdown")
        now[0] += LIFETIME_S - 1
    assert not paths[0].exists() or tickets.take("other") is None
    assert not paths[0].exists()
    assert tickets.take(ticket) is not None
    Tickets(tmp_path / "exports")
    assert not paths[1].exists()
