from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from core.errors import FileError
from tests.tools.ehr.readers.copies import write_omop
from tests.tools.ehr.readers.test_copies import timeline
from tools.ehr.risk.datasets import read_folder


def as_database(folder: Path, file: Path, schema: str = "main") -> Path:
    """The CSV tables in a DuckDB file, with the types that DuckDB finds for their columns."""
    with duckdb.connect(str(file)) as database:
        database.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
        for path in sorted(folder.glob("*.csv")):
            database.read_csv(str(path)).create(f"{schema}.{path.stem.upper()}")
    return file


@pytest.mark.parametrize("schema", ["main", "cdm"])
def test_a_database_gives_the_timeline_of_its_tables(tmp_path: Path, schema: str) -> None:
    folder = write_omop(tmp_path / "omop")
    file = as_database(folder, tmp_path / "omop.duckdb", schema)
    plain, stored = read_folder(folder, zone="Europe/Amsterdam"), read_folder(file, zone="Europe/Amsterdam")
    assert stored.source == "omop"
    assert timeline(stored.events) == timeline(plain.events)
    assert stored.stays == plain.stays


def test_a_folder_with_one_database_is_that_database(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    as_database(write_omop(tmp_path / "omop"), tmp_path / "set" / "x.duckdb")
    assert len(read_folder(tmp_path / "set").events)


def test_what_is_no_database_or_no_omop_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.duckdb").write_text("not a database at all, only text")
    with pytest.raises(FileError, match=r"a\.duckdb cannot be read as DuckDB"):
        read_folder(tmp_path / "a.duckdb")
    with duckdb.connect(str(tmp_path / "b.duckdb")) as database:
        database.execute("CREATE TABLE pets (name VARCHAR)")
    with pytest.raises(FileError, match="holds no table of OMOP"):
        read_folder(tmp_path / "b.duckdb")
