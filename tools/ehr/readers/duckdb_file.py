"""OMOP in a DuckDB file: its tables are written as Parquet, all cells as text as in CSV, and read as those."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import FileError, MissingRequirement
from tools.ehr.readers.frame import Folder

INSTALL = "pip install 'consilium[duckdb]'"
TABLES = (
    "person", "death", "visit_occurrence", "visit_detail", "condition_occurrence", "drug_exposure", "procedure_occurrence",
    "measurement", "observation", "concept",
)  # fmt: skip
"""What the reader of OMOP reads; other tables are not touched."""


def duckdb_of(path: Path) -> Path | None:
    """The DuckDB file that a path is, or that a folder holds; None where there is none."""
    if path.is_file():
        return path if path.suffix in (".duckdb", ".ddb") else None
    return next(iter(sorted([*path.glob("*.duckdb"), *path.glob("*.ddb")])), None)


@contextmanager
def as_folder(file: Path, zone: str) -> Iterator[Folder]:
    """The tables as a folder that lives as long as the context; the file is opened read-only.

    Raises:
        MissingRequirement: duckdb is not installed.
        FileError: the file cannot be opened, or holds no table of OMOP.
    """
    try:
        import duckdb
    except ImportError as error:
        raise MissingRequirement("duckdb, which reads DuckDB files,", INSTALL) from error
    with tempfile.TemporaryDirectory() as name:
        try:
            with duckdb.connect(str(file), read_only=True) as database:
                found = database.execute("SELECT table_schema, table_name FROM information_schema.tables").fetchall()
                mine = [(schema, table) for schema, table in found if table.lower() in TABLES]
                for schema, table in mine:
                    # Names come from TABLES but for their case; the schema is quoted as SQL quotes names.
                    source = f'"{schema.replace(chr(34), chr(34) * 2)}"."{table}"'
                    target = (Path(name) / f"{table.lower()}.parquet").as_posix().replace("'", "''")
                    text = f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM {source}"  # noqa: S608 - names are checked above
                    database.execute(f"COPY ({text}) TO '{target}' (FORMAT parquet)")
        except duckdb.Error as error:
            raise FileError(f"{file.name} cannot be read as DuckDB: {str(error)[:160]}") from error
        if not mine:
            raise FileError(f"{file.name} holds no table of OMOP (person, measurement, ...).")
        yield Folder(Path(name), zone)
