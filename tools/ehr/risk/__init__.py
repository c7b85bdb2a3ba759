"""Prediction from health records: readers to MEDS events, tasks as data, models, evaluation, the risk card."""
