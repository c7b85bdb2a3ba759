"""Evidence from published text."""
