"""Tools over text."""
