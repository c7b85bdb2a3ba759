"""Making the reranker that ships: its examples, its training, its measurement."""
