"""`consilium keys`: API keys of the service."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from core.database import Database, PostgresDatabase, SqliteDatabase
from core.errors import InputError
from core.settings import Settings, load_settings
from ui.service.keys import KeyInfo, KeyStore


def run(arguments: argparse.Namespace) -> int:
    """Make, list or revoke."""
    database = _database(load_settings())
    try:
        keys = KeyStore(database)
        if arguments.action == "create":
            return _create(keys, arguments)
        if arguments.action == "revoke":
            info = keys.revoke(arguments.id)
            _print([info], as_json=arguments.json)
            return 0
        _print(keys.list(), as_json=arguments.json)
        return 0
    finally:
        database.close()


def _database(settings: Settings) -> Database:
    url = settings.database.get_secret_value()
    return PostgresDatabase(url) if url else SqliteDatabase(settings.home / "conversations.sqlite")


def _create(keys: KeyStore, arguments: argparse.Namespace) -> int:
    if arguments.days is not None and arguments.days < 1:
        raise InputError(f"--days must be at least 1, got {arguments.days}.")
    info, key = keys.create(arguments.user, arguments.days)
    if arguments.json:
        print(json.dumps({**info.model_dump(mode="json"), "key": key}))
    else:
        print(f"{key}\nKey {info.id} of {info.user}. It is not kept and cannot be shown again.")
    return 0


def _print(infos: Sequence[KeyInfo], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"keys": [info.model_dump(mode="json") for info in infos]}))
        return
    for info in infos:
        state = f"revoked {info.revoked:%Y-%m-%d}" if info.revoked else "valid"
        until = f", until {info.expires:%Y-%m-%d}" if info.expires else ""
        print(f"{info.id}  {info.user:24}  made {info.created:%Y-%m-%d}{until}  {state}")
    if not infos:
        print("There are no keys. Make one with: consilium keys create USER")
