from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tools.ehr.times import age_on, read_time


@pytest.mark.parametrize(
    ("text", "moment", "shown"),
    [
        ("2024", datetime(2024, 1, 1, tzinfo=UTC), "2024"),
        ("2024-03", datetime(2024, 3, 1, tzinfo=UTC), "2024-03"),
        ("2024-03-02", datetime(2024, 3, 2, tzinfo=UTC), "2024-03-02"),
        ("2024-03-02T00:30:00+02:00", datetime(2024, 3, 1, 22, 30, tzinfo=UTC), "2024-03-02 00:30 UTC+02:00"),
        ("2024-03-02T14:30:05.123Z", datetime(2024, 3, 2, 14, 30, 5, tzinfo=UTC), "2024-03-02 14:30 UTC"),
        ("2024-03-02T14:30", datetime(2024, 3, 2, 14, 30, tzinfo=UTC), "2024-03-02 14:30 (no zone given)"),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC), "2016-12-31 23:59 UTC"),
    ],
)
def test_times_are_as_precise_as_given(text: str, moment: datetime, shown: str) -> None:
    when = read_time(text)
    assert when.time == moment
    assert when.text == shown


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13", "2024-02-30", "0000", "0001-01-01T00:00:00+05:00", "24-1-1"])
def test_what_is_no_time_is_undated(text: str) -> None:
    assert not read_time(text)


@pytest.mark.parametrize(
    ("born", "age"),
    [("1950-03-09", "74"), ("1950-12-01", "73"), ("1950", "73 or 74"), ("1950-11", "73 or 74"), ("2030", ""), ("", "")],
)
def test_age_is_no_more_certain_than_the_birth_date(born: str, age: str) -> None:
    assert age_on(read_time(born), datetime(2024, 11, 5, tzinfo=UTC)) == age
