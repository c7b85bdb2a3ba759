"""MEDS, the Medical Event Data Standard 0.4: Parquet shards with subject_id, time, code, numeric_value.

https://github.com/Medical-Event-Data-Standard/meds. A column `unit` is read where there is one. Codes of MIMIC in the way of
its MEDS extraction ("LAB//220045//bpm") become the variables of the ICU models, in the unit that the code names.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import FileError
from tools.ehr.readers.frame import Folder, events_from, need_polars
from tools.ehr.readers.mimic import ITEMS, UNITS
from tools.ehr.readers.stays import cohort_of
from tools.ehr.risk.cohort import Cohort, Stay
from tools.ehr.risk.events import Events
from tools.ehr.risk.parquet import write_columns

if TYPE_CHECKING:
    import polars as pl


def is_meds(path: Path) -> bool:
    """Whether the first Parquet file has the columns of MEDS."""
    files = _files(path)
    if not files:
        return False
    need_polars()
    import polars as pl

    try:
        return {"subject_id", "time", "code"} <= set(pl.read_parquet_schema(files[0]))
    except (pl.exceptions.PolarsError, OSError):
        return False


def read_meds(path: Path, zone: str = "UTC") -> Cohort:
    """Events of all shards under a folder, and the stays in intensive care that ICU_ADMISSION codes tell.

    Raises:
        FileError: there are no shards, or one lacks a column.
    """
    import polars as pl

    files = _files(path)
    if not files:
        raise FileError("No Parquet files there; MEDS keeps its events in data/**/*.parquet.")
    frames = [_frame(file, Folder(path, zone)) for file in files]
    stays = _stays(pl.concat(frames, how="vertical_relaxed"))
    return cohort_of("meds", events_from([_variables(frame) for frame in frames]), stays)


def read_raw_meds(path: Path, zone: str = "UTC") -> Events:
    """Events with the codes and values as they stand in the set: for tasks that name its own codes.

    Raises:
        FileError: there are no shards, or one lacks a column.
    """
    import numpy as np
    import polars as pl

    files = _files(path)
    if not files:
        raise FileError("No Parquet files there; MEDS keeps its events in data/**/*.parquet.")
    table = pl.concat([_frame(file, Folder(path, zone)) for file in files], how="vertical_relaxed")
    table = table.sort("subject_id", "time", nulls_last=False).collect()
    names = tuple(table["code"].unique().sort().to_list())
    index = table["code"].replace_strict({name: place for place, name in enumerate(names)}, return_dtype=pl.Int32)
    return Events(
        table["subject_id"].to_numpy().astype(np.int64),
        table["time"].cast(pl.Datetime("us")).to_numpy().astype("datetime64[s]"),
        index.to_numpy().astype(np.int32),
        table["value"].fill_null(float("nan")).to_numpy().astype(np.float64),
        names,
    )


def write_meds(events: Events, path: Path) -> None:
    """Write as one MEDS Parquet shard."""
    import numpy as np

    code = np.array(events.vocabulary or ("",))[events.code]
    time = events.time.astype("datetime64[us]")
    write_columns(path, {
        "subject_id": events.subject, "time": time, "code": code, "numeric_value": events.value.astype(np.float32)
    })  # fmt: skip


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix == ".parquet" else []
    return sorted(file for file in path.rglob("*.parquet") if "metadata" not in file.parts)


def _frame(file: Path, folder: Folder) -> pl.LazyFrame:
    import polars as pl

    try:
        frame = pl.scan_parquet(file)
        schema = frame.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise FileError(f"{file.name} cannot be read as Parquet: {str(error)[:120]}") from error
    if not {"subject_id", "time", "code"} <= set(schema):
        raise FileError(f"{file.name} is not MEDS: it needs subject_id, time and code; it has {', '.join(schema)}.")
    kind = schema["time"]
    if isinstance(kind, pl.Datetime):
        time = pl.col("time").cast(pl.Datetime("us", kind.time_zone))
        time = time.dt.convert_time_zone("UTC") if kind.time_zone else time.dt.replace_time_zone(folder.zone)
        time = time.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    else:
        time = folder.time("time")
    name = next((n for n in ("numeric_value", "value") if n in schema), None)
    value = pl.lit(None, pl.Float64) if name is None else pl.col(name).cast(pl.Float64, strict=False)
    # Values are 32-bit floats in MEDS; 4.1 comes back as 4.1, not as 4.0999999.
    return frame.select(
        pl.col("subject_id").cast(pl.Int64), time.alias("time"), pl.col("code").cast(pl.String),
        value.round(4).alias("value"), (pl.col("unit") if "unit" in schema else pl.lit(None, pl.String)).alias("unit"),
    )  # fmt: skip


def _variables(frame: pl.LazyFrame) -> pl.LazyFrame:
    """MIMIC's item codes as variables; a unit that the code names is the unit."""
    import polars as pl

    parts = pl.col("code").str.split("//")
    item = pl.when(pl.col("code").str.starts_with("LAB//")).then(parts.list.get(1, null_on_oob=True))
    named = item.replace_strict(ITEMS, default=None, return_dtype=pl.String)
    fixed = item.replace_strict(UNITS, default=None, return_dtype=pl.String)
    told = pl.when(named.is_not_null()).then(parts.list.get(2, null_on_oob=True).replace("UNK", ""))
    return frame.with_columns(
        pl.coalesce([named, pl.col("code")]).alias("code"), pl.coalesce([fixed, pl.col("unit"), told]).alias("unit")
    )


def _stays(frame: pl.LazyFrame) -> list[Stay]:
    import polars as pl

    code = pl.col("code")
    ends = frame.filter(code.str.starts_with("ICU_ADMISSION") | code.str.starts_with("ICU_DISCHARGE")).sort(
        "subject_id", "time"
    )
    stays: list[Stay] = []
    open_at = None
    for person, time, name in ends.select("subject_id", "time", "code").collect().iter_rows():
        if name.startswith("ICU_ADMISSION"):
            open_at = (person, time)
        elif open_at is not None and open_at[0] == person:
            stays.append(Stay(person, open_at[1], time, None))
            open_at = None
    return stays
