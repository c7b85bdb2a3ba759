"""Images as vectors: encoders, their trainer, an index on disk, and neighbours of an image."""
