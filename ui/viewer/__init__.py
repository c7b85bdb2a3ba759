"""The evidence panel and the viewer: what is behind a sentence, served to the session that asked and to nobody else."""
