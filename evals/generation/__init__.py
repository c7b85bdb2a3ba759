"""Judging synthetic films and volumes: what was asked against what is measured, and how far they are from real ones."""
