"""Training the entailment model: generated families, real abstracts, and the command that does it."""
