"""The one shape that every reader of a set makes, and its way to events: units converted, times in UTC, refusals counted.

Columns: `subject_id` (Int64), `time` (naive datetime in UTC, null for what holds for the whole record), `code`, `value`
(Float64), `unit`. All steps are lazy, so that polars can stream them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from core.errors import FileError, InputError, MissingRequirement
from tools.ehr.risk.events import Events, from_columns
from tools.ehr.risk.parquet import INSTALL
from tools.ehr.risk.plausible import VARIABLES
from tools.ehr.risk.units import CONVERT, LOINC, LOOSE, SAME

if TYPE_CHECKING:
    import polars as pl

COLUMNS = ("subject_id", "time", "code", "value", "unit")


def need_polars() -> None:
    """Say what to install when polars or msgspec is missing.

    Raises:
        MissingRequirement: one is.
    """
    for name in ("polars", "msgspec"):
        if find_spec(name) is None:
            raise MissingRequirement(f"{name}, which reads sets,", INSTALL)


@dataclass(frozen=True)
class Folder:
    """The tables of a set: CSV (also .csv.gz) or Parquet, by name without regard to case."""

    path: Path
    zone: str = "UTC"

    def has(self, name: str) -> bool:
        """Whether the table is there."""
        return self._find(name) is not None

    def table(self, name: str, needed: Sequence[str]) -> pl.LazyFrame | None:
        """The table as a lazy frame with lower-case columns, all CSV cells as text; None when it is not there.

        Raises:
            FileError: a needed column is missing.
        """
        found = self._find(name)
        if found is None:
            return None
        need_polars()
        import polars as pl

        try:
            frame = pl.scan_parquet(found) if found.suffix == ".parquet" else pl.scan_csv(found, infer_schema=False)
            frame = frame.rename(str.lower, strict=False)
            have = frame.collect_schema().names()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise FileError(f"{found.name} cannot be read: {str(error)[:120]}") from error
        lacking = [column for column in needed if column not in have]
        if lacking:
            raise FileError(f"{found.name} lacks the columns {', '.join(lacking)}; it has {', '.join(have[:20])}.")
        return frame

    def time(self, *columns: str) -> pl.Expr:
        """The first of these columns that is a time, as naive UTC; times without a zone are local to `zone`."""
        import polars as pl

        return pl.coalesce([self._moment(pl.col(column)) for column in columns])

    def _moment(self, column: pl.Expr) -> pl.Expr:
        import polars as pl

        text = column.cast(pl.String).str.strip_chars().str.replace("T", " ", literal=True)
        zoned = text.str.extract(r"([+-]\d{2}:?\d{2}|Z)$")
        bare = text.str.replace(r"\s*(UTC|Z)$", "").str.replace(r"[+-]\d{2}:?\d{2}$", "").str.slice(0, 19)
        naive = pl.coalesce(
            [bare.str.to_datetime(form, strict=False, time_unit="us") for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M")]
            + [bare.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))]
        )
        local = naive.dt.replace_time_zone(self.zone, ambiguous="earliest", non_existent="null")
        sign = pl.when(zoned.str.starts_with("-")).then(-1).otherwise(1)
        minutes = zoned.str.slice(1, 2).cast(pl.Int64, strict=False) * 60 + zoned.str.slice(-2).cast(pl.Int64, strict=False)
        shifted = naive - pl.duration(minutes=(sign * minutes).fill_null(0))
        utc = local.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        # A day without a time of day is that day everywhere: it is not moved across midnight.
        day = text.str.len_chars() == 10
        return pl.when(day).then(naive).when(zoned.is_null()).then(utc).otherwise(shifted)

    def _find(self, name: str) -> Path | None:
        wanted = {f"{name}{end}" for end in (".csv", ".csv.gz", ".parquet")}
        for place in (self.path, self.path / "hosp", self.path / "icu"):
            if place.is_dir():
                found = next((item for item in sorted(place.iterdir()) if item.name.lower() in wanted), None)
                if found:
                    return found
        return None


def check_zone(zone: str) -> str:
    """The name of a time zone.

    Raises:
        InputError: there is none of that name.
    """
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise InputError(f"There is no time zone {zone!r}; give one such as Europe/Amsterdam, or UTC.") from error
    return zone


def number(column: str) -> pl.Expr:
    """A column as Float64, null where it is not a number."""
    import polars as pl

    return pl.col(column).cast(pl.String).str.strip_chars().cast(pl.Float64, strict=False)


def events_from(frames: Sequence[pl.LazyFrame], rejected: dict[str, int] | None = None) -> Events:
    """Events of frames with `COLUMNS`. Codes LOINC//x that the units table knows become variables in their own unit.

    A value in a unit that is not known for its variable is refused and counted; so is an event without a code.
    """
    import polars as pl

    if not frames:
        return from_columns(
            np.zeros(0, np.int64), np.zeros(0, "datetime64[s]"), np.zeros(0, np.int32), np.zeros(0), (), rejected
        )
    wide = pl.concat([frame.select(COLUMNS) for frame in frames], how="vertical_relaxed")
    known = pl.LazyFrame(
        {"code": [f"LOINC//{code}" for code in LOINC], "variable": list(LOINC.values())},
        schema={"code": pl.String, "variable": pl.String},
    )
    own = pl.col("code").is_in(list(VARIABLES))
    table = (
        wide.filter(pl.col("code").is_not_null() & pl.col("subject_id").is_not_null())
        .join(known, on="code", how="left")
        .with_columns(pl.when(own).then(pl.col("code")).otherwise(pl.col("variable")).alias("variable"))
        .with_columns(pl.col("unit").fill_null("").cast(pl.String).str.strip_chars().str.to_lowercase().alias("unit"))
        .join(_conversions(), on=["variable", "unit"], how="left")
        # A reader that names the variable itself, and no unit, says that the item has the variable's own one.
        .with_columns(pl.when(own & (pl.col("unit") == "")).then(1.0).otherwise(pl.col("factor")).alias("factor"))
        .with_columns(pl.when(pl.col("factor").is_not_null()).then(pl.col("offset").fill_null(0.0)).alias("offset"))
        .with_columns(
            (pl.col("variable").is_not_null() & pl.col("value").is_not_null() & pl.col("factor").is_null()).alias("odd")
        )
        .with_columns(
            pl.coalesce(["variable", "code"]).alias("code"),
            pl.when(pl.col("factor").is_not_null())
            .then((pl.col("value") * pl.col("factor") + pl.col("offset")).round(4))
            .otherwise(pl.col("value"))
            .alias("value"),
        )
        .select("subject_id", "time", "code", "value", "unit", "odd")
        .collect(engine="streaming")
    )
    counts = dict(rejected or {})
    for name, unit, rows in table.filter("odd").group_by("code", "unit").len().sort("code", "unit").iter_rows():
        counts[f"{VARIABLES[name].text}: the unit {unit!r} is not known here"] = rows
    # A measured variable without a number says nothing that a model could read.
    table = table.filter(~pl.col("odd") & ~(pl.col("code").is_in(list(VARIABLES)) & pl.col("value").is_null()))
    names = tuple(table["code"].unique().sort().to_list())
    order = {name: index for index, name in enumerate(names)}
    index = table["code"].replace_strict(order, return_dtype=pl.Int32).to_numpy()
    return from_columns(
        table["subject_id"].to_numpy().astype(np.int64),
        table["time"].cast(pl.Datetime("us")).to_numpy().astype("datetime64[s]"),
        index.astype(np.int32),
        table["value"].fill_null(float("nan")).to_numpy().astype(np.float64),
        names,
        counts,
    )


def _conversions() -> pl.LazyFrame:
    import polars as pl

    rows = [(name, unit, factor, offset) for (name, unit), (factor, offset) in CONVERT.items()]
    taken = {(name, unit) for name, unit, _, _ in rows}
    for name, variable in VARIABLES.items():
        for word, unit in SAME.items():
            same = unit in (variable.unit, "" if variable.unit in ("", "1") else variable.unit)
            if (same or name in LOOSE) and (name, word) not in taken:
                rows.append((name, word, 1.0, 0.0))
    schema = {"variable": pl.String, "unit": pl.String, "factor": pl.Float64, "offset": pl.Float64}
    return pl.LazyFrame(rows, schema=schema, orient="row")
