"""Corpora, encoders, indexes and search."""
