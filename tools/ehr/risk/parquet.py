"""Parquet and large CSV files, through polars (the extra `ehr`), read by column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import FileError, MissingRequirement

INSTALL = "pip install 'consilium[ehr]'"


def read_columns(path: Path, names: tuple[str, ...] | None) -> dict[str, NDArray[np.generic]]:
    """Columns of a Parquet file as arrays of shape (rows,); all of them when `names` is None.

    Raises:
        MissingRequirement: polars is not installed.
        FileError: the file is not Parquet, or lacks a column.
    """
    try:
        import polars as pl
    except ImportError as error:
        raise MissingRequirement("polars, which reads Parquet,", INSTALL) from error
    try:
        scan = pl.scan_parquet(path)
        have = scan.collect_schema().names()
        wanted = list(names) if names is not None else have
        missing = [name for name in wanted if name not in have]
        if missing:
            raise FileError(f"{path.name} lacks the columns {', '.join(missing)}; it has {', '.join(have[:20])}.")
        table = scan.select(wanted).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise FileError(f"{path.name} cannot be read as Parquet: {str(error)[:120]}") from error
    text = (pl.String, pl.Categorical, pl.Enum)
    plain = table.with_columns(pl.col(name).cast(pl.String).fill_null("") for name in wanted if table[name].dtype in text)
    return {name: plain[name].to_numpy() for name in wanted}


def write_columns(path: Path, columns: dict[str, NDArray[np.generic]]) -> None:
    """Write arrays of equal length as Parquet."""
    try:
        import polars as pl
    except ImportError as error:
        raise MissingRequirement("polars, which writes Parquet,", INSTALL) from error
    pl.DataFrame(columns).write_parquet(path)
