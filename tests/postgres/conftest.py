"""A PostgreSQL of its own, in a temporary folder, listening on a socket file there and on nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    beside = shutil.which("initdb")
    if not found and beside is None:
        pytest.fail("PostgreSQL's programs are not here. On Debian: apt-get install postgresql")
    return found[-1].parent if found else Path(str(beside)).parent


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """Its URL. PostgreSQL does not run as root: then the user `postgres`, whom the package makes, runs it."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="consilium-pg-"))
    as_owner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_owner:
        shutil.chown(folder, "postgres")
    data = folder / "data"
    run = [*as_owner, str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "consilium", "--no-sync"]
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL, cwd="/")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    start = [*as_owner, str(programs / "pg_ctl"), "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start"]
    subprocess.run(start, check=True, stdout=subprocess.DEVNULL, cwd="/")
    try:
        yield f"postgresql://consilium@/postgres?host={folder}"
    finally:
        stop = [*as_owner, str(programs / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop"]
        subprocess.run(stop, check=True, stdout=subprocess.DEVNULL, cwd="/")
        shutil.rmtree(folder, ignore_errors=True)
