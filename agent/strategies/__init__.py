"""Ways of asking a served model for its answer: one call, several, votes. One file each; see docs/strategies.md."""
