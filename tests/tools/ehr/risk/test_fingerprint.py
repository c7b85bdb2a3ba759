from __future__ import annotations

import numpy as np

from tools.ehr.risk.datasets import Sample
from tools.ehr.risk.events import ANCHOR, build
from tools.ehr.risk.fingerprint import marks_of, packed, unpacked


def test_a_renumbered_copy_has_the_same_mark_and_another_record_not() -> None:
    when = [ANCHOR, ANCHOR + np.timedelta64(1, "h")]
    one = build([1, 1], when, ["HR", "K"], [80.0, 4.1])
    copy = build([9, 9], when[::-1], ["K", "HR"], [4.1, 80.0])
    other = build([1, 1], when, ["HR", "K"], [81.0, 4.1])
    mark = marks_of(one, np.array([1]))[0]
    assert marks_of(copy, np.array([9]))[0] == mark
    assert marks_of(other, np.array([1]))[0] != mark


def test_history_that_depends_on_other_rows_does_not_count() -> None:
    plain = build([1], [ANCHOR], ["HR"], [80.0])
    more = build([1, 1], [ANCHOR, ANCHOR], ["HR", "PRIOR//stays"], [80.0, 3.0])
    assert marks_of(plain, np.array([1])) == marks_of(more, np.array([1]))


def test_records_of_a_cohort_are_told_apart(cohort_sample: Sample) -> None:
    marks = marks_of(cohort_sample.cohort.events, cohort_sample.rows.subject)
    assert len(np.unique(marks)) == len(marks)
    assert np.array_equal(unpacked(packed(marks)), np.sort(marks))


def test_a_subject_without_events_is_not_confused_with_one_that_has_some() -> None:
    events = build([5], [ANCHOR], ["HR"], [80.0])
    assert marks_of(events, np.array([5, 6]))[1] == 0
