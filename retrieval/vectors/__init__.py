"""Vector stores behind `core.ports.VectorStore`."""
